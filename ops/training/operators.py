"""The networks' operators by oneDNN, for training on a CPU.

Features are NHWC. There are first gradients only: Paddle raises an error if a second
gradient is asked for, as a gradient penalty does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import Tensor

from realesrgan_paddle.ops.onednn.library import F32
from realesrgan_paddle.ops.plain import (
    DENSE_BLOCK_SLOPE,
    PLAIN,
    ConvolutionWeights,
    UpsampleMode,
    concatenating_dense_block,
)
from realesrgan_paddle.ops.training.activations import LeakyReLULayer
from realesrgan_paddle.ops.training.convolution import (
    Convolution,
    ConvolutionLayer,
    convolution,
)
from realesrgan_paddle.ops.training.dense_block import (
    DenseBlockLayer,
    blocks_are_fast,
    dense_block,
)
from realesrgan_paddle.ops.training.dense_block_layout import DenseBlockSpec
from realesrgan_paddle.ops.training.layers import (
    MaxPoolLayer,
    NormalizeLayer,
    RearrangeLayer,
    SumLayer,
    shape_of,
    shuffle_pixels,
    to_nhwc,
)
from realesrgan_paddle.ops.training.unit_distance import UnitDistanceLayer
from realesrgan_paddle.ops.training.upsampled_convolution import convolve_upsampled
from realesrgan_paddle.ops.training.weight_gradients import ConvolutionSpec


@dataclass(frozen=True)
class OneDNNOps:
    """`ops.plain.Ops` on features (N, H, W, C).

    Attributes:
        dtype: type that convolutions multiply in, `F32` or `BF16`; all else is float32.
    """

    dtype: int = F32

    def enter(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) as (N, H, W, C)."""
        n, channels, height, width = x.shape
        copies = to_nhwc((n, channels, height, width))
        out_shape = [n, height, width, channels]
        return RearrangeLayer.apply(x, copies, out_shape)

    def enter_normalized(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """See `Ops`."""
        normalized = NormalizeLayer.apply(x, mean, std)
        return self.enter(normalized)

    def leave(self, x: Tensor) -> Tensor:
        """Return x (N, H, W, C) as (N, C, H, W)."""
        shape = shape_of(x)
        from_nchw, to_nchw = to_nhwc(shape)
        return RearrangeLayer.apply(x, (to_nchw, from_nchw), shape)

    def conv(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Tensor:
        """See `Ops`."""
        found = self._convolution(x, weight, bias, stride, padding, slope)
        return ConvolutionLayer.apply(x, weight, bias, None, found)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Ops`."""
        return SumLayer.apply(x, y)

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """See `Ops`."""
        return LeakyReLULayer.apply(x, slope)

    def conv_prelu(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """See `Ops`."""
        found = self._convolution(x, weight, bias)
        return ConvolutionLayer.apply(x, weight, bias, slopes, found)

    def conv_upsampled(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        mode: UpsampleMode = "nearest",
        slope: float = 1.0,
    ) -> Tensor:
        """See `Ops`."""
        bilinear = mode == "bilinear"
        return convolve_upsampled(x, weight, bias, slope, self.dtype, bilinear=bilinear)

    def max_pool(self, x: Tensor, window: int = 2) -> Tensor:
        """See `Ops`."""
        return MaxPoolLayer.apply(x, window)

    def unit_distance(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `Ops`."""
        target = target.detach()
        return UnitDistanceLayer.apply(x, target, weight)

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        n, channels, height, width = shape = shape_of(x)
        out_ch = channels // scale**2
        copies = shuffle_pixels(shape, scale)
        return RearrangeLayer.apply(
            x, copies, [n, out_ch, scale * height, scale * width]
        )

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """See `Ops`."""
        return paddle.concat(list(tensors), -1)

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return PLAIN.pixel_unshuffle(x, scale)

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return PLAIN.nearest_upsample(x, scale)

    def clip(self, x: Tensor, most: float) -> Tensor:
        """See `Ops`."""
        return PLAIN.clip(x, most)

    def dense_block(
        self,
        x: Tensor,
        convolutions: Sequence[ConvolutionWeights],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Tensor:
        """See `Ops`."""
        _, height, width, num_feat = x.shape
        first_weight, _ = convolutions[0]
        num_grow_ch = first_weight.shape[0]

        in_blocks = blocks_are_fast(num_feat, num_grow_ch, self.dtype)
        if slope != DENSE_BLOCK_SLOPE or not in_blocks:
            return concatenating_dense_block(self, x, convolutions, slope)

        parameters = [tensor for pair in convolutions for tensor in pair]
        spec = DenseBlockSpec(
            num_feat, num_grow_ch, len(convolutions), height, width, self.dtype
        )
        return DenseBlockLayer.apply(x, *parameters, block=dense_block(spec))

    def _convolution(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: int = 1,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Convolution:
        """Return the primitives of a convolution."""
        out_ch, _, kernel_size, _ = weight.shape
        has_bias = bias is not None
        shape = shape_of(x)
        spec = ConvolutionSpec(
            shape, out_ch, kernel_size, stride, padding, slope, has_bias, self.dtype
        )
        return convolution(spec)
