"""3x3 convolutions of images upsampled by 2, with 4/9 of the multiplications.

By oneDNN: NHWC features, first gradients only.

Nearest-neighbor upsampling repeats pixels, so three weights meet only two different
pixels. Along one axis, with weights w0, w1, w2 and pixels x,

    y[2i] = w0 x[i-1] + (w1 + w2) x[i]        y[2i + 1] = (w0 + w1) x[i] + w2 x[i+1]

This is a transposed convolution of stride 2 with the weights w2, w1 + w2, w0 + w1, w0,
up to the rounding of the sums. The upsampled image is neither computed nor kept for the
backward pass.

Bilinear upsampling is nearest-neighbor upsampling (D), followed by a blur with B = (1 2
1) / 4, for which the border pixels are repeated once more. The convolution is a sum of
shifts S_a times weights w_a, where shifts insert zeros. So

    S_0 B D x = B S_0 D x + (-x[0], x[0], 0, 0, ...) / 4        S_1 B = B S_1
    S_2 B D x = B S_2 D x + (..., 0, 0, x[n-1], -x[n-1]) / 4

In two dimensions the convolution is the sum of w_ab S_a along the columns, S_b along
the rows. With B last on both axes, it is the blurred transposed convolution, plus a
correction on the two rows or columns next to each border: 1/4 of the border's row
through w_0b (at the bottom w_2b) S_b B D, or of its column through w_a0 (on the right
w_a2) B S_a D.
"""

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.convolutions import (
    describe_convolution,
    leaky_relu,
    post_operations,
)
from realesrgan_paddle.ops.onednn.library import BIAS, DST, NULL, SRC, WEIGHTS
from realesrgan_paddle.ops.onednn.primitives import (
    Primitive,
    Shape,
    any_layout,
    flat,
    layout,
    nchw,
    nhwc,
    reorder,
)
from realesrgan_paddle.ops.training.activations import leaky_relu_gradient
from realesrgan_paddle.ops.training.convolution import reordered, rounded
from realesrgan_paddle.ops.training.layers import (
    BlurLayer,
    CopyPair,
    RearrangeLayer,
    shape_of,
)
from realesrgan_paddle.ops.training.tensor_memory import array_of, contiguous, empty
from realesrgan_paddle.ops.training.weight_gradients import (
    ConvolutionSpec,
    weight_gradient_by_strips,
)

CACHE_SIZE = 256
"""Shapes whose primitives or matrices are kept."""

THREE_TO_FOUR = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
"""Maps three weights to w2, w1 + w2, w0 + w1, w0."""


def convolve_upsampled(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    slope: float,
    dtype: int,
    *,
    bilinear: bool,
) -> Tensor:
    """Return the convolution of x (N, H, W, C), upsampled, with a leaky ReLU.

    The weight is (out, C, 3, 3), the result (N, 2 * H, 2 * W, out).
    """
    out_ch, in_ch, _, _ = weight.shape
    taps_first = _taps_first((out_ch, in_ch, 3, 3))
    taps = RearrangeLayer.apply(weight, taps_first, [3, 3, in_ch, out_ch])

    filters = paddle.matmul(_weight_map(), taps.reshape([9, -1]))
    filters = filters.reshape([4, 4, in_ch, out_ch])
    if not bilinear:
        return TransposedConvolutionLayer.apply(x, filters, bias, slope, dtype, False)

    y, top, bottom, left, right = TransposedConvolutionLayer.apply(
        x, filters, bias, 1.0, dtype, True
    )
    _, height, width, _ = x.shape
    rows = _border_matrices(width, shift_first=False)
    columns = _border_matrices(height, shift_first=True)
    return BlurLayer.apply(
        y,
        _border_correction(top, taps[0], rows),
        _border_correction(bottom, taps[2], rows),
        _border_correction(left, taps[:, 0], columns),
        _border_correction(right, taps[:, 2], columns),
        slope,
    )


@cache
def _weight_map() -> Tensor:
    """Return (16, 9): maps the taps of a 3x3 weight to those of the 4x4 weight."""
    return paddle.to_tensor(np.kron(THREE_TO_FOUR, THREE_TO_FOUR))


@lru_cache(CACHE_SIZE)
def _taps_first(shape: Shape) -> CopyPair:
    """Return the copies of (out, in, k, k) to (k, k, in, out), and back."""
    out_ch, in_ch, kernel_size, _ = shape
    channels_first = nchw(shape)
    taps_first = _taps_layout(out_ch, in_ch, kernel_size)
    there = reorder(channels_first, taps_first)
    back = reorder(taps_first, channels_first)
    return there, back


