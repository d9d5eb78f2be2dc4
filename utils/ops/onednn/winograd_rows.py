"""3x3 convolutions with a third fewer multiplications: Winograd's minimal filtering of rows, by oneDNN, float32.

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1:
F(2, 3) makes two outputs of three weights with four multiplications instead of six.
Here it is used along the height only, and a "multiplication" is a convolution of 1 x 3
of whole rows. With rows d0..d3 of the input and w0, w1, w2 of the weights, two rows of
the output are

    y0 = d0 w0 + d1 w1 + d2 w2 = (d0 - d2) w0 + (s + t) / 2        s = (d1 + d2) (w0 + w1 + w2)
    y1 = d1 w0 + d2 w1 + d3 w2 = (d3 - d1) w2 + (s - t) / 2        t = (d2 - d1) (w0 - w1 + w2)

The convolution's own gradients have the same form. Sums are rounded one more time: 1e-6
of the result.

Here are the four convolutions of even and odd rows; who uses them takes pictures apart
into those, and makes the sums.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from paddle import Tensor

from realesrgan_paddle.utils.ops.onednn.convolution import describe_forward, geometry
from realesrgan_paddle.utils.ops.onednn.library import (
    BIAS,
    BINARY_ADD,
    BINARY_SUB,
    DECONVOLUTION_DIRECT,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_WEIGHTS,
    DST,
    ELTWISE_LINEAR,
    ELTWISE_RELU,
    FORWARD_TRAINING,
    NULL,
    SRC,
    SRC_1,
    WEIGHTS,
    Primitive,
    any_layout,
    attributes_after,
    binary,
    blocked,
    implementation,
    layout,
    library,
    nhwc,
    operand,
    reorder,
    size_of,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty
from realesrgan_paddle.utils.ops.onednn.weight_gradients import (
    describe_backward_weights,
)

PADDING = (0, 1)


class Kind(NamedTuple):
    """What tells one convolution from another: the strip, and the channels."""

    pairs: int
    """Pairs of rows in a strip."""
    width: int
    in_ch: int
    out_ch: int
    slope: float = 1.0
    has_bias: bool = True
    in_blocks: bool = False
    """Whether features are blocked by 16 channels rather than NHWC."""

    def features(self, channels: int) -> Any:
        """Return the layout of the even rows of a strip, or of the odd ones."""
        return (blocked if self.in_blocks else nhwc)(
            (1, channels, self.pairs, self.width)
        )


class Rows(NamedTuple):
    """Addresses of what a strip is taken apart into: d0 - d2, d1 + d2, d2 - d1, d3 - d1; its even and odd rows."""

    sums: list[int]
    even: int
    odd: int


class Filter:
    """Four convolutions of 1 x 3 that make even and odd rows of a strip.

    Args:
        kind: of the convolution.
        transposed: whether it is the gradient of the input of a convolution with
            weights (in, out, 3, 3); NHWC only.
        steps: how many elements apart in the weight outputs lie, and inputs, if not as
            in (out, in, 3, 3).
    """

    def __init__(
        self,
        kind: Kind,
        *,
        transposed: bool = False,
        steps: tuple[int, int] | None = None,
    ) -> None:
        self.transposed, self.strip = (
            transposed,
            4 * kind.pairs * kind.width * kind.out_ch,
        )
        x, y = kind.features(kind.in_ch), kind.features(kind.out_ch)
        bias = layout((kind.out_ch,), (1,)) if kind.has_bias else NULL
        biases = {BIAS: bias} if kind.has_bias else {}
        activations = [] if kind.slope == 1 else [(ELTWISE_RELU, kind.slope)]
        half = attributes_after([(ELTWISE_LINEAR, 0.5)])
        describe = _describe_transposed if transposed else _describe
        shape = (kind.out_ch, kind.in_ch, 1, 3)
        description = describe(x, any_layout(shape), NULL, y, half)
        self.implementation = implementation(description)
        self.half = Primitive(description, {SRC: x, WEIGHTS: None, DST: y})
        weight = self.half.layouts[WEIGHTS]
        self.whole = []
        for sign in (BINARY_ADD, BINARY_SUB):
            after = attributes_after(activations, [(BINARY_ADD, y), (sign, y)])
            arguments = {
                SRC: x,
                WEIGHTS: weight,
                DST: y,
                **biases,
                operand(0): y,
                operand(1): y,
            }
            self.whole.append(Primitive(describe(x, weight, bias, y, after), arguments))
        steps = steps or ((9, kind.out_ch * 9) if transposed else (kind.in_ch * 9, 9))
        self.copy = reorder(layout(shape, (*steps, 3, 1)), weight)
        self.weight_bytes = size_of(weight)
        self.add, self.subtract = (
            binary(sign, self.weight_bytes // 4) for sign in (BINARY_ADD, BINARY_SUB)
        )

    def weights(self, weight: int) -> Tensor:
        """Return w0, w0 + w1 + w2, w0 - w1 + w2, w2 of the weight at an address, as the convolutions want them."""
        size = self.weight_bytes
        out = empty([5 * size], "uint8")
        first, plus, minus, last, middle = (out.data_ptr() + i * size for i in range(5))
        rows = [first, middle, last]
        for i, target in enumerate(reversed(rows) if self.transposed else rows):
            self.copy({SRC: weight + 4 * 3 * i, DST: target})
        self.add({SRC: first, SRC_1: last, DST: plus})
        self.subtract({SRC: plus, SRC_1: middle, DST: minus})
        self.add({SRC: plus, SRC_1: middle, DST: plus})
        return out

    def __call__(
        self,
        sums: Sequence[int],
        weights: Tensor,
        bias: Tensor | None,
        scratch: int,
        even: int,
        odd: int,
    ) -> None:
        """Fill `even` and `odd` from the four sums of input rows; `scratch` has room for two strips."""
        addresses = [weights.data_ptr() + i * self.weight_bytes for i in range(4)]
        s, t = scratch, scratch + self.strip
        self.half({SRC: sums[1], WEIGHTS: addresses[1], DST: s})
        self.half({SRC: sums[2], WEIGHTS: addresses[2], DST: t})
        others = {operand(0): s, operand(1): t}
        if bias is not None:
            others[BIAS] = bias.data_ptr()
        self.whole[0]({SRC: sums[0], WEIGHTS: addresses[0], DST: even, **others})
        self.whole[1]({SRC: sums[3], WEIGHTS: addresses[3], DST: odd, **others})


def _describe(x: Any, weight: Any, bias: Any, y: Any, attributes: Any) -> Any:
    return describe_forward(x, weight, bias, y, 1, attributes, PADDING)


def _describe_transposed(
    x: Any, weight: Any, bias: Any, y: Any, attributes: Any
) -> Any:
    dnnl = library()
    return dnnl.create(
        "dnnl_deconvolution_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        DECONVOLUTION_DIRECT,
        x,
        weight,
        bias,
        y,
        *geometry(padding=PADDING),
        attributes,
    )


class WeightGradient:
    """Four gradients of convolutions of 1 x 3, added up over the strips."""

    def __init__(self, kind: Kind) -> None:
        self.out_ch = kind.out_ch
        x, y = kind.features(kind.in_ch), kind.features(kind.out_ch)
        shape, bias = (kind.out_ch, kind.in_ch, 1, 3), layout((kind.out_ch,), (1,))
        description = describe_backward_weights(
            x, any_layout(shape), bias, y, before=PADDING, after=PADDING
        )
        self.biased = Primitive(
            description, {SRC: x, DIFF_DST: y, DIFF_WEIGHTS: None, DIFF_BIAS: bias}
        )
        weight = self.biased.layouts[DIFF_WEIGHTS]
        description = describe_backward_weights(
            x, weight, NULL, y, before=PADDING, after=PADDING
        )
        self.plain = Primitive(description, {SRC: x, DIFF_DST: y, DIFF_WEIGHTS: weight})
        self.copy = reorder(weight, layout(shape, (kind.in_ch * 9, 9, 3, 1)))
        self.weight_bytes = size_of(weight)
        self.add = binary(BINARY_ADD, self.weight_bytes // 4)
        self.half = [
            binary(kind, self.weight_bytes // 4, 0.5)
            for kind in (BINARY_SUB, BINARY_ADD)
        ]


class Sums:
    """The gradients of one convolution's weight and bias, as its `strips` strips come in."""

    def __init__(self, gradient: WeightGradient, strips: int) -> None:
        self.gradient, self.seen = gradient, 0
        self.room = empty([5 * gradient.weight_bytes], "uint8")
        self.biases = empty([strips, 2, gradient.out_ch])

    def include(self, x: Sequence[int], dy: Rows) -> None:
        """Add those of a strip: of the four sums of its input's rows, and its output's gradient."""
        gradient = self.gradient
        *sums, last = self._addresses()
        outputs = [dy.even, dy.sums[1], dy.sums[2], dy.odd]
        bias = self.biases.data_ptr() + self.seen * 8 * gradient.out_ch
        for i, (total, row, output) in enumerate(zip(sums, x, outputs, strict=True)):
            addresses = {
                SRC: row,
                DIFF_DST: output,
                DIFF_WEIGHTS: last if self.seen else total,
            }
            if i in (0, 3):
                gradient.biased(
                    {**addresses, DIFF_BIAS: bias + (i // 3) * 4 * gradient.out_ch}
                )
            else:
                gradient.plain(addresses)
            if self.seen:
                gradient.add({SRC: total, SRC_1: last, DST: total})
        self.seen += 1

    def finished(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the gradients of the weight, of `shape`, and the bias; the third sum has the other sign."""
        gradient, dw = self.gradient, empty(shape)
        first, plus, minus, last, outer = self._addresses()
        gradient.half[0]({SRC: plus, SRC_1: minus, DST: outer})
        gradient.half[1]({SRC: plus, SRC_1: minus, DST: plus})
        gradient.add({SRC: first, SRC_1: outer, DST: first})
        gradient.add({SRC: last, SRC_1: outer, DST: last})
        for i, source in enumerate((first, plus, last)):
            gradient.copy({SRC: source, DST: dw.data_ptr() + 4 * 3 * i})
        return dw, self.biases.sum([0, 1])

    def _addresses(self) -> list[int]:
        return [self.room.data_ptr() + i * self.gradient.weight_bytes for i in range(5)]
