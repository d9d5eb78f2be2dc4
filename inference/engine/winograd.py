"""3x3 convolutions with half the multiplications: Winograd's filtering of rows, F(4, 3).

Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4: four
outputs of three weights take six multiplications instead of twelve. Here it is used along
the height only, and a "multiplication" is a 1x3 convolution of whole rows. The rows
d0 .. d5 give four rows y0 .. y3:

    t0 = a2b2 d0 - (a2 + b2) d2 + d4          m_k = the 1x3 convolution of t_k with the
    t1 = d4 - b2 d2 + a (d3 - b2 d1)                weights that `kinds_of` makes
    t2 = d4 - b2 d2 - a (d3 - b2 d1)
    t3 = d4 - a2 d2 + b (d3 - a2 d1)          y0 = m0 + (m1 + m2) + (m3 + m4)
    t4 = d4 - a2 d2 - b (d3 - a2 d1)          y1 = a (m1 - m2) + b (m3 - m4)
    t5 = a2b2 d1 - (a2 + b2) d3 + d5          y2 = a2 (m1 + m2) + b2 (m3 + m4)
                                              y3 = a3 (m1 - m2) + b3 (m3 - m4) + m5

a2 is the square of a, and so on. The interpolation points 0, a, -a, b, -b, infinity may be
any; these keep the rounding of bfloat16 small (docs/inference.md).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.features import GROUP, Planes, padded
from realesrgan_paddle.inference.engine.primitives import (
    BlockConvolution,
    BlockConvolutionSpec,
    PReLU,
    PreparedWeights,
    Sum,
    SumSpec,
    weighted_sum,
)
from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.ops.onednn.convolutions import (
    PostOperation,
    leaky_relu,
    minus,
    plus,
    times,
)
from realesrgan_paddle.ops.onednn.library import BYTES, F32, library
from realesrgan_paddle.ops.onednn.primitives import BLOCK

A, B = 0.75, 1.5
A2, B2 = A**2, B**2
OUTER = (A2 * B2, -(A2 + B2))
"""Factors of the first two rows in t0 and t5."""
KINDS = 6
"""Rows t0 .. t5 for each four rows."""
CACHE_SIZE = 32


def kinds_of(weight: np.ndarray) -> list[np.ndarray]:
    """Return the 1x3 weights of m0 .. m5, float64, of a weight (out, in, 3, 3).

    Those of m5 are divided by A**3, because y3 multiplies the sum by it.
    """
    # Rows apart, each without gaps: NumPy is slow with their three weights inside.
    rows = np.ascontiguousarray(weight.transpose(2, 0, 1, 3), np.float64)
    w0, w1, w2 = rows[:, :, :, None]
    points = (0.0, A, -A, B, -B)

    kinds = []
    for point in points:
        value = w0 + point * w1
        value += point**2 * w2
        differences = [point - other for other in points if other != point]
        value /= np.prod(differences)
        kinds.append(value)
    kinds.append(w2 / A**3)
    return kinds


def biases_of(bias: np.ndarray) -> list[np.ndarray]:
    """Return what each m_k must have added so that y0 .. y3 get the bias."""
    bias = bias.astype(np.float64)
    half_sum = bias / A2 / 2
    half_difference = bias / A / 2
    zero = np.zeros_like(bias)
    return [
        bias - bias / A2,
        half_sum + half_difference,
        half_sum - half_difference,
        zero,
        zero,
        (bias - A2 * bias) / A**3,
    ]


class TransformedRows:
    """The rows t0 .. t5 of some features, for the groups of rows at one place.

    Args:
        planes: features whose size this takes.
        channels: of all features that will be added.
        dtype: that convolutions multiply in.

    Attributes:
        channels: added until now.
    """

    def __init__(
        self, recorder: Recorder, planes: Planes, channels: int, dtype: int
    ) -> None:
        self.recorder = recorder
        self.rows = planes.size.rows
        self.width = planes.size.width
        self.dtype = dtype
        self.channels = 0
        self._row = self.width * BLOCK
        plane = self.rows * self.width * BYTES[dtype]
        self._channel_bytes = plane
        self._buffers: list[Buffer] = [
            Buffer(recorder, padded(channels) * plane) for _ in range(KINDS)
        ]

    @property
    def addresses(self) -> list[int]:
        """Of t0 .. t5."""
        return [buffer.address for buffer in self._buffers]

    def add(self, planes: Planes, group: int = 0) -> None:
        """Transform four planes, from the group's first on, behind what was added."""
        planes = planes.rounded_to(self.dtype)
        channels = padded(planes.channels)
        begin = self.channels * self._channel_bytes
        self.channels += channels

        t = [address + begin for address in self.addresses]

        d = _input_rows(planes, group)
        forms = _Forms(self.recorder, planes.dtype, self.dtype, planes.elements)
        forms.outer(d[0], d[2], d[4], t[0])
        forms.pair(A, B2, d[1:5], t[1], t[2])
        forms.pair(B, A2, d[1:5], t[3], t[4])
        forms.outer(d[1], d[3], d[5], t[5])

        if group == 0:
            self._mend_top(planes.dtype, d, t[0], channels)
        if (group + 1) * GROUP == planes.size.planes:
            self._mend_bottom(planes.dtype, d, t[5], channels)

    def _mend_top(self, dtype: int, d: Sequence[int], t0: int, channels: int) -> None:
        """Compute the first row of t0 again: above the image d0 is zero.

        There it was a row of another block of channels.
        """
        forms = _Forms(self.recorder, dtype, self.dtype, self._row)
        for block in range(channels // BLOCK):
            row = block * self.rows
            x = d[2] + self._row_offset(row, dtype)
            y = d[4] + self._row_offset(row, dtype)
            out = t0 + self._row_offset(row, self.dtype)
            forms.without_outermost(x, y, out)

    def _mend_bottom(
        self, dtype: int, d: Sequence[int], t5: int, channels: int
    ) -> None:
        """Compute the last row of t5 again: below the image d5 is zero."""
        forms = _Forms(self.recorder, dtype, self.dtype, self._row)
        for block in range(channels // BLOCK):
            row = (block + 1) * self.rows - 1
            x = d[1] + self._row_offset(row, dtype)
            y = d[3] + self._row_offset(row, dtype)
            out = t5 + self._row_offset(row, self.dtype)
            forms.without_innermost(x, y, out)

    def _row_offset(self, row: int, dtype: int) -> int:
        return row * self._row * BYTES[dtype]


def _input_rows(planes: Planes, group: int) -> list[int]:
    """Return the addresses of d0 .. d5."""
    addresses = planes.addresses
    first = group * GROUP
    after = first + GROUP
    inner = addresses[first:after]

    # Above the first plane comes the last one, a row earlier.
    above = addresses[first - 1]
    if group == 0:
        above -= planes.row_bytes
    if after < len(addresses):
        return [above, *inner, addresses[after]]

    below = addresses[0] + planes.row_bytes
    return [above, *inner, below]


class _Forms:
    """The sums that make the transformed rows."""

    def __init__(
        self, recorder: Recorder, dtype: int, out_dtype: int, elements: int
    ) -> None:
        self.recorder = recorder
        self.dtype = dtype
        self.out_dtype = out_dtype
        self.elements = elements

    def outer(self, x: int, y: int, z: int, out: int) -> None:
        """Write a2b2 x - (a2 + b2) y + z."""
        steps = [plus(self.dtype)]
        addresses = [x, y, z, out]
        self._run(OUTER, steps, addresses)

    def without_outermost(self, y: int, z: int, out: int) -> None:
        """Write the same for x = 0."""
        _, factor = OUTER
        addresses = [y, z, out]
        self._run((factor, 1.0), [], addresses)

    def without_innermost(self, x: int, y: int, out: int) -> None:
        """Write the same for z = 0."""
        addresses = [x, y, out]
        self._run(OUTER, [], addresses)

    def pair(
        self, point: float, other2: float, d: Sequence[int], out: int, mirrored: int
    ) -> None:
        """Write d4 - other2 d2 +- point (d3 - other2 d1); `d` are d1 .. d4."""
        d1, d2, d3, d4 = d
        add = plus(self.dtype)
        steps = [add, times(-other2), add]
        for factor, target in ((point, out), (-point, mirrored)):
            factors = (factor, -factor / other2)
            self._run(factors, steps, [d1, d3, d2, d4, target])

    def _run(
        self,
        factors: tuple[float, float],
        steps: list[PostOperation],
        addresses: Sequence[int],
    ) -> None:
        """Compute a sum; the last address is the result's."""
        x, y, *others, out = addresses
        first, second = factors
        spec = SumSpec(
            self.elements,
            first,
            second,
            (self.dtype, self.dtype),
            tuple(steps),
            self.out_dtype,
        )
        weighted_sum(spec)(self.recorder, x, y, others, out)


class RowConvolutionSpec(NamedTuple):
    """What identifies the primitives of a convolution of transformed rows."""

    in_ch: int
    out_ch: int
    rows: int
    width: int
    dtype: int
    out_dtype: int
    slope: float = 1.0
    has_slopes: bool = False
    adds: bool = False
    """Whether features in float32 are added at the end."""


class RowConvolution:
    """The six convolutions, and the sums of their results."""

    def __init__(self, spec: RowConvolutionSpec) -> None:
        self.spec = spec
        elements = padded(spec.out_ch) * spec.rows * spec.width
        self.bytes = 4 * elements

        after = leaky_relu(spec.slope)
        if spec.adds:
            after.append(plus())
        add, subtract = plus(), minus()

        shape = (spec.in_ch, spec.out_ch, spec.rows, spec.width, spec.dtype)
        plain = BlockConvolutionSpec(*shape, F32)
        self.plain = BlockConvolution(plain)
        steps = [add, add, add, add, *after]
        self.first = BlockConvolution(self._last_of(shape, steps))
        ratio = A / B
        steps = [add, subtract, times(ratio**3), add, subtract, times(B**3), *after]
        self.last = BlockConvolution(self._last_of(shape, steps))

        steps = [add, subtract, times(ratio), add, subtract, times(B), *after]
        self.second = self._sum(steps)
        steps = [add, add, times(ratio**2), add, add, times(B2), *after]
        self.third = self._sum(steps)
        self.prelu = None
        if spec.has_slopes:
            self.prelu = PReLU(spec.out_ch, spec.rows, spec.width, spec.out_dtype)

    def _sum(self, steps: list[PostOperation]) -> Sum:
        """Return a sum that starts with zeros, because oneDNN's has one dtype."""
        spec = self.spec
        elements = padded(spec.out_ch) * spec.rows * spec.width
        dtypes = (spec.out_dtype, spec.out_dtype)
        return weighted_sum(
            SumSpec(elements, 1.0, 1.0, dtypes, tuple(steps), spec.out_dtype)
        )

    def _last_of(
        self, shape: tuple[int, int, int, int, int], steps: list[PostOperation]
    ) -> BlockConvolutionSpec:
        spec = self.spec
        return BlockConvolutionSpec(
            *shape, spec.out_dtype, tuple(steps), has_slopes=spec.has_slopes
        )

    def __call__(
        self,
        recorder: Recorder,
        rows: TransformedRows,
        weights: PreparedWeights,
        out: Sequence[int],
        added: Sequence[int] = (),
    ) -> None:
        """Fill four planes at the addresses `out`, from all rows that were added.

        `added` are the addresses of the features to add.
        """
        t = rows.addresses
        buffers = [Buffer(recorder, self.bytes) for _ in range(4)]
        m = [buffer.address for buffer in buffers]
        for kind in range(1, 5):
            self.plain(recorder, t[kind], weights, kind, m[kind - 1])

        extra = [[address] for address in added] or [[], [], [], []]
        self.first(recorder, t[0], weights, 0, out[0], [*m, *extra[0]])
        zeros = recorder.zeros(self.bytes)
        self.second(recorder, zeros, zeros, [*m, *extra[1]], out[1])
        self.third(recorder, zeros, zeros, [*m, *extra[2]], out[2])
        self.last(recorder, t[5], weights, 5, out[3], [*m, *extra[3]])
        if self.prelu is not None:
            for address in out[1:3]:
                self.prelu(recorder, address, weights.slopes)


def row_convolution(spec: RowConvolutionSpec) -> RowConvolution:
    """Return the convolution's primitives, created once for each number of threads."""
    return _row_convolution(spec, library().threads)


@lru_cache(CACHE_SIZE)
def _row_convolution(spec: RowConvolutionSpec, threads: int) -> RowConvolution:
    """Return what is created, which keeps the present number of threads for good."""
    return RowConvolution(spec)