def _taps_layout(out_ch: int, in_ch: int, kernel_size: int) -> Any:
    """Return the layout of weights (out, in, k, k) that lie as (k, k, in, out)."""
    tap = in_ch * out_ch
    shape = (out_ch, in_ch, kernel_size, kernel_size)
    strides = (1, out_ch, kernel_size * tap, tap)
    return layout(shape, strides)


@lru_cache(CACHE_SIZE)
def _border_matrices(size: int, *, shift_first: bool) -> Tensor:
    """Return (1, 2 * size, 3 * size), for a border of `size` pixels.

    These are three matrices side by side: B S_a D / 4 if `shift_first`, else S_a B D /
    4, for a = 0, 1, 2.
    """
    out_size = 2 * size
    repeat = np.repeat(np.eye(size), 2, 0)

    same = np.eye(out_size)
    before = np.eye(out_size, k=-1)
    after = np.eye(out_size, k=1)
    blur = (2 * same + after + before) / 4
    blur[0, 0] = blur[-1, -1] = 0.75  # a border pixel is repeated once more

    matrices = []
    for shift in (before, same, after):
        shift_and_blur = blur @ shift if shift_first else shift @ blur
        matrices.append(shift_and_blur @ repeat / 4)

    side_by_side = np.concatenate(matrices, 1).astype(np.float32)
    return paddle.to_tensor(side_by_side[None])


def _border_correction(border: Tensor, taps: Tensor, matrices: Tensor) -> Tensor:
    """Return the correction (N, 2 * L, out) next to a border (N, L, C).

    `taps` (3, C, out) are those that meet the border.
    """
    border = border.unsqueeze(1)
    taps = taps.unsqueeze(0)
    weighted = paddle.matmul(border, taps).flatten(1, 2)
    return paddle.matmul(matrices, weighted)


class TransposedConvolutionSpec(NamedTuple):
    """What identifies the primitives; `shape` is the input's (N, C, H, W)."""

    shape: Shape
    out_ch: int
    slope: float
    has_bias: bool
    dtype: int

    @property
    def out_shape(self) -> Shape:
        """(N, C, H, W) of the output."""
        n, _, height, width = self.shape
        out_height = 2 * height
        out_width = 2 * width
        return n, self.out_ch, out_height, out_width


class TransposedConvolution:
    """The primitives of a transposed 4x4 convolution of stride 2.

    Its gradients are those of a convolution from its output to its input.
    """

    def __init__(self, spec: TransposedConvolutionSpec) -> None:
        dtype, out_ch = spec.dtype, spec.out_ch
        in_ch = spec.shape[1]
        x, x_f32 = nhwc(spec.shape, dtype), nhwc(spec.shape)
        y, y_f32 = nhwc(spec.out_shape, dtype), nhwc(spec.out_shape)

        self.forward = _transposed_forward(spec, x, y_f32)
        weight_shape = (in_ch, out_ch, 4, 4)
        description = describe_convolution(
            y, any_layout(weight_shape, dtype), NULL, x_f32, stride=2
        )
        self.backward_data = Primitive(description, {SRC: y, WEIGHTS: None, DST: x_f32})
        self.backward_weights = weight_gradient_by_strips(
            ConvolutionSpec(
                spec.out_shape, in_ch, 4, stride=2, has_bias=False, dtype=dtype
            )
        )

        # the weights (4, 4, in, out), seen as those of each direction
        forward_weight = _taps_layout(out_ch, in_ch, 4)
        tap = in_ch * out_ch
        backward_weight = layout(weight_shape, (out_ch, 1, 4 * tap, tap))

        self.weight_to_forward = reorder(forward_weight, self.forward.layouts[WEIGHTS])
        self.weight_to_backward = reorder(
            backward_weight, self.backward_data.layouts[WEIGHTS]
        )
        self.weight_gradient = reorder(self.backward_weights.weight, backward_weight)


