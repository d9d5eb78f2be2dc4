"""The operations that the networks are made of, in any layout of memory; and the plain ones, Paddle's own.

A network's forward is written once, over an `Ops`. Which one it gets is decided in one place, `utils.cpu_ops`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import paddle
from paddle import Tensor
from paddle.nn import functional as F

ConvolutionWeights = tuple[Tensor, Tensor]
"""Weight (out, in, k, k) and bias (out,)."""

Enlargement = Literal["nearest", "bilinear"]

DENSE_BLOCK_SLOPE = 0.2  # of the leaky ReLU, and the factor on the block's residual: ESRGAN, section 3.1
DENSE_BLOCK_SCALE = 0.2


class Ops(Protocol):
    """Operations on features: float32 tensors of N pictures, C channels, H x W pixels, in a layout of its own.

    `enter` and `leave` lead into that layout and out of it. Tensors in it may be added, scaled and compared
    element by element; everything else goes through these methods.
    """

    def enter(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) in this layout."""

    def leave(self, x: Tensor) -> Tensor:
        """Return x as (N, C, H, W)."""

    def conv(
        self, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, slope: float = 1.0
    ) -> Tensor:
        """Return the convolution of x, padded with one zero, times `slope` where it is negative (0: ReLU)."""

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y, of one shape."""

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """Return x where positive and slope * x elsewhere."""

    def prelu(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x where positive and weight * x elsewhere; one weight a channel."""

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

        "nearest" doubles pixels in both directions, "bilinear" interpolates between their centres
        (`align_corners=False`).
        """

    def max_pool(self, x: Tensor) -> Tensor:
        """Return the greatest of each 2 x 2 pixels; an odd last row or column is left out."""

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """Return x as (N, C / scale^2, scale * H, scale * W): each pixel's channels become pixels."""

    def dense_block(self, x: Tensor, convolutions: Sequence[ConvolutionWeights]) -> Tensor:
        """Return x + 0.2 times the last convolution; each sees x and all before it, with leaky ReLUs of 0.2 between."""


@dataclass(frozen=True)
class PlainOps:
    """Paddle's own operators, NCHW: on GPUs, in exported graphs, and wherever nothing faster is there."""

    def enter(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def leave(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def conv(
        self, x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, slope: float = 1.0
    ) -> Tensor:
        """See `Ops`."""
        return self.leaky_relu(F.conv2d(x, weight, bias, stride=stride, padding=1), slope)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Ops`."""
        return x + y

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """See `Ops`."""
        if slope == 1:
            return x
        return F.leaky_relu(x, slope) if slope else F.relu(x)

    def prelu(self, x: Tensor, weight: Tensor) -> Tensor:
        """See `Ops`."""
        if paddle.in_dynamic_mode() and x.stop_gradient and not weight.stop_gradient:
            # Behind layers that do not learn. Paddle's kernel on a CPU (2.6.2, 3.3.1) writes the gradient of x,
            # asked for or not, and crashes: so ask.
            x = x.detach()
            x.stop_gradient = False
        return F.prelu(x, weight)

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

    def max_pool(self, x: Tensor) -> Tensor:
        """See `Ops`."""
        return F.max_pool2d(x, 2, 2)

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return F.pixel_shuffle(x, scale)

    def dense_block(self, x: Tensor, convolutions: Sequence[ConvolutionWeights]) -> Tensor:
        """See `Ops`."""
        seen = x
        for weight, bias in convolutions[:-1]:
            seen = paddle.concat([seen, self.conv(seen, weight, bias, slope=DENSE_BLOCK_SLOPE)], 1)
        return x + DENSE_BLOCK_SCALE * self.conv(seen, *convolutions[-1])


PLAIN = PlainOps()


def nearest_upsample(x: Tensor, scale: int) -> Tensor:
    """Return x (N, C, H, W) enlarged to (N, C, scale * H, scale * W) by repeating each pixel.

    `F.interpolate(scale_factor=...)` gives the same values, but its graph cannot be loaded by Paddle 3's
    new executor (Paddle issue 77340) and its gradient is three times slower on a CPU.
    """
    x = paddle.stack([x] * scale, axis=4).flatten(3, 4)
    return paddle.stack([x] * scale, axis=3).flatten(2, 3)
