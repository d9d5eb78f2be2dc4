"""The networks' operations by oneDNN, for training on a CPU: features in NHWC, first gradients only.

A second gradient (a gradient penalty, say) cannot be had through these: Paddle raises
an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import Tensor

from realesrgan_paddle.utils.ops.onednn.convolution import ConvolutionLayer
from realesrgan_paddle.utils.ops.onednn.dense_block import DenseBlockLayer, Kind, fits
from realesrgan_paddle.utils.ops.onednn.layers import (
    MaxPoolLayer,
    NormaliseLayer,
    RearrangeLayer,
    SumLayer,
    shape_of,
    shuffle_pixels,
    to_nhwc,
)
from realesrgan_paddle.utils.ops.onednn.leaky_relu import LeakyReLULayer
from realesrgan_paddle.utils.ops.onednn.library import F32
from realesrgan_paddle.utils.ops.onednn.prelu import PReLULayer
from realesrgan_paddle.utils.ops.onednn.unit_distance import UnitDistanceLayer
from realesrgan_paddle.utils.ops.onednn.upsampled_convolution import convolve_enlarged
from realesrgan_paddle.utils.ops.onednn.winograd_convolution import WinogradLayer
from realesrgan_paddle.utils.ops.onednn.winograd_convolution import (
    fits as winograd_fits,
)
from realesrgan_paddle.utils.ops.onednn.winograd_dense_block import DenseRowsLayer
from realesrgan_paddle.utils.ops.onednn.winograd_dense_block import fits as rows_fit
from realesrgan_paddle.utils.ops.plain import (
    DENSE_BLOCK_SLOPE,
    PLAIN,
    ConvolutionWeights,
    Enlargement,
    concatenating_dense_block,
)


@dataclass(frozen=True)
class OneDNNOps:
    """The operations of `utils.plain_ops.Ops` on features (N, H, W, C).

    Attributes:
        dtype: what convolutions multiply in, `F32` or `BF16`; all else is float32.
    """

    dtype: int = F32

    def enter(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) as (N, H, W, C)."""
        n, channels, height, width = x.shape
        return RearrangeLayer.apply(
            x, to_nhwc((n, channels, height, width)), [n, height, width, channels]
        )

    def enter_normalised(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """See `Ops`."""
        return self.enter(NormaliseLayer.apply(x, mean, std))

    def leave(self, x: Tensor) -> Tensor:
        """Return x (N, H, W, C) as (N, C, H, W)."""
        there, back = to_nhwc(shape_of(x))
        return RearrangeLayer.apply(x, (back, there), shape_of(x))

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
        if stride == padding == 1 and self._by_winograd(x, weight):
            return WinogradLayer.apply(x, weight, bias, slope)
        return ConvolutionLayer.apply(
            x, weight, bias, None, stride, padding, slope, self.dtype
        )

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
        if self._by_winograd(x, weight):
            return PReLULayer.apply(WinogradLayer.apply(x, weight, bias, 1.0), slopes)
        return ConvolutionLayer.apply(x, weight, bias, slopes, 1, 1, 1.0, self.dtype)

    def conv_enlarged(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        mode: Enlargement = "nearest",
        slope: float = 1.0,
    ) -> Tensor:
        """See `Ops`."""
        return convolve_enlarged(
            x, weight, bias, slope, self.dtype, bilinear=mode == "bilinear"
        )

    def max_pool(self, x: Tensor, window: int = 2) -> Tensor:
        """See `Ops`."""
        return MaxPoolLayer.apply(x, window)

    def unit_distance(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `Ops`."""
        return UnitDistanceLayer.apply(x, target.detach(), weight)

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        n, channels, height, width = shape_of(x)
        shape = [n, channels // scale**2, height * scale, width * scale]
        return RearrangeLayer.apply(x, shuffle_pixels(shape_of(x), scale), shape)

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """See `Ops`."""
        return paddle.concat(list(tensors), -1)

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return PLAIN.pixel_unshuffle(x, scale)

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return PLAIN.nearest_upsample(x, scale)

    def dense_block(
        self,
        x: Tensor,
        convolutions: Sequence[ConvolutionWeights],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Tensor:
        """See `Ops`."""
        _, height, width, num_feat = x.shape
        num_grow_ch = convolutions[0][0].shape[0]
        kind = Kind(num_feat, num_grow_ch, len(convolutions), height, width, self.dtype)
        if slope != DENSE_BLOCK_SLOPE or not fits(num_feat, num_grow_ch, self.dtype):
            return concatenating_dense_block(self, x, convolutions, slope)

        tensors = [tensor for pair in convolutions for tensor in pair]
        if self.dtype == F32 and rows_fit(kind):
            return DenseRowsLayer.apply(x, *tensors)
        return DenseBlockLayer.apply(x, *tensors, dtype=self.dtype)

    def _by_winograd(self, x: Tensor, weight: Tensor) -> bool:
        return self.dtype == F32 and winograd_fits(tuple(x.shape), tuple(weight.shape))
