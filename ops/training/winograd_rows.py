"""3x3 convolutions with a third fewer multiplications, by oneDNN, in float32.

This is Winograd's minimal filtering F(2, 3), of rows: Lavin and Gray 2016, "Fast
Algorithms for Convolutional Neural Networks", section 4.1. It makes two outputs of
three weights with four multiplications instead of six. Here it is used along the height
only, and a "multiplication" is a 1x3 convolution of whole rows. With the input rows
d0..d3 and the weight rows w0, w1, w2, two output rows are

    y0 = d0 w0 + d1 w1 + d2 w2 = (d0 - d2) w0 + (s + t) / 2
    y1 = d1 w0 + d2 w1 + d3 w2 = (d3 - d1) w2 + (s - t) / 2

    s = (d1 + d2) (w0 + w1 + w2)        t = (d2 - d1) (w0 - w1 + w2)

A convolution's gradients have the same form. The additional rounding of the sums is
1e-6 of the result.

This module has the four convolutions of a strip, which is some pairs of rows of an
image. Its callers split images into even and odd rows and compute the transformed rows
d0 - d2, d1 + d2, d2 - d1, d3 - d1.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from paddle import Tensor

from realesrgan_paddle.ops.onednn.convolutions import (
    describe_backward_weights,
    describe_convolution,
    leaky_relu,
    minus,
    operands,
    plus,
    post_operations,
    times,
)
from realesrgan_paddle.ops.onednn.library import (
    BIAS,
    BINARY_ADD,
    BINARY_SUB,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_WEIGHTS,
    DST,
    NULL,
    SRC,
    WEIGHTS,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Primitive,
    any_layout,
    binary,
    blocked,
    flat,
    implementation,
    layout,
    nhwc,
    reorder,
    size_of,
)
from realesrgan_paddle.ops.training.tensor_memory import empty

PADDING = (0, 1)
"""Columns only: rows outside the image are zeros in d0 and d3."""


class RowFilterSpec(NamedTuple):
    """What identifies the convolutions of a strip."""

    pairs: int
    """Pairs of an even and an odd row in a strip."""
    width: int
    in_ch: int
    out_ch: int
    slope: float = 1.0
    has_bias: bool = True
    in_blocks: bool = False
    """Whether features are blocked rather than NHWC."""

    def features(self, channels: int) -> Any:
        """Return the layout of a strip's even rows, or its odd ones."""
        shape = (1, channels, self.pairs, self.width)
        return blocked(shape) if self.in_blocks else nhwc(shape)


class StripRows(NamedTuple):
    """Addresses of a strip's transformed rows, and of its even and odd rows."""

    transformed: Sequence[int]
    """d0 - d2, d1 + d2, d2 - d1, d3 - d1."""
    even: int
    odd: int


class RowFilter:
    """The four convolutions that make the even and odd rows of a strip.

    Args:
        spec: the convolution's.
        transposed: whether this is the gradient of the input of a convolution, whose
            weight is (in, out, 3, 3); NHWC only.
        strides: distance in elements of two outputs, and of two inputs, in the weight;
            default: those of (out, in, 3, 3), or (in, out, 3, 3) if transposed.

    Attributes:
        implementation: name of oneDNN's implementation.
        strip_bytes: size of the even (or odd) rows of the output.
    """

    def __init__(
        self,
        spec: RowFilterSpec,
        *,
        transposed: bool = False,
        strides: tuple[int, int] | None = None,
    ) -> None:
        self.transposed = transposed
        self.strip_bytes = 4 * spec.pairs * spec.width * spec.out_ch
        if strides is None:
            strides = (9, spec.out_ch * 9) if transposed else (spec.in_ch * 9, 9)

        # s / 2 and t / 2
        x, y = spec.features(spec.in_ch), spec.features(spec.out_ch)
        describe = partial(describe_convolution, padding=PADDING, transposed=transposed)
        shape = (spec.out_ch, spec.in_ch, 1, 3)
        half = post_operations([times(0.5)])
        description = describe(x, any_layout(shape), NULL, y, attributes=half)
        self.implementation = implementation(description)
        self.half = Primitive(description, {SRC: x, WEIGHTS: None, DST: y})
        weight = self.half.layouts[WEIGHTS]

        # the results: a convolution, plus s / 2, plus or minus t / 2
        bias = flat(spec.out_ch) if spec.has_bias else NULL
        biases = {BIAS: bias} if spec.has_bias else {}
        activation = leaky_relu(spec.slope)
        after_even = [plus(), plus(), *activation]
        after_odd = [plus(), minus(), *activation]
        self.halves = operands(after_even)
        memories = {SRC: x, WEIGHTS: weight, DST: y, **biases}
        memories.update(dict.fromkeys(self.halves, y))

        attributes = post_operations(after_even, [y, y])
        description = describe(x, weight, bias, y, attributes=attributes)
        self.even = Primitive(description, memories)
        attributes = post_operations(after_odd, [y, y])
        description = describe(x, weight, bias, y, attributes=attributes)
        self.odd = Primitive(description, memories)

        # the transformation of the weight
        self.copy_row = reorder(layout(shape, (*strides, 3, 1)), weight)
        self.weight_bytes = size_of(weight)
        elements = self.weight_bytes // 4
        self.add = binary(BINARY_ADD, elements)
        self.subtract = binary(BINARY_SUB, elements)

    def transformed(self, weight: int) -> Tensor:
        """Return w0, w0 + w1 + w2, w0 - w1 + w2, w2 of the weight at an address."""
        size = self.weight_bytes
        out = empty([5 * size], "uint8")
        begin = out.data_ptr()
        w0, plus, minus, w2, w1 = range(begin, begin + 5 * size, size)

        # A transposed convolution applies the rows in reverse.
        rows = (w2, w1, w0) if self.transposed else (w0, w1, w2)
        for row in rows:
            self.copy_row(weight, row)
            weight += 4 * 3  # to the next row of 3 weights

        self.add(w0, w2, plus)
        self.subtract(plus, w1, minus)
        self.add(plus, w1, plus)
        return out

    def __call__(
        self,
        rows: Sequence[int],
        weights: Tensor,
        bias: Tensor | None,
        scratch: int,
        even: int,
        odd: int,
    ) -> None:
        """Fill `even` and `odd` from the four transformed rows and weights.

        `scratch` has room for two strips.
        """
        begin = weights.data_ptr()
        size = self.weight_bytes
        w0, plus, minus, w2 = range(begin, begin + 4 * size, size)

        s = scratch
        t = scratch + self.strip_bytes
        self.half({SRC: rows[1], WEIGHTS: plus, DST: s})
        self.half({SRC: rows[2], WEIGHTS: minus, DST: t})

        others = dict(zip(self.halves, (s, t), strict=True))
        if bias is not None:
            others[BIAS] = bias.data_ptr()
        self.even({SRC: rows[0], WEIGHTS: w0, DST: even, **others})
        self.odd({SRC: rows[3], WEIGHTS: w2, DST: odd, **others})


