"""What networks do to features besides convolving them, by oneDNN: NHWC, float32, first gradients only."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.library import (
    BINARY_ADD,
    DIFF_DST,
    DIFF_SRC,
    DST,
    FORWARD_TRAINING,
    NULL,
    POOLING_MAX,
    SRC,
    SRC_1,
    WORKSPACE,
    Primitive,
    array_of,
    binary,
    contiguous,
    count,
    layout,
    library,
    nchw,
    nhwc,
    reorder,
    sizes,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty

CACHED = 256
Pair = tuple[Primitive, Primitive]
"""Forward and backward."""
Shape = tuple[int, int, int, int]
"""(N, C, H, W)."""


def shape_of(x: Tensor) -> Shape:
    """Return the (N, C, H, W) of features x (N, H, W, C)."""
    n, height, width, channels = x.shape
    return n, channels, height, width


@lru_cache(CACHED)
def to_nhwc(shape: Shape) -> Pair:
    """Return the copies of (N, C, H, W) to (N, H, W, C), and back."""
    return reorder(nchw(shape), nhwc(shape)), reorder(nhwc(shape), nchw(shape))


@lru_cache(CACHED)
def shuffle_pixels(shape: Shape, scale: int) -> Pair:
    """Return the copies of (N, H, W, c * scale^2) to (N, c, scale * H, scale * W), and back.

    Both are views of one array (N, c, row, column, H, W), the row and the column being
    those in a large pixel.
    """
    n, channels, height, width = shape
    c, wide = channels // scale**2, width * scale
    dims = (n, c, scale, scale, height, width)
    pixels = layout(
        dims,
        (height * width * channels, scale**2, scale, 1, width * channels, channels),
    )
    picture = layout(
        dims,
        (
            channels * height * width,
            height * scale * wide,
            wide,
            1,
            scale * wide,
            scale,
        ),
    )
    return reorder(pixels, picture), reorder(picture, pixels)


class RearrangeLayer(PyLayer):
    """A copy to another layout; apply(x, the copies there and back, the shape of the result)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, copies: Pair, shape: Sequence[int]) -> Tensor:
        """Return the numbers of x in their new order."""
        there, ctx.back = copies
        ctx.shape = x.shape
        x, y = contiguous(x), empty(shape)
        there({SRC: x.data_ptr(), DST: y.data_ptr()})
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient in the old order."""
        dy, dx = contiguous(dy), empty(ctx.shape)
        ctx.back({SRC: dy.data_ptr(), DST: dx.data_ptr()})
        return dx


@lru_cache(CACHED)
def _sum(elements: int) -> Pair:
    row = layout((elements,), (1,))
    return binary(BINARY_ADD, elements), reorder(row, row)


class SumLayer(PyLayer):
    """The sum of two tensors of one shape; apply(x, y)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y."""
        ctx.learns = not x.stop_gradient, not y.stop_gradient
        x, y, total = contiguous(x), contiguous(y), empty(x.shape)
        _sum(count(x))[0](
            {SRC: x.data_ptr(), SRC_1: y.data_ptr(), DST: total.data_ptr()}
        )
        return total

    @staticmethod
    def backward(ctx: Any, total: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and y: two tensors, as Paddle adds to each what comes from elsewhere."""
        dx = dy = contiguous(total)
        if all(ctx.learns):
            dy = empty(dx.shape)
            _sum(count(dx))[1]({SRC: dx.data_ptr(), DST: dy.data_ptr()})
        return dx if ctx.learns[0] else None, dy if ctx.learns[1] else None


class NormaliseLayer(PyLayer):
    """Channels moved and scaled by constants; apply(x, mean, std).

    By NumPy, for one channel at a time: where Paddle repeats a small operand for a
    large one, it takes ten times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return (x - mean) / std of x (N, C, H, W)."""
        x, y, ctx.std = contiguous(x), empty(x.shape), std.flatten().tolist()
        source, target = array_of(x), array_of(y)
        for i, (a, b) in enumerate(zip(mean.flatten().tolist(), ctx.std, strict=True)):
            np.subtract(source[:, i], a, out=target[:, i])
            target[:, i] /= b
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of x."""
        dy, dx = contiguous(dy), empty(dy.shape)
        source, target = array_of(dy), array_of(dx)
        for i, b in enumerate(ctx.std):
            np.divide(source[:, i], b, out=target[:, i])
        return dx, None, None


@lru_cache(CACHED)
def _max_pooling(shape: Shape, window: int) -> Pair:
    dnnl = library()
    n, channels, height, width = shape
    x, y = (
        nhwc(shape),
        nhwc((n, channels, _pooled(height, window), _pooled(width, window))),
    )
    geometry = [sizes((2, 2)), sizes((window, window)), *[sizes((0, 0))] * 3]
    forward = dnnl.create(
        "dnnl_pooling_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        POOLING_MAX,
        x,
        y,
        *geometry,
        NULL,
    )
    backward = dnnl.create(
        "dnnl_pooling_backward_primitive_desc_create",
        dnnl.engine,
        POOLING_MAX,
        x,
        y,
        *geometry,
        forward,
        NULL,
    )
    there = Primitive(forward, {SRC: x, DST: y, WORKSPACE: None})
    return there, Primitive(
        backward, {DIFF_SRC: x, DIFF_DST: y, WORKSPACE: there.layouts[WORKSPACE]}
    )


def _pooled(size: int, window: int) -> int:
    return (size - window) // 2 + 1


class MaxPoolLayer(PyLayer):
    """The greatest of each window x window pixels, two apart; apply(x, window)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int) -> Tensor:
        """Return x (N, H, W, C) as about (N, H / 2, W / 2, C)."""
        x = contiguous(x)
        ctx.shape = n, height, width, channels = x.shape
        forward, ctx.back = _max_pooling(shape_of(x), window)
        y = empty([n, _pooled(height, window), _pooled(width, window), channels])
        winners = empty([forward.bytes[WORKSPACE]], "uint8")
        forward({SRC: x.data_ptr(), DST: y.data_ptr(), WORKSPACE: winners.data_ptr()})
        ctx.save_for_backward(winners)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient of x."""
        (winners,) = ctx.saved_tensor()
        dy, dx = contiguous(dy), empty(ctx.shape)
        ctx.back(
            {
                DIFF_SRC: dx.data_ptr(),
                DIFF_DST: dy.data_ptr(),
                WORKSPACE: winners.data_ptr(),
            }
        )
        return dx
