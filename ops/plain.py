"""The operators that networks are written over, and their plain version, Paddle's own.

A network's forward is written once, over an `Ops`. `ops.choose` decides which
implementation a training run gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import paddle
from paddle import Tensor
from paddle.nn import functional as F

UNIT_EPSILON = 1e-20
"""Added to the squared length of a feature vector before the square root.

LPIPS's authors add 1e-10 to the length instead. Inside the root, the gradient of a zero
vector is 0 rather than NaN.
"""

ConvolutionWeights = tuple[Tensor, Tensor]
"""Weight (out, in, k, k) and bias (out,)."""

UpsampleMode = Literal["nearest", "bilinear"]

DENSE_BLOCK_SLOPE = 0.2
"""Negative slope of the leaky ReLUs in a dense block: ESRGAN, section 3.1."""

DENSE_BLOCK_SCALE = 0.2
"""Residual scaling of a dense block: ESRGAN, section 3.1."""


class Ops(Protocol):
    """Operators on float32 features of N images, C channels, H x W pixels.

    Each implementation has its own memory layout: `enter` converts (N, C, H, W) to it,
    and `leave` converts back. Features in this layout may be added, scaled and compared
    elementwise; everything else goes through these methods.
    """

    def enter(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W) in this layout."""

    def enter_normalized(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return (x - mean) / std in this layout.

        x is (N, C, H, W); `mean` and `std` are (1, C, 1, 1) and get no gradient.
        """

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
        """Return the zero-padded convolution of x, followed by a leaky ReLU.

        A `slope` of 1 means no activation, 0 a plain ReLU.
        """

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y, of equal shapes."""

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """Return x where positive and slope * x elsewhere."""

    def conv_prelu(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """Return the convolution of x (padding 1), followed by a PReLU.

        `slopes` (out,) has the negative slope of each output channel.
        """

    def conv_upsampled(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        mode: UpsampleMode = "nearest",
        slope: float = 1.0,
    ) -> Tensor:
        """Return the 3x3 convolution of x upsampled by 2, followed by a leaky ReLU.

        "bilinear" interpolates between pixel centers (`align_corners=False`).
        """

    def max_pool(self, x: Tensor, window: int = 2) -> Tensor:
        """Return max pooling with stride 2 and no padding, sizes rounded down."""

    def unit_distance(self, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return LPIPS's distance of two features, (N,): the mean over all pixels.

        The channels of each pixel are normalized to a vector of length 1, and the
        squared differences are summed with `weight` (1, C, 1, 1). Only x gets a
        gradient.
        """

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """Return x pixel-shuffled, as (N, C / scale^2, scale * H, scale * W)."""

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return features of one size, concatenated along the channels."""

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """Return (N, C * scale^2, H / scale, W / scale) of x (N, C, H, W).

        Input and output are plain (N, C, H, W) with every implementation.
        """

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """Return x (N, C, H, W), each pixel repeated, as (N, C, scale * H, scale * W).

        Input and output are plain (N, C, H, W) with every implementation.
        """

    def clip(self, x: Tensor, most: float) -> Tensor:
        """Return x (N, C, H, W) with what is beyond -most and most at these bounds.

        Input and output are plain (N, C, H, W) with every implementation.
        """

    def dense_block(
        self,
        x: Tensor,
        convolutions: Sequence[ConvolutionWeights],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Tensor:
        """Return ESRGAN's residual dense block: x + 0.2 * the last convolution.

        Each convolution takes x and all outputs before it. All but the last are
        followed by a leaky ReLU.
        """


@dataclass(frozen=True)
class PlainOps:
    """Paddle's own operators, NCHW: for GPUs, exported graphs and other platforms."""

    def enter(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def enter_normalized(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
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
        y = F.conv2d(x, weight, bias, stride=stride, padding=padding)
        return self.leaky_relu(y, slope)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Ops`."""
        return x + y

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        """See `Ops`."""
        if slope == 1:
            return x
        if slope == 0:
            return F.relu(x)
        return F.leaky_relu(x, slope)

    def conv_prelu(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, slopes: Tensor
    ) -> Tensor:
        """See `Ops`."""
        y = self.conv(x, weight, bias)

        # Only the slopes are trained: everything before them is frozen. Paddle's CPU
        # kernel (2.6.2, 3.3.1) writes its input's gradient even when none is needed,
        # and crashes. So ask for that gradient.
        slopes_only = y.stop_gradient and not slopes.stop_gradient
        if paddle.in_dynamic_mode() and slopes_only:
            y = y.detach()
            y.stop_gradient = False

        return F.prelu(y, slopes)

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
        unit = _unit_vectors(x)
        target_unit = _unit_vectors(target.detach())
        difference = unit - target_unit
        by_pixel = (difference.square() * weight).sum(1)
        return by_pixel.mean([1, 2])

    def pixel_shuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return F.pixel_shuffle(x, scale)

    def concat(self, tensors: Sequence[Tensor]) -> Tensor:
        """See `Ops`."""
        return paddle.concat(list(tensors), 1)

    def pixel_unshuffle(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        # Each reshape leaves one size open (-1), so that an exported graph takes images
        # of any size. Columns first:
        x = x.reshape([0, 0, 0, -1, scale])
        x = x.transpose([0, 1, 3, 4, 2])  # N, C, W', column, H
        # then rows
        x = x.reshape([0, 0, 0, 0, -1, scale])
        x = x.transpose([0, 1, 5, 3, 4, 2])  # N, C, row, column, H', W'
        return x.flatten(1, 3)

    def nearest_upsample(self, x: Tensor, scale: int) -> Tensor:
        """See `Ops`."""
        return nearest_upsample(x, scale)

    def clip(self, x: Tensor, most: float) -> Tensor:
        """See `Ops`."""
        return paddle.clip(x, -most, most)

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
    features = x
    for weight, bias in convolutions[:-1]:
        new = ops.conv(features, weight, bias, slope=slope)
        features = ops.concat([features, new])

    return x + DENSE_BLOCK_SCALE * ops.conv(features, *convolutions[-1])


def _unit_vectors(x: Tensor) -> Tensor:
    """Return x (N, C, H, W) with each pixel's channels scaled to length 1."""
    squared_length = x.square().sum(1, keepdim=True)
    return x * paddle.rsqrt(squared_length + UNIT_EPSILON)


def nearest_upsample(x: Tensor, scale: int) -> Tensor:
    """Return x (N, C, H, W), each pixel repeated, as (N, C, scale * H, scale * W).

    `F.interpolate(scale_factor=...)` gives the same values, but its graph cannot be
    loaded by Paddle 3's new executor (Paddle issue 77340), and its gradient is three
    times slower on a CPU.
    """
    x = paddle.stack([x] * scale, axis=4)
    x = x.flatten(3, 4)  # N, C, H, scale * W
    x = paddle.stack([x] * scale, axis=3)
    return x.flatten(2, 3)
