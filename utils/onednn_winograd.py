"""3x3 convolutions with a third fewer multiplications: Winograd's minimal filtering of rows, by oneDNN, float32.

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4.1: F(2, 3) makes two outputs of
three weights with four multiplications instead of six. Here it is used along the height only, and a "multiplication"
is a convolution of 1 x 3 of whole rows. With rows d0..d3 of the input and w0, w1, w2 of the weights, two rows of the
output are

    y0 = d0 w0 + d1 w1 + d2 w2 = (d0 - d2) w0 + (s + t) / 2        s = (d1 + d2) (w0 + w1 + w2)
    y1 = d1 w0 + d2 w1 + d3 w2 = (d3 - d1) w2 + (s - t) / 2        t = (d2 - d1) (w0 - w1 + w2)

The convolution's own gradients have the same form. Sums are rounded one more time: 1e-6 of the result.

A picture is worked on in strips of some rows, which stay in the processor's caches.
"""

from collections.abc import Sequence
from ctypes import memmove, memset
from functools import lru_cache
from typing import Any, NamedTuple

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.onednn_convolution import describe_backward_weights, describe_forward, geometry
from realesrgan_paddle.utils.onednn_leaky_relu import leaky_relu_gradient
from realesrgan_paddle.utils.onednn_library import (
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
    OneDNNError,
    Primitive,
    any_layout,
    attributes_after,
    binary,
    contiguous,
    implementation,
    layout,
    library,
    nhwc,
    operand,
    reorder,
    size_of,
)

CACHED = 256
STRIP_BYTES = 2**18
"""Of a strip's even rows: with what is made of them, a few times this stays in the caches. 2^18 to 2^20 were tried."""
MIN_CHANNELS = 64
MIN_PIXELS = 1024
"""With fewer, the sums of pixels or of weights cost more than the multiplications that they save."""
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


class Strips:
    """Pictures of `width` pixels of `channels`, taken apart into strips of `pairs` pairs of rows."""

    def __init__(self, pairs: int, width: int, channels: int) -> None:
        self.pairs, self.row = pairs, width * channels
        together, apart = layout((pairs, self.row), (self.row, 1)), layout((pairs, self.row), (2 * self.row, 1))
        self.take, self.put = reorder(apart, together), reorder(together, apart)
        self.add, self.subtract = (binary(kind, pairs * self.row) for kind in (BINARY_ADD, BINARY_SUB))
        self.floats = (6 * pairs + 2) * self.row
        """Scratch that `taken` needs."""

    def taken(self, picture: int, first: int, pairs: int, scratch: int) -> "Rows":
        """Fill `scratch` with what the convolutions are of, for the strip from pair `first` on, of `pairs` in all."""
        row, strip = 4 * self.row, 4 * self.row * self.pairs
        odd, even = scratch, scratch + strip + row
        begin, last = picture + 2 * first * row, first + self.pairs == pairs
        if first:
            memmove(odd, begin - row, row)
        else:
            memset(odd, 0, row)
        self.take({SRC: begin + row, DST: odd + row})
        self.take({SRC: begin, DST: even})
        if last:
            memset(even + strip, 0, row)
        else:
            memmove(even + strip, begin + 2 * strip, row)
        sums = [even + strip + row + i * strip for i in range(4)]
        self.subtract({SRC: odd, SRC_1: odd + row, DST: sums[0]})
        self.add({SRC: even, SRC_1: odd + row, DST: sums[1]})
        self.subtract({SRC: odd + row, SRC_1: even, DST: sums[2]})
        self.subtract({SRC: even + row, SRC_1: even, DST: sums[3]})
        return Rows(sums, even, odd + row)

    def given(self, picture: int, first: int, even: int, odd: int) -> None:
        """Write even and odd rows where the strip from pair `first` on lies in the picture."""
        row = 4 * self.row
        self.put({SRC: even, DST: picture + 2 * first * row})
        self.put({SRC: odd, DST: picture + 2 * first * row + row})


class Rows(NamedTuple):
    """Addresses of what a strip is taken apart into: d0 - d2, d1 + d2, d2 - d1, d3 - d1; its even and odd rows."""

    sums: list[int]
    even: int
    odd: int


