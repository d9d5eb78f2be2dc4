"""The operations that the networks are made of, in any layout of memory; and the plain ones, Paddle's own.

A network's forward is written once, over an `Ops`. Which one it gets is decided in one
place, `utils.cpu_ops`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import paddle
from paddle import Tensor
from paddle.nn import functional as F

UNIT_EPSILON = 1e-20
"""LPIPS's authors' 1e-10 beside a vector's length, here inside its root: where it is 0, so is the gradient, not NaN."""

ConvolutionWeights = tuple[Tensor, Tensor]
"""Weight (out, in, k, k) and bias (out,)."""

Enlargement = Literal["nearest", "bilinear"]

# of the leaky ReLU, and the factor on the block's residual: ESRGAN, section 3.1
DENSE_BLOCK_SLOPE = 0.2
DENSE_BLOCK_SCALE = 0.2


class Ops(Protocol):
    """Operations on features: float32 tensors of N pictures, C channels, H x W pixels, in a layout of its own.

    `enter` and `leave` lead into that layout and out of it. Tensors in it may be added,
    scaled and compared element by element; everything else goes through these methods.
    """

    def enter(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) in this layout."""

    def enter_normalised(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return (x - mean) / std in this layout: x (N, C, H, W), the others (1, C, 1, 1) and constant."""

    def leave(self, x: Tensor) -> Tensor:
        """Return x as (N, C, H, W)."""

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
        """Return the convolution of x, padded with zeros, times `slope` where it is negative (0: ReLU)."""

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y, of one shape."""

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """Return x where positive and slope * x elsewhere."""

    def conv_prelu(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the convolution of x, padded with one zero, times its channel's of `slopes` where it is negative."""

    def conv_enlarged(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        mode: Enlargement = "nearest",
        slope: float = 1.0,
    ) -> Tensor:
        """Return the 3x3 convolution of x enlarged by 2, as `conv` does.

        "nearest" doubles pixels in both directions, "bilinear" interpolates between
        their centres (`align_corners=False`).
        """

    def max_pool(self, x: Tensor, window: int = 2) -> Tensor:
        """Return the greatest of each `window` x `window` pixels, two apart; what they do not reach is left out."""

    def unit_distance(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return (N,): the mean over the pixels of the weighted squares of the differences of x and target.

        At each pixel, the channels of either are a vector, scaled to length 1 before.
        `weight` (1, C, 1, 1) is the channels'. Gradients flow to x only.
        """

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """Return x as (N, C / scale^2, scale * H, scale * W): each pixel's channels become pixels."""

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return features of one N, H and W with their channels one after the other."""

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """Return x (N, C, H, W) as (N, C * scale^2, H / scale, W / scale); both NCHW."""

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """Return x (N, C, H, W) with each pixel repeated `scale` times; both NCHW."""

    def dense_block(
        self,
        x: Tensor,
        convolutions: Sequence[ConvolutionWeights],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Tensor:
        """Return x + 0.2 times the output of the last convolution.

        Each convolution reads x and the outputs of all before it, which are multiplied
        by `slope` where they are negative.
        """


@dataclass(frozen=True)
class PlainOps:
    """Paddle's own operators, NCHW: on GPUs, in exported graphs, and wherever nothing faster is there."""

    def enter(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def enter_normalised(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """See `Ops`."""
        return (x - mean) / std

    def leave(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

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
        return self.leaky_relu(
            F.conv2d(x, weight, bias, stride=stride, padding=padding), slope
        )

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Ops`."""
        return x + y

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """See `Ops`."""
        if slope == 1:
            return x
        return F.leaky_relu(x, slope) if slope else F.relu(x)

    def conv_prelu(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """See `Ops`."""
        y = self.conv(x, weight, bias)
        if paddle.in_dynamic_mode() and y.stop_gradient and not slopes.stop_gradient:
            # Behind layers that do not learn. Paddle's kernel on a CPU (2.6.2, 3.3.1)
            # writes the gradient of its input, asked for or not, and crashes: so ask.
            y = y.detach()
            y.stop_gradient = False
        return F.prelu(y, slopes)

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
        if mode == "nearest":
            x = nearest_upsample(x, 2)
        else:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.conv(x, weight, bias, slope=slope)

    def max_pool(self, x: Tensor, window: int = 2) -> Tensor:
        """See `Ops`."""
        return F.max_pool2d(x, window, 2)

    def unit_distance(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `Ops`."""
        difference = _of_length_1(x) - _of_length_1(target.detach())
        return (difference.square() * weight).sum(1).mean([1, 2])

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return F.pixel_shuffle(x, scale)

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """See `Ops`."""
        return paddle.concat(list(tensors), 1)

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        # Each reshape has one unknown size only (-1), so that an exported graph takes images of any size.
        x = x.reshape([0, 0, 0, -1, scale]).transpose(
            [0, 1, 3, 4, 2]
        )  # N, C, W', column, H
        x = x.reshape([0, 0, 0, 0, -1, scale])
        x = x.transpose([0, 1, 5, 3, 4, 2])  # N, C, row, column, H', W'
        return x.flatten(1, 3)

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return nearest_upsample(x, scale)

    def dense_block(
        self,
        x: Tensor,
        convolutions: Sequence[ConvolutionWeights],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Tensor:
        """See `Ops`."""
        return concatenating_dense_block(self, x, convolutions, slope)


PLAIN = PlainOps()


def concatenating_dense_block(
    ops: Ops, x: Tensor, convolutions: Sequence[ConvolutionWeights], slope: float
) -> Tensor:
    """Return `Ops.dense_block`, written over the other methods of `ops`."""
    seen = x
    for weight, bias in convolutions[:-1]:
        grown = ops.conv(seen, weight, bias, slope=slope)
        seen = ops.concat([seen, grown])

    return x + DENSE_BLOCK_SCALE * ops.conv(seen, *convolutions[-1])


def _of_length_1(x: Tensor) -> Tensor:
    return x * paddle.rsqrt(x.square().sum(1, keepdim=True) + UNIT_EPSILON)


def nearest_upsample(x: Tensor, scale: int) -> Tensor:
    """Return x (N, C, H, W) enlarged to (N, C, scale * H, scale * W) by repeating each pixel.

    `F.interpolate(scale_factor=...)` gives the same values, but its graph cannot be
    loaded by Paddle 3's new executor (Paddle issue 77340) and its gradient is three
    times slower on a CPU.
    """
    x = paddle.stack([x] * scale, axis=4).flatten(3, 4)
    return paddle.stack([x] * scale, axis=3).flatten(2, 3)
