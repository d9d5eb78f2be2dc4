"""3x3 convolutions of large NHWC images with a third fewer multiplications, in float32.

The arithmetic is that of `ops.training.winograd_rows`. An image is processed in
strips of some rows, which stay in the processor's caches.
"""

from collections.abc import Sequence
from ctypes import memmove, memset
from functools import lru_cache

from paddle import Tensor

from realesrgan_paddle.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    F32,
    OneDNNError,
    threads,
)
from realesrgan_paddle.ops.onednn.primitives import binary, layout, reorder
from realesrgan_paddle.ops.training.convolution import Gradients
from realesrgan_paddle.ops.training.tensor_memory import empty, image_address
from realesrgan_paddle.ops.training.weight_gradients import largest_divisor
from realesrgan_paddle.ops.training.winograd_rows import (
    RowFilter,
    RowFilterSpec,
    RowWeightGradient,
    RowWeightGradientSum,
    StripRows,
)

CACHE_SIZE = 256
"""Shapes whose primitives are kept, of each type of primitive."""

STRIP_BYTES = 2**18
"""Most bytes of a strip's even rows, per thread.

A few times as much, with all that is computed from them, stays in the caches. 2^18 to
2^20 were measured.
"""

MIN_CHANNELS = 64
"""With fewer, the transformations cost more than the multiplications that they save."""

MIN_PIXELS = 1024
"""Likewise, of an image."""


class ImageStrips:
    """Reads and writes strips of images of `width` pixels of `channels`.

    A strip is `pairs` pairs of rows.

    Attributes:
        scratch_floats: size of the scratch memory that `read` fills.
    """

    def __init__(self, pairs: int, width: int, channels: int) -> None:
        row = width * channels
        self.pairs = pairs
        self.row_bytes = 4 * row
        self.scratch_floats = (6 * pairs + 2) * row

        every_row = layout((pairs, row), (row, 1))
        every_second_row = layout((pairs, row), (2 * row, 1))
        self.gather = reorder(every_second_row, every_row)
        self.scatter = reorder(every_row, every_second_row)

        self.add = binary(BINARY_ADD, pairs * row)
        self.subtract = binary(BINARY_SUB, pairs * row)

    def read(self, image: int, first: int, pairs: int, scratch: int) -> StripRows:
        """Return the rows of the strip from pair `first` on, which fill `scratch`.

        The image has `pairs` pairs of rows.
        """
        row = self.row_bytes
        strip = self.pairs * row
        begin = image + 2 * first * row
        is_last = first + self.pairs == pairs

        # In scratch, the odd row above comes before the odd rows, the even row below
        # after the even rows; then come the transformed rows.
        above = scratch
        odd = above + row
        even = odd + strip
        below = even + strip
        transformed = range(below + row, below + row + 4 * strip, strip)

        if first == 0:
            memset(above, 0, row)
        else:
            memmove(above, begin - row, row)
        self.gather(begin + row, odd)
        self.gather(begin, even)
        if is_last:
            memset(below, 0, row)
        else:
            memmove(below, begin + 2 * strip, row)

        # d1 and d2 are the even and the odd rows. d0 are the odd rows, one pair
        # earlier, and d3 the even rows, one pair later.
        d0, d1, d2, d3 = above, even, odd, even + row
        self.subtract(d0, d2, transformed[0])
        self.add(d1, d2, transformed[1])
        self.subtract(d2, d1, transformed[2])
        self.subtract(d3, d1, transformed[3])
        return StripRows(transformed, even, odd)

    def write(self, image: int, first: int, even: int, odd: int) -> None:
        """Write even and odd rows to the strip from pair `first` on."""
        even_target = image + 2 * first * self.row_bytes
        odd_target = even_target + self.row_bytes
        self.scatter(even, even_target)
        self.scatter(odd, odd_target)


@lru_cache(CACHE_SIZE)
def _filter(spec: RowFilterSpec, transposed: bool) -> RowFilter:
    return RowFilter(spec, transposed=transposed)


@lru_cache(CACHE_SIZE)
def _weight_gradient(spec: RowFilterSpec) -> RowWeightGradient:
    return RowWeightGradient(spec)


@lru_cache(CACHE_SIZE)
def winograd_pays_off(shape: Sequence[int], weight_shape: Sequence[int]) -> bool:
    """Return whether this convolution of stride 1 is faster so on this CPU.

    `shape` is the input's (N, H, W, C).
    """
    _, height, width, in_ch = shape
    out_ch, _, kernel_size, _ = weight_shape
    if kernel_size != 3 or height % 2:
        return False
    if min(in_ch, out_ch) < MIN_CHANNELS or height * width < MIN_PIXELS:
        return False

    # Only these implementations fuse what comes after a convolution; the others are
    # slow.
    spec = _filter_spec(shape, out_ch)
    try:
        forward = _filter(spec, False)
        backward = _filter(spec, True)
    except OneDNNError:
        return False
    return all(part.implementation.startswith("brg") for part in (forward, backward))