class Filter:
    """Four convolutions of 1 x 3 that make even and odd rows of a strip; in `transposed` form, the input's gradient."""

    def __init__(self, kind: Kind, *, transposed: bool) -> None:
        self.transposed, self.strip = transposed, 4 * kind.pairs * kind.width * kind.out_ch
        x, y = (nhwc((1, channels, kind.pairs, kind.width)) for channels in (kind.in_ch, kind.out_ch))
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
            arguments = {SRC: x, WEIGHTS: weight, DST: y, **biases, operand(0): y, operand(1): y}
            self.whole.append(Primitive(describe(x, weight, bias, y, after), arguments))
        steps = (9, kind.out_ch * 9, 3, 1) if transposed else (kind.in_ch * 9, 9, 3, 1)
        self.copy = reorder(layout(shape, steps), weight)
        self.weight_bytes = size_of(weight)
        self.add, self.subtract = (binary(sign, self.weight_bytes // 4) for sign in (BINARY_ADD, BINARY_SUB))

    def weights(self, weight: Tensor) -> Tensor:
        """Return w0, w0 + w1 + w2, w0 - w1 + w2, w2 of (out, in, 3, 3), as the convolutions want them: bytes."""
        size = self.weight_bytes
        out = paddle.empty([5 * size], "uint8")
        first, plus, minus, last, middle = (out.data_ptr() + i * size for i in range(5))
        rows = [first, middle, last]
        for i, target in enumerate(reversed(rows) if self.transposed else rows):
            self.copy({SRC: weight.data_ptr() + 4 * 3 * i, DST: target})
        self.add({SRC: first, SRC_1: last, DST: plus})
        self.subtract({SRC: plus, SRC_1: middle, DST: minus})
        self.add({SRC: plus, SRC_1: middle, DST: plus})
        return out

    def __call__(self, rows: Rows, weights: Tensor, bias: Tensor | None, scratch: int) -> tuple[int, int]:
        """Return the addresses, in `scratch`, of the even and the odd rows that were made."""
        addresses = [weights.data_ptr() + i * self.weight_bytes for i in range(4)]
        s, t, even, odd = (scratch + i * self.strip for i in range(4))
        self.half({SRC: rows.sums[1], WEIGHTS: addresses[1], DST: s})
        self.half({SRC: rows.sums[2], WEIGHTS: addresses[2], DST: t})
        others = {operand(0): s, operand(1): t}
        if bias is not None:
            others[BIAS] = bias.data_ptr()
        self.whole[0]({SRC: rows.sums[0], WEIGHTS: addresses[0], DST: even, **others})
        self.whole[1]({SRC: rows.sums[3], WEIGHTS: addresses[3], DST: odd, **others})
        return even, odd


def _describe(x: Any, weight: Any, bias: Any, y: Any, attributes: Any) -> Any:
    return describe_forward(x, weight, bias, y, 1, attributes, PADDING)


def _describe_transposed(x: Any, weight: Any, bias: Any, y: Any, attributes: Any) -> Any:
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
        x, y = (nhwc((1, channels, kind.pairs, kind.width)) for channels in (kind.in_ch, kind.out_ch))
        shape, bias = (kind.out_ch, kind.in_ch, 1, 3), layout((kind.out_ch,), (1,))
        description = describe_backward_weights(x, any_layout(shape), bias, y, padding=PADDING)
        self.biased = Primitive(description, {SRC: x, DIFF_DST: y, DIFF_WEIGHTS: None, DIFF_BIAS: bias})
        weight = self.biased.layouts[DIFF_WEIGHTS]
        description = describe_backward_weights(x, weight, NULL, y, padding=PADDING)
        self.plain = Primitive(description, {SRC: x, DIFF_DST: y, DIFF_WEIGHTS: weight})
        self.copy = reorder(weight, layout(shape, (kind.in_ch * 9, 9, 3, 1)))
        self.weight_bytes = size_of(weight)
        self.add = binary(BINARY_ADD, self.weight_bytes // 4)
        self.half = [binary(kind, self.weight_bytes // 4, 0.5) for kind in (BINARY_SUB, BINARY_ADD)]

    def begin(self, strips: int) -> "Sums":
        """Return the room for the sums over so many strips."""
        return Sums(self, strips)


class Sums:
    """The gradients of one convolution's weight and bias, as its strips come in."""

    def __init__(self, gradient: WeightGradient, strips: int) -> None:
        self.gradient, self.seen = gradient, 0
        self.room = paddle.empty([5 * gradient.weight_bytes], "uint8")
        self.biases = paddle.empty([strips, 2, gradient.out_ch])

    def include(self, x: Rows, dy: Rows) -> None:
        """Add those of a strip."""
        gradient = self.gradient
        *sums, last = self._addresses()
        outputs = [dy.even, dy.sums[1], dy.sums[2], dy.odd]
        bias = self.biases.data_ptr() + self.seen * 8 * gradient.out_ch
        for i, (total, row, output) in enumerate(zip(sums, x.sums, outputs, strict=True)):
            addresses = {SRC: row, DIFF_DST: output, DIFF_WEIGHTS: last if self.seen else total}
            if i in (0, 3):
                gradient.biased({**addresses, DIFF_BIAS: bias + (i // 3) * 4 * gradient.out_ch})
            else:
                gradient.plain(addresses)
            if self.seen:
                gradient.add({SRC: total, SRC_1: last, DST: total})
        self.seen += 1

    def finished(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the gradients of the weight, of `shape`, and the bias; the third sum has the other sign."""
        gradient, dw = self.gradient, paddle.empty(shape)
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


@lru_cache(CACHED)
def _strips(pairs: int, width: int, channels: int) -> Strips:
    return Strips(pairs, width, channels)


@lru_cache(CACHED)
def _filter(kind: Kind, transposed: bool) -> Filter:
    return Filter(kind, transposed=transposed)


@lru_cache(CACHED)
def _weight_gradient(kind: Kind) -> WeightGradient:
    return WeightGradient(kind)


@lru_cache(CACHED)
def fits(shape: Sequence[int], weight_shape: Sequence[int]) -> bool:
    """Return whether a convolution of this input (N, H, W, C), of stride 1, is faster this way, on this CPU."""
    _, height, width, in_ch = shape
    out_ch, _, kernel_size, _ = weight_shape
    small = min(in_ch, out_ch) < MIN_CHANNELS or height * width < MIN_PIXELS
    if small or height % 2 or kernel_size != 3:
        return False
    kind = _kind(shape, out_ch)
    try:  # what comes after a convolution is part of it in these implementations alone; elsewhere it is slow
        return all(_filter(kind, form).implementation.startswith("brg") for form in (False, True))
    except OneDNNError:
        return False


def _kind(shape: Sequence[int], out_ch: int, slope: float = 1.0, has_bias: bool = False) -> Kind:
    """Return the kind whose strips are the largest equal ones within STRIP_BYTES."""
    _, height, width, in_ch = shape
    most = max(1, STRIP_BYTES // (4 * width * max(in_ch, out_ch)))
    pairs = max(pairs for pairs in range(1, height // 2 + 1) if height // 2 % pairs == 0 and pairs <= most)
    return Kind(pairs, width, in_ch, out_ch, slope, has_bias)


class WinogradLayer(PyLayer):
    """A 3x3 convolution that learns; apply(x, weight, bias or None, slope)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, slope: float) -> Tensor:
        """Return the convolution of x (N, H, W, C)."""
        ctx.kind = _kind(x.shape, weight.shape[0], slope, bias is not None)
        # Asked now: a network frozen for this pass may learn again before the gradients come.
        ctx.learns = [tensor is not None and not tensor.stop_gradient for tensor in (x, weight, bias)]
        x, weight = contiguous(x), contiguous(weight)
        y = _filtered(x, weight, bias, ctx.kind)
        ctx.save_for_backward(x if any(ctx.learns[1:]) else None, weight, y if slope != 1 else None)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight and bias; None for what does not learn."""
        x, weight, y = ctx.saved_tensor()
        dy = contiguous(dy)
        if ctx.kind.slope != 1:
            dy = leaky_relu_gradient(y, dy, ctx.kind.slope)
        dx, dw, db = _gradients(ctx.kind, x, weight, dy, dx_wanted=ctx.learns[0])
        found = (dx, dw if ctx.learns[1] else None, db if ctx.learns[2] else None)
        return found if ctx.kind.has_bias else found[:2]


def _filtered(x: Tensor, weight: Tensor, bias: Tensor | None, kind: Kind) -> Tensor:
    n, height, width, channels = x.shape
    strips, results = _strips(kind.pairs, width, channels), _strips(kind.pairs, width, kind.out_ch)
    convolve, y = _filter(kind, False), paddle.empty([n, height, width, kind.out_ch])
    weights = convolve.weights(weight)
    scratch = paddle.empty([strips.floats + convolve.strip])
    made = scratch.data_ptr() + 4 * strips.floats
    for i in range(n):
        source, target = (t.data_ptr() + 4 * i * height * width * t.shape[3] for t in (x, y))
        for first in range(0, height // 2, kind.pairs):
            rows = strips.taken(source, first, height // 2, scratch.data_ptr())
            results.given(target, first, *convolve(rows, weights, bias, made))
    return y


def _gradients(
    kind: Kind, x: Tensor | None, weight: Tensor, dy: Tensor, *, dx_wanted: bool
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of x, weight and bias from the output's; the last two only if x is given."""
    n, height, width, out_ch = dy.shape
    strips, results = _strips(kind.pairs, width, kind.in_ch), _strips(kind.pairs, width, out_ch)
    convolve = _filter(Kind(kind.pairs, width, out_ch, kind.in_ch, has_bias=False), True)
    dx = paddle.empty([n, height, width, kind.in_ch]) if dx_wanted else None
    weights = convolve.weights(weight) if dx_wanted else None
    sums = _weight_gradient(kind._replace(slope=1.0)).begin(n * height // 2 // kind.pairs) if x is not None else None
    scratch = paddle.empty([strips.floats + results.floats + convolve.strip])
    seen = scratch.data_ptr() + 4 * results.floats
    made = seen + 4 * strips.floats
    for i in range(n):
        for first in range(0, height // 2, kind.pairs):
            rows = results.taken(_picture(dy, i), first, height // 2, scratch.data_ptr())
            if dx is not None:
                strips.given(_picture(dx, i), first, *convolve(rows, weights, None, made))
            if sums is not None:
                sums.include(strips.taken(_picture(x, i), first, height // 2, seen), rows)
    return dx, *(sums.finished(weight.shape) if sums is not None else (None, None))


def _picture(tensor: Tensor, i: int) -> int:
    """Return where picture i of (N, H, W, C) begins."""
    return tensor.data_ptr() + 4 * i * (tensor.size // tensor.shape[0])
