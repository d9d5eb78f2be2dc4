"""Gradients of convolution weights by oneDNN, computed strip by strip.

A strip is some rows of an image that fit in the processor's caches. oneDNN's own
gradient of a whole image takes 1.3 to 1.8 times as long where images are large.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

from paddle import Tensor

from realesrgan_paddle.ops.onednn.convolutions import Padding, describe_backward_weights
from realesrgan_paddle.ops.onednn.library import (
    BYTES,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_WEIGHTS,
    F32,
    NULL,
    SRC,
    threads,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Primitive,
    Shape,
    addition,
    any_layout,
    flat,
    nhwc,
    size_of,
)
from realesrgan_paddle.ops.training.tensor_memory import empty

CACHE_SIZE = 256
"""Gradients whose primitives are kept."""

STRIP_BYTES = 2**18
"""Most bytes of a strip's output, per thread; 2^16 to 2^20 were measured."""

WEIGHTS_PER_STRIP = 4
"""A strip's output may have the weight's bytes divided by this, even above STRIP_BYTES.

With smaller strips, adding up their gradients costs more than the strips save.
"""


class ConvolutionSpec(NamedTuple):
    """What identifies a convolution's primitives; `shape` is the input's."""

    shape: Shape
    out_ch: int
    kernel_size: int
    stride: int = 1
    padding: int = 1
    slope: float = 1.0
    has_bias: bool = True
    dtype: int = F32

    @property
    def weight_shape(self) -> Shape:
        """(out, in, k, k)."""
        in_ch = self.shape[1]
        return self.out_ch, in_ch, self.kernel_size, self.kernel_size

    @property
    def out_shape(self) -> Shape:
        """(N, C, H, W) of the output."""
        n, _, height, width = self.shape
        out_height = self._out_size(height)
        out_width = self._out_size(width)
        return n, self.out_ch, out_height, out_width

    def _out_size(self, size: int) -> int:
        last_position = size + 2 * self.padding - self.kernel_size
        return last_position // self.stride + 1


@lru_cache(CACHE_SIZE)
def largest_divisor(number: int, least: int, most: int) -> int | None:
    """Return the largest divisor of `number` from `least` to `most`, if any."""
    for divisor in range(min(number, most), least - 1, -1):
        if number % divisor == 0:
            return divisor
    return None


def _rows_of_strips(spec: ConvolutionSpec) -> int:
    """Return the rows of the output in a strip; all strips are equal."""
    _, out_ch, height, width = spec.out_shape
    row_bytes = BYTES[spec.dtype] * width * out_ch
    weight_bytes = 4 * math.prod(spec.weight_shape)

    in_caches = STRIP_BYTES * threads()
    worth_adding = weight_bytes // WEIGHTS_PER_STRIP
    most_rows = max(in_caches, worth_adding) // row_bytes
    return largest_divisor(height, 2, most_rows) or height


def _input_rows(
    spec: ConvolutionSpec, first: int, rows: int
) -> tuple[int, int, Padding]:
    """Return the input rows of the strip of `rows` rows from output row `first` on.

    These are the first row, the row after the last, and the number of rows of zeros
    above and below.
    """
    height = spec.shape[2]
    last = first + rows - 1
    begin = first * spec.stride - spec.padding
    end = last * spec.stride - spec.padding + spec.kernel_size

    above = max(0, -begin)
    below = max(0, end - height)
    begin += above
    end -= below
    return begin, end, (above, below)


class _Strip(NamedTuple):
    """Where a strip begins, in bytes from the start of an image, and its primitive."""

    x_offset: int
    dy_offset: int
    gradient: Primitive


class WeightGradientByStrips:
    """The primitives of one weight gradient.

    Attributes:
        strips: the strips of an image, top to bottom.
        weight: layout of the result.
    """

    def __init__(self, spec: ConvolutionSpec) -> None:
        self.spec = spec
        n, in_ch, height, width = spec.shape
        _, out_ch, out_height, out_width = spec.out_shape
        x_row = BYTES[spec.dtype] * width * in_ch
        dy_row = BYTES[spec.dtype] * out_width * out_ch
        self.x_bytes = height * x_row
        self.dy_bytes = out_height * dy_row

        # If a strip is a whole image, one call takes the whole batch.
        rows = _rows_of_strips(spec)
        batch = n if rows == out_height else 1
        self.batches = n // batch

        self.strips = []
        self.weight = any_layout(spec.weight_shape)
        by_padding: dict[Padding, Primitive] = {}
        for first in range(0, out_height, rows):
            begin, end, padding = _input_rows(spec, first, rows)
            if padding not in by_padding:
                x = nhwc((batch, in_ch, end - begin, width), spec.dtype)
                dy = nhwc((batch, out_ch, rows, out_width), spec.dtype)
                gradient = _primitive(spec, x, self.weight, dy, padding)
                by_padding[padding] = gradient
                # The first primitive chooses the layout. The others must use it too,
                # as their results are added up.
                self.weight = gradient.layouts[DIFF_WEIGHTS]

            strip = _Strip(begin * x_row, first * dy_row, by_padding[padding])
            self.strips.append(strip)

        self.weight_bytes = size_of(self.weight)
        self.add = addition(self.weight_bytes // BYTES[F32])

    def __call__(self, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of the weight, in the layout `weight`, and the bias.

        x and dy (N, H, W, C) are the convolution's input and its output's gradient.
        """
        out_ch = self.spec.out_ch
        count = self.batches * len(self.strips)

        # The first strip's gradient is written to the total, the others are added.
        total = empty([self.weight_bytes], "uint8")
        single = total if count == 1 else empty([self.weight_bytes], "uint8")
        biases = None
        if self.spec.has_bias:
            biases = empty([count, out_ch] if count > 1 else [out_ch])

        total_address = total.data_ptr()
        single_address = single.data_ptr()

        done = 0
        for i in range(self.batches):
            x_address = x.data_ptr() + i * self.x_bytes
            dy_address = dy.data_ptr() + i * self.dy_bytes
            for strip in self.strips:
                addresses = {
                    SRC: x_address + strip.x_offset,
                    DIFF_DST: dy_address + strip.dy_offset,
                    DIFF_WEIGHTS: single_address if done else total_address,
                }
                if biases is not None:
                    addresses[DIFF_BIAS] = biases.data_ptr() + 4 * done * out_ch
                strip.gradient(addresses)

                if done:
                    self.add(total_address, single_address, total_address)
                done += 1

        if biases is not None and count > 1:
            biases = biases.sum(0)
        return total, biases


def _primitive(
    spec: ConvolutionSpec, x: Any, weight: Any, dy: Any, padding: Padding
) -> Primitive:
    """Return the gradient of a strip that has these rows of zeros above and below."""
    above, below = padding
    bias = flat(spec.out_ch) if spec.has_bias else NULL
    description = describe_backward_weights(
        x, weight, bias, dy, spec.stride, (above, spec.padding), (below, spec.padding)
    )
    biases = {DIFF_BIAS: bias} if spec.has_bias else {}
    return Primitive(description, {SRC: x, DIFF_WEIGHTS: None, DIFF_DST: dy, **biases})


@lru_cache(CACHE_SIZE)
def weight_gradient_by_strips(spec: ConvolutionSpec) -> WeightGradientByStrips:
    """Return the gradient's primitives, created once."""
    return WeightGradientByStrips(spec)
