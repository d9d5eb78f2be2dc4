"""3x3 convolutions of pictures enlarged by 2, with 4/9 of the multiplications, by oneDNN: NHWC, first gradients only.

Where pixels are repeated, three weights meet two pixels. Along one axis, with weights
w0, w1, w2 and pixels x,

    y[2i] = w0 x[i-1] + (w1 + w2) x[i]        y[2i + 1] = (w0 + w1) x[i] + w2 x[i+1]

which is a transposed convolution of stride 2 with the weights w2, w1 + w2, w0 + w1, w0,
as sums are rounded once more. No picture is enlarged, and none kept for the backward
pass.

Bilinear enlargement repeats pixels (D), then smooths them with B = (1 2 1) / 4, in
which the pixels at the borders count as repeated once more. The convolution is a sum of
shifts S_a times weights w_a, and shifts pixels of zero in. So

    S_0 B D x = B S_0 D x + (-x[0], x[0], 0, 0, ...) / 4        S_1 B = B S_1
    S_2 B D x = B S_2 D x + (..., 0, 0, x[n-1], -x[n-1]) / 4

A picture's convolution is the sum of w_ab S_a along its columns, S_b along its rows.
Put B last in both, and it is the transposed convolution, smoothed. What is left lies on
the two rows and the two columns next to each border: 1/4 of the border's row through
w_0b (below: w_2b) S_b B D, or of its column through w_a0 (on the right: w_a2) B S_a D.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.convolution import (
    describe_forward,
    geometry,
    leaky_relu_after,
    reordered,
    rounded,
)
from realesrgan_paddle.utils.ops.onednn.layers import (
    Pair,
    RearrangeLayer,
    Shape,
    shape_of,
)
from realesrgan_paddle.utils.ops.onednn.leaky_relu import (
    leaky_relu_,
    leaky_relu_gradient,
)
from realesrgan_paddle.utils.ops.onednn.library import (
    BIAS,
    DECONVOLUTION_DIRECT,
    DST,
    FORWARD_TRAINING,
    NULL,
    POOLING_AVERAGE,
    SRC,
    WEIGHTS,
    Primitive,
    any_layout,
    array_of,
    contiguous,
    layout,
    library,
    nchw,
    nhwc,
    reorder,
    sizes,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty, picture
from realesrgan_paddle.utils.ops.onednn.weight_gradients import Kind as StripsKind
from realesrgan_paddle.utils.ops.onednn.weight_gradients import strips

CACHED = 256
SPREAD = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
"""Makes w2, w1 + w2, w0 + w1, w0 of three weights."""


def convolve_enlarged(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float,
    dtype: int,
    *,
    bilinear: bool,
) -> Tensor:
    """Return the convolution of x (N, H, W, C), enlarged, with a weight (out, C, 3, 3): (N, 2 * H, 2 * W, out)."""
    out_ch, in_ch = weight.shape[:2]
    taps = RearrangeLayer.apply(
        weight, _taps_first((out_ch, in_ch, 3, 3)), [3, 3, in_ch, out_ch]
    )
    spread = paddle.to_tensor(np.kron(SPREAD, SPREAD))
    filters = paddle.matmul(spread, taps.reshape([9, -1])).reshape(
        [4, 4, in_ch, out_ch]
    )
    if not bilinear:
        return TransposedLayer.apply(x, filters, bias, slope, dtype, False)
    y, top, bottom, left, right = TransposedLayer.apply(
        x, filters, bias, 1.0, dtype, True
    )
    columns, rows = _lines(x.shape[2], inner=False), _lines(x.shape[1], inner=True)
    across = _line(top, taps[0], columns), _line(bottom, taps[2], columns)
    down = _line(left, taps[:, 0], rows), _line(right, taps[:, 2], rows)
    return SmoothLayer.apply(y, *across, *down, slope)


@lru_cache(CACHED)
def _taps_first(shape: Shape) -> Pair:
    """Return the copies of (out, in, k, k) to (k, k, in, out), and back."""
    out_ch, in_ch, _, size = shape
    plain, taps = nchw(shape), _taps(out_ch, in_ch, size)
    return reorder(plain, taps), reorder(taps, plain)


def _taps(out_ch: int, in_ch: int, size: int) -> Any:
    """Return the layout of weights (out, in, k, k) that lie in memory as (k, k, in, out)."""
    plane = in_ch * out_ch
    return layout((out_ch, in_ch, size, size), (1, out_ch, size * plane, plane))


@lru_cache(CACHED)
def _lines(size: int, *, inner: bool) -> Tensor:
    """Return matrices (1, 2 L, 3 L) for lines of L = `size`: B S_a D (`inner`), else S_a B D, by 1/4, side by side."""
    repeat = np.repeat(np.eye(size), 2, 0)
    smooth = (2 * np.eye(2 * size) + np.eye(2 * size, k=1) + np.eye(2 * size, k=-1)) / 4
    smooth[0, 0] = smooth[-1, -1] = 0.75
    shifts = [np.eye(2 * size, k=k) for k in (-1, 0, 1)]
    found = [
        (smooth @ shift if inner else shift @ smooth) @ repeat / 4 for shift in shifts
    ]
    return paddle.to_tensor(np.concatenate(found, 1).astype(np.float32)[None])


def _line(border: Tensor, taps: Tensor, matrices: Tensor) -> Tensor:
    """Return (N, 2 * L, out), a border's (N, L, C) part in the result, of three taps (3, C, out)."""
    return paddle.matmul(
        matrices, paddle.matmul(border.unsqueeze(1), taps.unsqueeze(0)).flatten(1, 2)
    )


