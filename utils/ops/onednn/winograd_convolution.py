"""3x3 convolutions of large NHWC pictures with a third fewer multiplications: by `onednn_rows`, in float32.

A picture is worked on in strips of some rows, which stay in the processor's caches.
"""

from collections.abc import Sequence
from ctypes import memmove, memset
from functools import lru_cache
from typing import Any, NamedTuple

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.leaky_relu import leaky_relu_gradient
from realesrgan_paddle.utils.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    DST,
    SRC,
    SRC_1,
    OneDNNError,
    binary,
    contiguous,
    layout,
    reorder,
    threads,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty, picture
from realesrgan_paddle.utils.ops.onednn.winograd_rows import (
    Filter,
    Kind,
    Rows,
    Sums,
    WeightGradient,
)

CACHED = 256
STRIP_BYTES = 2**18
"""Of a strip's even rows, for each thread: with what is made of them, a few times this stays in the caches.

2^18 to 2^20 were tried.
"""
MIN_CHANNELS = 64
MIN_PIXELS = 1024
"""With fewer, the sums of pixels or of weights cost more than the multiplications that they save."""


class Strips:
    """Pictures of `width` pixels of `channels`, taken apart into strips of `pairs` pairs of rows."""

    def __init__(self, pairs: int, width: int, channels: int) -> None:
        self.pairs, self.row = pairs, width * channels
        together, apart = (
            layout((pairs, self.row), (self.row, 1)),
            layout((pairs, self.row), (2 * self.row, 1)),
        )
        self.take, self.put = reorder(apart, together), reorder(together, apart)
        self.add, self.subtract = (
            binary(kind, pairs * self.row) for kind in (BINARY_ADD, BINARY_SUB)
        )
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
    # what comes after a convolution is part of it in these implementations alone;
    # elsewhere it is slow
    try:
        return all(
            _filter(kind, form).implementation.startswith("brg")
            for form in (False, True)
        )
    except OneDNNError:
        return False


def _kind(
    shape: Sequence[int], out_ch: int, slope: float = 1.0, has_bias: bool = False
) -> Kind:
    """Return the kind whose strips are the largest equal ones within STRIP_BYTES."""
    _, height, width, in_ch = shape
    most = max(1, STRIP_BYTES * threads() // (4 * width * max(in_ch, out_ch)))
    pairs = max(
        pairs
        for pairs in range(1, height // 2 + 1)
        if height // 2 % pairs == 0 and pairs <= most
    )
    return Kind(pairs, width, in_ch, out_ch, slope, has_bias)


class WinogradLayer(PyLayer):
    """A 3x3 convolution that learns; apply(x, weight, bias or None, slope)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, slope: float
    ) -> Tensor:
        """Return the convolution of x (N, H, W, C)."""
        ctx.kind = _kind(x.shape, weight.shape[0], slope, bias is not None)
        # Asked now: a network frozen for this pass may learn again before the gradients
        # come.
        ctx.learns = [
            tensor is not None and not tensor.stop_gradient
            for tensor in (x, weight, bias)
        ]
        x, weight = contiguous(x), contiguous(weight)
        y = _filtered(x, weight, bias, ctx.kind)
        ctx.save_for_backward(
            x if any(ctx.learns[1:]) else None, weight, y if slope != 1 else None
        )
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
    strips, results = (
        _strips(kind.pairs, width, channels),
        _strips(kind.pairs, width, kind.out_ch),
    )
    convolve, y = _filter(kind, False), empty([n, height, width, kind.out_ch])
    weights = convolve.weights(weight.data_ptr())
    scratch = empty([strips.floats + convolve.strip])
    made = _room(scratch.data_ptr() + 4 * strips.floats, convolve.strip)
    for i in range(n):
        for first in range(0, height // 2, kind.pairs):
            rows = strips.taken(picture(x, i), first, height // 2, scratch.data_ptr())
            convolve(rows.sums, weights, bias, *made)
            results.given(picture(y, i), first, made.even, made.odd)
    return y


def _gradients(
    kind: Kind, x: Tensor | None, weight: Tensor, dy: Tensor, *, dx_wanted: bool
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients of x, weight and bias from the output's; the last two only if x is given."""
    n, height, width, out_ch = dy.shape
    strips, results = (
        _strips(kind.pairs, width, kind.in_ch),
        _strips(kind.pairs, width, out_ch),
    )
    convolve = _filter(
        Kind(kind.pairs, width, out_ch, kind.in_ch, has_bias=False), True
    )
    dx = empty([n, height, width, kind.in_ch]) if dx_wanted else None
    weights = convolve.weights(weight.data_ptr()) if dx_wanted else None
    gradient = _weight_gradient(kind._replace(slope=1.0, has_bias=True))
    sums = Sums(gradient, n * height // 2 // kind.pairs) if x is not None else None
    scratch = empty([strips.floats + results.floats + convolve.strip])
    seen = scratch.data_ptr() + 4 * results.floats
    made = _room(seen + 4 * strips.floats, convolve.strip)
    for i in range(n):
        for first in range(0, height // 2, kind.pairs):
            rows = results.taken(picture(dy, i), first, height // 2, scratch.data_ptr())
            if dx is not None:
                convolve(rows.sums, weights, None, *made)
                strips.given(picture(dx, i), first, made.even, made.odd)
            if sums is not None:
                sums.include(
                    strips.taken(picture(x, i), first, height // 2, seen).sums, rows
                )
    return dx, *(sums.finished(weight.shape) if sums is not None else (None, None))


class _Made(NamedTuple):
    """Where a strip is made: what its even and odd rows share, and these."""

    scratch: int
    even: int
    odd: int


def _room(scratch: int, strip: int) -> _Made:
    return _Made(scratch, scratch + 2 * strip, scratch + 3 * strip)