def _transposed_forward(spec: TransposedConvolutionSpec, x: Any, y: Any) -> Primitive:
    weight = any_layout((spec.out_ch, spec.shape[1], 4, 4), spec.dtype)
    bias = flat(spec.out_ch) if spec.has_bias else NULL
    activation = post_operations(leaky_relu(spec.slope))
    description = describe_convolution(
        x, weight, bias, y, stride=2, attributes=activation, transposed=True
    )
    biases = {BIAS: bias} if spec.has_bias else {}
    return Primitive(description, {SRC: x, WEIGHTS: None, DST: y, **biases})


@lru_cache(CACHE_SIZE)
def _transposed_convolution(spec: TransposedConvolutionSpec) -> TransposedConvolution:
    return TransposedConvolution(spec)


class TransposedConvolutionLayer(PyLayer):
    """A transposed 4x4 convolution of stride 2.

    apply(x, filters (4, 4, in, out), bias or None, slope, dtype, with_borders)
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        filters: Tensor,
        bias: Tensor | None,
        slope: float,
        dtype: int,
        with_borders: bool,
    ) -> Tensor | tuple[Tensor, ...]:
        """Return y (N, 2 * H, 2 * W, out).

        If `with_borders`, followed by the top and the bottom row of x, its left and its
        right column.
        """
        out_ch = filters.shape[3]
        spec = TransposedConvolutionSpec(
            shape_of(x), out_ch, slope, bias is not None, dtype
        )
        ctx.spec = spec
        ctx.learns = [
            tensor is not None and not tensor.stop_gradient
            for tensor in (x, filters, bias)
        ]

        x = contiguous(x)
        rounded_x = rounded(x, dtype)
        primitives = _transposed_convolution(spec)
        weight = reordered(primitives.weight_to_forward, filters)
        n, channels, height, width = spec.out_shape
        y = empty([n, height, width, channels])

        addresses = {
            SRC: rounded_x.data_ptr(),
            WEIGHTS: weight.data_ptr(),
            DST: y.data_ptr(),
        }
        if bias is not None:
            addresses[BIAS] = bias.data_ptr()
        primitives.forward(addresses)

        _, filters_learn, _ = ctx.learns
        kept_x = rounded_x if filters_learn else None
        kept_y = y if slope != 1 else None
        ctx.save_for_backward(kept_x, filters, kept_y)

        if not with_borders:
            return y
        borders = [paddle.to_tensor(border) for border in _borders(x)]
        return (y, *borders)

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *dborders: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, filters and bias, None for a frozen one."""
        x, filters, y = ctx.saved_tensor()
        spec = ctx.spec
        x_learns, filters_learn, bias_learns = ctx.learns
        dx = dfilters = dbias = None

        dy = contiguous(dy)
        if spec.slope != 1:
            dy = leaky_relu_gradient(y, dy, spec.slope)
        if bias_learns:
            dbias = _sum_over_pixels(dy)

        dy = rounded(dy, spec.dtype)
        if x_learns:
            dx = _input_gradient(spec, dy, filters)
            for border, dborder in zip(_borders(dx), dborders, strict=False):
                border += array_of(contiguous(dborder))
        if filters_learn:
            dfilters = empty(filters.shape)
            primitives = _transposed_convolution(spec)
            in_their_layout, _ = primitives.backward_weights(dy, x)
            primitives.weight_gradient(in_their_layout.data_ptr(), dfilters.data_ptr())

        return (dx, dfilters, dbias) if spec.has_bias else (dx, dfilters)


def _sum_over_pixels(x: Tensor) -> Tensor:
    """Return (C,): a matrix product with ones, faster than Paddle's sum of NHWC."""
    pixels = x.flatten(0, 2)
    ones = paddle.ones([1, pixels.shape[0]])
    return paddle.matmul(ones, pixels)[0]


def _input_gradient(
    spec: TransposedConvolutionSpec, dy: Tensor, filters: Tensor
) -> Tensor:
    primitives = _transposed_convolution(spec)
    weight = reordered(primitives.weight_to_backward, filters)
    n, channels, height, width = spec.shape
    dx = empty([n, height, width, channels])

    primitives.backward_data(
        {SRC: dy.data_ptr(), WEIGHTS: weight.data_ptr(), DST: dx.data_ptr()}
    )
    return dx


def _borders(x: Tensor) -> list[np.ndarray]:
    """Return the top and bottom row, left and right column of x (N, H, W, C).

    The arrays share the memory of x.
    """
    pixels = array_of(x)
    top = pixels[:, 0]
    bottom = pixels[:, -1]
    left = pixels[:, :, 0]
    right = pixels[:, :, -1]
    return [top, bottom, left, right]