class Kind(NamedTuple):
    """What tells one transposed convolution from another; `shape` is the input's (N, C, H, W)."""

    shape: Shape
    out_ch: int
    slope: float
    has_bias: bool
    dtype: int

    @property
    def out_shape(self) -> Shape:
        """(N, C, H, W) of the output."""
        n, _, height, width = self.shape
        return n, self.out_ch, 2 * height, 2 * width


class Transposed:
    """The primitives of a transposed convolution of 4x4 and stride 2; its gradients are those of convolutions."""

    def __init__(self, kind: Kind) -> None:
        dnnl, dtype, in_ch = library(), kind.dtype, kind.shape[1]
        x, y, y32 = (
            nhwc(kind.shape, dtype),
            nhwc(kind.out_shape, dtype),
            nhwc(kind.out_shape),
        )
        there, back = (kind.out_ch, in_ch, 4, 4), (in_ch, kind.out_ch, 4, 4)
        bias = layout((kind.out_ch,), (1,)) if kind.has_bias else NULL
        forward = dnnl.create(
            "dnnl_deconvolution_forward_primitive_desc_create",
            dnnl.engine,
            FORWARD_TRAINING,
            DECONVOLUTION_DIRECT,
            x,
            any_layout(there, dtype),
            bias,
            y32,
            *geometry(2),
            leaky_relu_after(kind.slope),
        )
        biases = {BIAS: bias} if kind.has_bias else {}
        self.forward = Primitive(forward, {SRC: x, WEIGHTS: None, DST: y32, **biases})
        x32 = nhwc(kind.shape)
        backward_data = describe_forward(y, any_layout(back, dtype), NULL, x32, 2)
        self.backward_data = Primitive(backward_data, {SRC: y, WEIGHTS: None, DST: x32})
        self.backward_weights = strips(
            StripsKind(kind.out_shape, kind.shape, 4, 2, 1, False, dtype)
        )

        plane = in_ch * kind.out_ch
        taps = layout(back, (kind.out_ch, 1, 4 * plane, plane))
        self.weight_to_forward = reorder(
            _taps(kind.out_ch, in_ch, 4), self.forward.layouts[WEIGHTS]
        )
        self.weight_to_backward = reorder(taps, self.backward_data.layouts[WEIGHTS])
        self.weight_gradient = reorder(self.backward_weights.weight, taps)


@lru_cache(CACHED)
def _transposed(kind: Kind) -> Transposed:
    return Transposed(kind)