def _filter_spec(
    shape: Sequence[int], out_ch: int, slope: float = 1.0, has_bias: bool = False
) -> RowFilterSpec:
    """Return the spec with the largest equal strips within STRIP_BYTES."""
    _, height, width, in_ch = shape
    pair_bytes = 4 * width * max(in_ch, out_ch)  # of the even row
    most_pairs = max(1, STRIP_BYTES * threads() // pair_bytes)

    pairs = largest_divisor(height // 2, 1, most_pairs) or 1
    return RowFilterSpec(pairs, width, in_ch, out_ch, slope, has_bias)


class WinogradConvolution:
    """A 3x3 convolution of stride 1 with a leaky ReLU: an `AnyConvolution`.

    Args:
        spec: of the convolutions of a strip.
    """

    dtype = F32

    def __init__(self, spec: RowFilterSpec) -> None:
        self.spec = spec
        self.slope = spec.slope
        self.inputs = ImageStrips(spec.pairs, spec.width, spec.in_ch)
        self.outputs = ImageStrips(spec.pairs, spec.width, spec.out_ch)
        self.forward = _filter(spec, False)

        # from dy to dx
        backward_spec = RowFilterSpec(
            spec.pairs, spec.width, spec.out_ch, spec.in_ch, has_bias=False
        )
        self.backward = _filter(backward_spec, True)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """See `AnyConvolution`."""
        n, height, width, _ = x.shape
        pairs = height // 2
        inputs, convolve = self.inputs, self.forward
        weights = convolve.transformed(weight.data_ptr())

        y = empty([n, height, width, self.spec.out_ch])
        # four strips of the output, 4 bytes a float
        memory = empty([inputs.scratch_floats + convolve.strip_bytes])
        scratch = memory.data_ptr()
        result = _result_memory(
            scratch + 4 * inputs.scratch_floats, convolve.strip_bytes
        )
        _, even, odd = result

        for i in range(n):
            x_address = image_address(x, i)
            y_address = image_address(y, i)
            for first in range(0, pairs, self.spec.pairs):
                rows = inputs.read(x_address, first, pairs, scratch)
                convolve(rows.transformed, weights, bias, *result)
                self.outputs.write(y_address, first, even, odd)
        return y

    def gradients(
        self, x: Tensor | None, weight: Tensor, dy: Tensor, *, dx_wanted: bool
    ) -> Gradients:
        """See `AnyConvolution`."""
        spec, inputs, outputs = self.spec, self.inputs, self.outputs
        n, height, width, _ = dy.shape
        pairs = height // 2

        convolve = self.backward
        dx = weights = None
        if dx_wanted:
            dx = empty([n, height, width, spec.in_ch])
            weights = convolve.transformed(weight.data_ptr())

        # from x and dy to the weight's gradient
        total = None
        if x is not None:
            gradient = _weight_gradient(spec._replace(slope=1.0, has_bias=True))
            total = RowWeightGradientSum(gradient, n * pairs // spec.pairs)

        memory = empty(
            [inputs.scratch_floats + outputs.scratch_floats + convolve.strip_bytes]
        )
        dy_scratch = memory.data_ptr()
        x_scratch = dy_scratch + 4 * outputs.scratch_floats
        result = _result_memory(
            x_scratch + 4 * inputs.scratch_floats, convolve.strip_bytes
        )
        _, even, odd = result

        for i in range(n):
            dy_address = image_address(dy, i)
            for first in range(0, pairs, spec.pairs):
                dy_rows = outputs.read(dy_address, first, pairs, dy_scratch)
                if dx is not None:
                    convolve(dy_rows.transformed, weights, None, *result)
                    inputs.write(image_address(dx, i), first, even, odd)
                if x is not None and total is not None:
                    x_rows = inputs.read(image_address(x, i), first, pairs, x_scratch)
                    total.add_strip(x_rows.transformed, dy_rows)

        dweight, dbias = (None, None) if total is None else total.result(weight.shape)
        return dx, dweight, dbias


@lru_cache(CACHE_SIZE)
def _winograd_convolution(spec: RowFilterSpec) -> WinogradConvolution:
    return WinogradConvolution(spec)


def winograd_convolution(
    shape: Sequence[int], out_ch: int, slope: float, has_bias: bool
) -> WinogradConvolution:
    """Return the primitives for an input of this shape (N, H, W, C), created once."""
    return _winograd_convolution(_filter_spec(shape, out_ch, slope, has_bias))


def _result_memory(begin: int, strip_bytes: int) -> tuple[int, int, int]:
    """Return the addresses of a filter's scratch, its even and its odd rows."""
    scratch = begin
    even = scratch + 2 * strip_bytes
    odd = even + strip_bytes
    return scratch, even, odd
