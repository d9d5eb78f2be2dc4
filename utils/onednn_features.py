"""What networks do to features besides convolving them, by oneDNN: NHWC, float32, first gradients only."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.onednn_library import (
    BINARY_ADD,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    FORWARD_TRAINING,
    NULL,
    POOLING_MAX,
    SRC,
    SRC_1,
    WEIGHTS,
    WORKSPACE,
    Primitive,
    binary,
    contiguous,
    layout,
    library,
    nchw,
    nhwc,
    reorder,
    size_of,
    sizes,
)
from realesrgan_paddle.utils.onednn_memory import empty

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

    Both are views of one array (N, c, row, column, H, W), the row and the column being those in a large pixel.
    """
    n, channels, height, width = shape
    c, wide = channels // scale**2, width * scale
    dims = (n, c, scale, scale, height, width)
    pixels = layout(dims, (height * width * channels, scale**2, scale, 1, width * channels, channels))
    picture = layout(dims, (channels * height * width, height * scale * wide, wide, 1, scale * wide, scale))
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
        _sum(x.size)[0]({SRC: x.data_ptr(), SRC_1: y.data_ptr(), DST: total.data_ptr()})
        return total

    @staticmethod
    def backward(ctx: Any, total: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and y: two tensors, as Paddle adds to each what comes from elsewhere."""
        dx = dy = contiguous(total)
        if all(ctx.learns):
            dy = empty(dx.shape)
            _sum(dx.size)[1]({SRC: dx.data_ptr(), DST: dy.data_ptr()})
        return dx if ctx.learns[0] else None, dy if ctx.learns[1] else None


@lru_cache(CACHED)
def _prelu(shape: Shape) -> Pair:
    dnnl, x, weight = library(), nhwc(shape), nchw((1, shape[1], 1, 1))
    forward = dnnl.create("dnnl_prelu_forward_primitive_desc_create", dnnl.engine, FORWARD_TRAINING, x, weight, x, NULL)
    backward = dnnl.create(
        "dnnl_prelu_backward_primitive_desc_create", dnnl.engine, x, weight, x, weight, x, forward, NULL
    )
    gradients = {DIFF_SRC: x, DIFF_WEIGHTS: weight, DIFF_DST: x}
    return Primitive(forward, {SRC: x, WEIGHTS: weight, DST: x}), Primitive(
        backward, {SRC: x, WEIGHTS: weight, **gradients}
    )


class PReLULayer(PyLayer):
    """A PReLU with a weight for each channel; apply(x, weight)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Return x where positive and weight * x elsewhere."""
        ctx.learns = not x.stop_gradient, not weight.stop_gradient
        x = contiguous(x)
        y = empty(x.shape)
        _prelu(shape_of(x))[0]({SRC: x.data_ptr(), WEIGHTS: weight.data_ptr(), DST: y.data_ptr()})
        ctx.save_for_backward(x, weight)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and weight; None for what does not learn."""
        x, weight = ctx.saved_tensor()
        dy, dx, dw = contiguous(dy), empty(x.shape), empty(weight.shape)
        gradients = {DIFF_SRC: dx.data_ptr(), DIFF_WEIGHTS: dw.data_ptr(), DIFF_DST: dy.data_ptr()}
        _prelu(shape_of(x))[1]({SRC: x.data_ptr(), WEIGHTS: weight.data_ptr(), **gradients})
        x_learns, weight_learns = ctx.learns
        return dx if x_learns else None, dw if weight_learns else None


@lru_cache(CACHED)
def _max_pooling(shape: Shape) -> Pair:
    dnnl = library()
    n, channels, height, width = shape
    x, y = nhwc(shape), nhwc((n, channels, height // 2, width // 2))
    geometry = [sizes((2, 2)), sizes((2, 2)), *[sizes((0, 0))] * 3]
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
        "dnnl_pooling_backward_primitive_desc_create", dnnl.engine, POOLING_MAX, x, y, *geometry, forward, NULL
    )
    there = Primitive(forward, {SRC: x, DST: y, WORKSPACE: None})
    return there, Primitive(backward, {DIFF_SRC: x, DIFF_DST: y, WORKSPACE: there.layouts[WORKSPACE]})


class MaxPoolLayer(PyLayer):
    """The greatest of each 2 x 2 pixels; apply(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return x (N, H, W, C) as (N, H / 2, W / 2, C), rounded down."""
        x = contiguous(x)
        ctx.shape = n, height, width, channels = x.shape
        forward, ctx.back = _max_pooling(shape_of(x))
        y = empty([n, height // 2, width // 2, channels])
        winners = empty([size_of(forward.layouts[WORKSPACE])], "uint8")
        forward({SRC: x.data_ptr(), DST: y.data_ptr(), WORKSPACE: winners.data_ptr()})
        ctx.save_for_backward(winners)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient of x."""
        (winners,) = ctx.saved_tensor()
        dy, dx = contiguous(dy), empty(ctx.shape)
        ctx.back({DIFF_SRC: dx.data_ptr(), DIFF_DST: dy.data_ptr(), WORKSPACE: winners.data_ptr()})
        return dx