class TransposedLayer(PyLayer):
    """A transposed convolution; apply(x, filters (4, 4, in, out), bias or None, slope, dtype, borders wanted)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        filters: Tensor,
        bias: Tensor | None,
        slope: float,
        dtype: int,
        borders: bool,
    ) -> Tensor | tuple[Tensor, ...]:
        """Return y (N, 2 * H, 2 * W, out), with the top and bottom rows of x, its left and right columns if wanted."""
        kind = Kind(shape_of(x), filters.shape[3], slope, bias is not None, dtype)
        primitives, x = _transposed(kind), contiguous(x)
        ctx.kind, ctx.learns = (
            kind,
            [
                tensor is not None and not tensor.stop_gradient
                for tensor in (x, filters, bias)
            ],
        )
        n, channels, height, width = kind.out_shape
        y, seen = empty([n, height, width, channels]), rounded(x, dtype)
        addresses = {SRC: seen.data_ptr(), DST: y.data_ptr()}
        if bias is not None:
            addresses[BIAS] = bias.data_ptr()
        weight = reordered(primitives.weight_to_forward, filters)
        primitives.forward({**addresses, WEIGHTS: weight.data_ptr()})
        ctx.save_for_backward(
            seen if ctx.learns[1] else None, filters, y if slope != 1 else None
        )
        return (y, *(paddle.to_tensor(edge) for edge in _edges(x))) if borders else y

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *borders: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, filters and bias; None for what does not learn."""
        x, filters, y = ctx.saved_tensor()
        kind, primitives, dy = ctx.kind, _transposed(ctx.kind), contiguous(dy)
        if kind.slope != 1:
            dy = leaky_relu_gradient(y, dy, kind.slope)
        db = (
            paddle.matmul(paddle.ones([1, dy.size // kind.out_ch]), dy.flatten(0, 2))[0]
            if ctx.learns[2]
            else None
        )
        dy, dx, dw = rounded(dy, kind.dtype), None, None
        if ctx.learns[0]:
            n, channels, height, width = kind.shape
            dx, weight = (
                empty([n, height, width, channels]),
                reordered(primitives.weight_to_backward, filters),
            )
            primitives.backward_data(
                {SRC: dy.data_ptr(), WEIGHTS: weight.data_ptr(), DST: dx.data_ptr()}
            )
            for edge, border in zip(_edges(dx), borders, strict=False):
                edge += array_of(contiguous(border))
        if ctx.learns[1]:
            dw, (blocked, _) = empty(filters.shape), primitives.backward_weights(dy, x)
            primitives.weight_gradient({SRC: blocked.data_ptr(), DST: dw.data_ptr()})
        return (dx, dw, db) if kind.has_bias else (dx, dw)


def _edges(x: Tensor) -> tuple[np.ndarray, ...]:
    """Return the first and the last row of x (N, H, W, C), its first and last column; they share its memory."""
    pixels = array_of(x)
    return pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]


class SmoothLayer(PyLayer):
    """What a bilinear enlargement has after the convolution; apply(x, top, bottom, left, right, slope)."""

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
        """Return x (N, H, W, C), smoothed, with the borders' parts, through a leaky ReLU."""
        y = _smoothed(x)
        rows = array_of(y)
        for lines, first, last in (
            (rows, top, bottom),
            (rows.swapaxes(1, 2), left, right),
        ):
            first, last = array_of(contiguous(first)), array_of(contiguous(last))
            lines[:, 0] -= first
            lines[:, 1] += first
            lines[:, -1] -= last
            lines[:, -2] += last
        leaky_relu_(y, slope)
        ctx.slope = slope
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of x and the borders' parts."""
        (y,) = ctx.saved_tensor()
        dy = leaky_relu_gradient(y, contiguous(dy), ctx.slope)
        rows = array_of(dy)
        columns = rows.swapaxes(1, 2)
        borders = [
            lines[:, i + j] - lines[:, i]
            for lines in (rows, columns)
            for i, j in ((0, 1), (-1, -1))
        ]
        return _smoothed(dy), *(paddle.to_tensor(border) for border in borders)


def _smoothed(x: Tensor) -> Tensor:
    """Return x (N, H, W, C) smoothed along both axes, by the means of two pixels, taken twice."""
    n, height, width, channels = x.shape
    middle, y = empty([height + 1, width + 1, channels]), empty(x.shape)
    between, back = _means((1, channels, height, width))
    for i in range(n):
        between({SRC: picture(x, i), DST: middle.data_ptr()})
        back({SRC: middle.data_ptr(), DST: picture(y, i)})
    return y


@lru_cache(CACHED)
def _means(shape: Shape) -> Pair:
    """Return the means of each 2 x 2 pixels, at the border of those that are there; and the same of these, inside."""
    n, channels, height, width = shape
    x, between = nhwc(shape), nhwc((n, channels, height + 1, width + 1))
    dnnl, made = library(), []
    for source, target, padding in ((x, between, 1), (between, x, 0)):
        geometry_of = [
            sizes((1, 1)),
            sizes((2, 2)),
            sizes((0, 0)),
            *[sizes((padding, padding))] * 2,
        ]
        description = dnnl.create(
            "dnnl_pooling_forward_primitive_desc_create",
            dnnl.engine,
            FORWARD_TRAINING,
            POOLING_AVERAGE,
            source,
            target,
            *geometry_of,
            NULL,
        )
        made.append(Primitive(description, {SRC: source, DST: target}))
    return made[0], made[1]