class RowWeightGradient:
    """The primitives of the four weight gradients of a strip."""

    def __init__(self, spec: RowFilterSpec) -> None:
        self.out_ch = spec.out_ch
        x, dy = spec.features(spec.in_ch), spec.features(spec.out_ch)
        shape = (spec.out_ch, spec.in_ch, 1, 3)
        bias = flat(spec.out_ch)

        description = _describe_weight_gradient(x, any_layout(shape), bias, dy)
        self.with_bias = Primitive(
            description, {SRC: x, DIFF_DST: dy, DIFF_WEIGHTS: None, DIFF_BIAS: bias}
        )
        weight = self.with_bias.layouts[DIFF_WEIGHTS]

        description = _describe_weight_gradient(x, weight, NULL, dy)
        self.without_bias = Primitive(
            description, {SRC: x, DIFF_DST: dy, DIFF_WEIGHTS: weight}
        )

        self.copy_row = reorder(weight, layout(shape, (spec.in_ch * 9, 9, 3, 1)))
        self.weight_bytes = size_of(weight)
        elements = self.weight_bytes // 4
        self.add = binary(BINARY_ADD, elements)
        self.half_sum = binary(BINARY_ADD, elements, 0.5)
        self.half_difference = binary(BINARY_SUB, elements, 0.5)


def _describe_weight_gradient(x: Any, dweight: Any, dbias: Any, dy: Any) -> Any:
    return describe_backward_weights(
        x, dweight, dbias, dy, before=PADDING, after=PADDING
    )


class RowWeightGradientSum:
    """The gradients of a convolution's weight and bias, summed over `strips` strips."""

    def __init__(self, gradient: RowWeightGradient, strips: int) -> None:
        self.gradient = gradient
        self.done = 0
        self.biases = empty([strips, 2, gradient.out_ch])

        # room for four sums, and for a single strip's gradient
        size = gradient.weight_bytes
        self.weights = empty([5 * size], "uint8")
        begin = self.weights.data_ptr()
        self.addresses = list(range(begin, begin + 5 * size, size))

    def add_strip(self, x: Sequence[int], dy: StripRows) -> None:
        """Add a strip's gradients.

        Args:
            x: the four transformed rows of the convolution's input.
            dy: the rows of its output's gradient.
        """
        primitives = self.gradient
        *totals, single = self.addresses
        _, dy_plus, dy_minus, _ = dy.transformed
        gradients = (dy.even, dy_plus, dy_minus, dy.odd)

        # The even and the odd rows together are all of dy: they give the bias.
        bias_bytes = 4 * primitives.out_ch
        even_bias = self.biases.data_ptr() + self.done * 2 * bias_bytes
        biases = {0: even_bias, 3: even_bias + bias_bytes}

        for i, total in enumerate(totals):
            addresses = {
                SRC: x[i],
                DIFF_DST: gradients[i],
                DIFF_WEIGHTS: single if self.done else total,
            }
            if i in biases:
                primitives.with_bias({**addresses, DIFF_BIAS: biases[i]})
            else:
                primitives.without_bias(addresses)

            if self.done:
                primitives.add(total, single, total)

        self.done += 1

    def result(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the gradients of the weight, of this shape, and of the bias."""
        primitives = self.gradient
        first, plus, minus, last, outer = self.addresses

        # Of t, the transformed gradient is dy1 - dy0, where (dy0 - dy1) / 2 is wanted.
        primitives.half_difference(plus, minus, outer)
        primitives.half_sum(plus, minus, plus)
        primitives.add(first, outer, first)
        primitives.add(last, outer, last)

        dweight = empty(shape)
        target = dweight.data_ptr()
        for row in (first, plus, last):
            primitives.copy_row(row, target)
            target += 4 * 3  # to the next row of 3 weights
        return dweight, self.biases.sum([0, 1])
