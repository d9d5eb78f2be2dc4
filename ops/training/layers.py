"""Layers other than convolutions and activations, by oneDNN or NumPy.

Features are NHWC, float32; first gradients only.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.library import (
    DIFF_DST,
    DIFF_SRC,
    DST,
    FORWARD_TRAINING,
    NULL,
    POOLING_AVERAGE,
    POOLING_MAX,
    SRC,
    WORKSPACE,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Addition,
    Copy,
    Primitive,
    Shape,
    addition,
    flat,
    layout,
    nchw,
    nhwc,
    reorder,
    sizes,
)
from realesrgan_paddle.ops.training.activations import (
    leaky_relu_gradient,
    leaky_relu_in_place,
)
from realesrgan_paddle.ops.training.tensor_memory import (
    array_of,
    contiguous,
    count,
    empty,
    image_address,
)

CACHE_SIZE = 256
"""Shapes whose primitives are kept, of each type of primitive."""

PrimitivePair = tuple[Primitive, Primitive]
"""Forward and backward."""

CopyPair = tuple[Copy, Copy]
"""There and back."""


def shape_of(x: Tensor) -> Shape:
    """Return the (N, C, H, W) of features x (N, H, W, C)."""
    n, height, width, channels = x.shape
    return n, channels, height, width


@lru_cache(CACHE_SIZE)
def to_nhwc(shape: Shape) -> CopyPair:
    """Return the copies of (N, C, H, W) to (N, H, W, C), and back."""
    channels_first = nchw(shape)
    channels_last = nhwc(shape)
    there = reorder(channels_first, channels_last)
    back = reorder(channels_last, channels_first)
    return there, back


@lru_cache(CACHE_SIZE)
def shuffle_pixels(shape: Shape, scale: int) -> CopyPair:
    """Return the copies of (N, H, W, c * scale^2) to (N, c, scale * H, scale * W).

    The second one copies back. Both memories are views of one array (N, c, row, column,
    H, W); row and column are those within a pixel of the input.
    """
    n, channels, height, width = shape
    out_ch = channels // scale**2
    out_width = scale * width
    image = channels * height * width
    view = (n, out_ch, scale, scale, height, width)

    pixels = layout(
        view,
        (image, scale**2, scale, 1, width * channels, channels),
    )
    shuffled = layout(
        view,
        (image, height * scale * out_width, out_width, 1, scale * out_width, scale),
    )
    return reorder(pixels, shuffled), reorder(shuffled, pixels)


class RearrangeLayer(PyLayer):
    """A copy to another layout: apply(x, copies there and back, result's shape)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, copies: CopyPair, shape: Sequence[int]) -> Tensor:
        """Return the elements of x in the new layout."""
        copy, ctx.copy_back = copies
        ctx.shape = x.shape

        x = contiguous(x)
        y = empty(shape)
        copy(x.data_ptr(), y.data_ptr())
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient in the layout of x."""
        dy = contiguous(dy)
        dx = empty(ctx.shape)
        ctx.copy_back(dy.data_ptr(), dx.data_ptr())
        return dx


@lru_cache(CACHE_SIZE)
def _addition(elements: int) -> Addition:
    return addition(elements)


@lru_cache(CACHE_SIZE)
def _copy(elements: int) -> Copy:
    return reorder(flat(elements), flat(elements))


class SumLayer(PyLayer):
    """The sum of two tensors of one shape: apply(x, y)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y."""
        ctx.learns = (not x.stop_gradient, not y.stop_gradient)

        x = contiguous(x)
        y = contiguous(y)
        total = empty(x.shape)

        add = _addition(count(x))
        add(x.data_ptr(), y.data_ptr(), total.data_ptr())
        return total

    @staticmethod
    def backward(ctx: Any, dtotal: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and y, None for a frozen one."""
        x_learns, y_learns = ctx.learns
        dx = dy = contiguous(dtotal)

        # Two tensors: Paddle accumulates other gradients into each of them, in place.
        if x_learns and y_learns:
            dy = empty(dx.shape)
            copy = _copy(count(dx))
            copy(dx.data_ptr(), dy.data_ptr())

        return dx if x_learns else None, dy if y_learns else None


class NormalizeLayer(PyLayer):
    """Channels shifted and scaled by constants: apply(x, mean, std).

    By NumPy, one channel at a time: Paddle takes ten times as long to broadcast a small
    operand.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return (x - mean) / std of x (N, C, H, W)."""
        means = mean.flatten().tolist()
        ctx.stds = std.flatten().tolist()

        x = contiguous(x)
        y = empty(x.shape)
        source = array_of(x)
        target = array_of(y)
        for i, (channel_mean, channel_std) in enumerate(
            zip(means, ctx.stds, strict=True)
        ):
            channel = target[:, i]
            np.subtract(source[:, i], channel_mean, out=channel)
            channel /= channel_std
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of x."""
        dy = contiguous(dy)
        dx = empty(dy.shape)
        source = array_of(dy)
        target = array_of(dx)
        for i, channel_std in enumerate(ctx.stds):
            np.divide(source[:, i], channel_std, out=target[:, i])
        return dx, None, None


def _pooling_geometry(window: int, stride: int, padding: int) -> list[Any]:
    """Return strides, window, dilation and padding on both sides."""
    pads = sizes((padding, padding))
    return [
        sizes((stride, stride)),
        sizes((window, window)),
        sizes((0, 0)),
        pads,
        pads,
    ]


@lru_cache(CACHE_SIZE)
def _max_pooling(shape: Shape, out_shape: Shape, window: int) -> PrimitivePair:
    """Return forward and backward of max pooling with stride 2."""
    dnnl = library()
    x = nhwc(shape)
    y = nhwc(out_shape)
    geometry = _pooling_geometry(window, stride=2, padding=0)

    description = dnnl.create(
        "dnnl_pooling_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        POOLING_MAX,
        x,
        y,
        *geometry,
        NULL,
    )
    forward = Primitive(description, {SRC: x, DST: y, WORKSPACE: None})

    description = dnnl.create(
        "dnnl_pooling_backward_primitive_desc_create",
        dnnl.engine,
        POOLING_MAX,
        x,
        y,
        *geometry,
        forward.description,
        NULL,
    )
    workspace = forward.layouts[WORKSPACE]
    backward = Primitive(description, {DIFF_SRC: x, DIFF_DST: y, WORKSPACE: workspace})
    return forward, backward


class MaxPoolLayer(PyLayer):
    """Max pooling with stride 2 and no padding: apply(x, window)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int) -> Tensor:
        """Return x (N, H, W, C) pooled, sizes rounded down."""
        x = contiguous(x)
        n, height, width, channels = ctx.shape = x.shape
        out_height = (height - window) // 2 + 1
        out_width = (width - window) // 2 + 1

        forward, ctx.pool_back = _max_pooling(
            (n, channels, height, width), (n, channels, out_height, out_width), window
        )
        y = empty([n, out_height, out_width, channels])
        winners = empty([forward.bytes[WORKSPACE]], "uint8")
        forward({SRC: x.data_ptr(), DST: y.data_ptr(), WORKSPACE: winners.data_ptr()})

        ctx.save_for_backward(winners)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient of x."""
        (winners,) = ctx.saved_tensor()
        dy = contiguous(dy)
        dx = empty(ctx.shape)
        ctx.pool_back(
            {
                DIFF_SRC: dx.data_ptr(),
                DIFF_DST: dy.data_ptr(),
                WORKSPACE: winners.data_ptr(),
            }
        )
        return dx


class BlurLayer(PyLayer):
    """What comes last in a bilinearly upsampled convolution: blur, correct, activate.

    apply(x, top, bottom, left, right, slope), with the four border corrections;
    `upsampled_convolution` derives them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        top: Tensor,
        bottom: Tensor,
        left: Tensor,
        right: Tensor,
        slope: float,
    ) -> Tensor:
        """Return x (N, H, W, C), blurred and corrected, through a leaky ReLU."""
        y = _blurred(x)
        rows = array_of(y)
        columns = rows.swapaxes(1, 2)
        for lines, begin, end in ((rows, top, bottom), (columns, left, right)):
            begin_array = array_of(contiguous(begin))
            lines[:, 0] -= begin_array
            lines[:, 1] += begin_array
            end_array = array_of(contiguous(end))
            lines[:, -1] -= end_array
            lines[:, -2] += end_array

        leaky_relu_in_place(y, slope)
        ctx.slope = slope
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of x and of the four border corrections."""
        (y,) = ctx.saved_tensor()
        dy = leaky_relu_gradient(y, contiguous(dy), ctx.slope)

        rows = array_of(dy)
        columns = rows.swapaxes(1, 2)
        gradients = []
        for lines in (rows, columns):
            gradients.append(lines[:, 1] - lines[:, 0])
            gradients.append(lines[:, -2] - lines[:, -1])

        dx = _blurred(dy)
        dborders = [paddle.to_tensor(gradient) for gradient in gradients]
        return (dx, *dborders)


def _blurred(x: Tensor) -> Tensor:
    """Return x (N, H, W, C) blurred along both axes, as 2x2 averages taken twice."""
    n, height, width, channels = x.shape
    average, average_again = _averages((1, channels, height, width))
    between = empty([height + 1, width + 1, channels])
    y = empty(x.shape)

    for i in range(n):
        average({SRC: image_address(x, i), DST: between.data_ptr()})
        average_again({SRC: between.data_ptr(), DST: image_address(y, i)})
    return y


@lru_cache(CACHE_SIZE)
def _averages(shape: Shape) -> PrimitivePair:
    """Return the 2x2 averages of one image, and the 2x2 averages of those.

    The first ones include the border pixels' averages with themselves, so the result
    has the image's size again.
    """
    n, channels, height, width = shape
    x = nhwc(shape)
    between = nhwc((n, channels, height + 1, width + 1))
    average = _average_pooling(x, between, padding=1)
    average_again = _average_pooling(between, x, padding=0)
    return average, average_again


def _average_pooling(x: Any, y: Any, padding: int) -> Primitive:
    """Return the primitive that averages each 2 x 2 pixels of x, with stride 1.

    At the border the pixels that exist are averaged; x and y are layouts.
    """
    dnnl = library()
    description = dnnl.create(
        "dnnl_pooling_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        POOLING_AVERAGE,
        x,
        y,
        *_pooling_geometry(window=2, stride=1, padding=padding),
        NULL,
    )
    return Primitive(description, {SRC: x, DST: y})
