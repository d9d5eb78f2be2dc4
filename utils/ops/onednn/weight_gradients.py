"""Gradients of convolutions' weights, from some rows at a time, which stay in the processor's caches: by oneDNN.

oneDNN's own, of a whole picture, takes 1.3 to 1.8 times as long where pictures are
large.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from paddle import Tensor

from realesrgan_paddle.utils.ops.onednn.library import (
    BINARY_ADD,
    BYTES,
    CONVOLUTION_DIRECT,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_WEIGHTS,
    DST,
    F32,
    NULL,
    SRC,
    SRC_1,
    Primitive,
    any_layout,
    binary,
    layout,
    library,
    nhwc,
    size_of,
    sizes,
    threads,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty

CACHED = 256
STRIP_BYTES = 2**18
"""Of a strip's output, for each thread; 2^16 to 2^20 were tried."""
WEIGHTS_PER_STRIP = 4
"""A strip's output has no less than the weight's bytes by this, or adding up gradients costs more than it saves."""
Padding = tuple[int, int]


class Kind(NamedTuple):
    """What tells one gradient from another: (N, C, H, W) of the input and the output."""

    shape: tuple[int, int, int, int]
    out_shape: tuple[int, int, int, int]
    kernel_size: int
    stride: int
    padding: int
    has_bias: bool
    dtype: int

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in, k, k)."""
        return self.out_shape[1], self.shape[1], self.kernel_size, self.kernel_size

    @property
    def rows(self) -> int:
        """Rows of the output in a strip: of equal strips, the largest within the bounds."""
        _, out_ch, height, width = self.out_shape
        weight = 4 * out_ch * self.shape[1] * self.kernel_size**2
        most = max(STRIP_BYTES * threads(), weight // WEIGHTS_PER_STRIP) // (
            BYTES[self.dtype] * width * out_ch
        )
        return max(
            (
                rows
                for rows in range(2, height + 1)
                if height % rows == 0 and rows <= most
            ),
            default=height,
        )


class Strips:
    """The primitives of one kind of gradient."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.rows = kind, kind.rows
        n, in_ch, self.height, width = kind.shape
        _, out_ch, self.out_height, out_width = kind.out_shape
        self.x_row, self.y_row = (
            BYTES[kind.dtype] * size for size in (width * in_ch, out_width * out_ch)
        )
        self.pictures = n if self.rows == self.out_height else 1
        self.strips = self.out_height // self.rows
        weight = any_layout(kind.weight_shape)
        self.primitives: dict[tuple[int, int], Primitive] = {}
        for first in range(0, self.out_height, self.rows):
            begin, end, padding = self._seen(first)
            if padding not in self.primitives:
                x = nhwc((self.pictures, in_ch, end - begin, width), kind.dtype)
                y = nhwc((self.pictures, out_ch, self.rows, out_width), kind.dtype)
                self.primitives[padding] = primitive = _primitive(
                    kind, x, weight, y, padding
                )
                weight = primitive.layouts[DIFF_WEIGHTS]
        self.weight = weight
        self.weight_bytes = size_of(weight)
        self.add = binary(BINARY_ADD, self.weight_bytes // BYTES[F32])

    def _seen(self, first: int) -> tuple[int, int, tuple[int, int]]:
        """Return the rows of the input that the strip from row `first` on sees, and zeros above and below."""
        kind = self.kind
        begin = first * kind.stride - kind.padding
        end = begin + (self.rows - 1) * kind.stride + kind.kernel_size
        above, below = max(0, -begin), max(0, end - self.height)
        return begin + above, end - below, (above, below)

    def __call__(self, x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of the weight, in the layout `weight`, and of the bias, of features (N, H, W, C)."""
        n, out_ch = self.kind.out_shape[:2]
        count = n // self.pictures * self.strips
        total = empty([self.weight_bytes], "uint8")
        one = total if count == 1 else empty([self.weight_bytes], "uint8")
        biases = (
            empty([count, out_ch] if count > 1 else [out_ch])
            if self.kind.has_bias
            else None
        )
        for i in range(count):
            picture, first = i // self.strips, i % self.strips * self.rows
            begin, _, padding = self._seen(first)
            addresses = {
                SRC: x.data_ptr() + (picture * self.height + begin) * self.x_row,
                DIFF_DST: dy.data_ptr()
                + (picture * self.out_height + first) * self.y_row,
                DIFF_WEIGHTS: (one if i else total).data_ptr(),
            }
            if biases is not None:
                addresses[DIFF_BIAS] = biases.data_ptr() + 4 * i * out_ch
            self.primitives[padding](addresses)
            if i:
                self.add(
                    {
                        SRC: total.data_ptr(),
                        SRC_1: one.data_ptr(),
                        DST: total.data_ptr(),
                    }
                )
        return total, biases if biases is None or count == 1 else biases.sum(0)


def _primitive(
    kind: Kind, x: Any, weight: Any, y: Any, padding: tuple[int, int]
) -> Primitive:
    above, below = padding
    bias = layout((kind.out_shape[1],), (1,)) if kind.has_bias else NULL
    description = describe_backward_weights(
        x, weight, bias, y, kind.stride, (above, kind.padding), (below, kind.padding)
    )
    biases = {DIFF_BIAS: bias} if kind.has_bias else {}
    return Primitive(description, {SRC: x, DIFF_WEIGHTS: None, DIFF_DST: y, **biases})


def describe_backward_weights(
    x: Any,
    dw: Any,
    bias: Any,
    dy: Any,
    stride: int = 1,
    before: Padding = (1, 1),
    after: Padding = (1, 1),
) -> Any:
    """Return the description of the gradients of a convolution's weight and bias.

    `before` are the zeros above and to the left, `after` those below and to the right.
    """
    dnnl = library()
    return dnnl.create(
        "dnnl_convolution_backward_weights_primitive_desc_create",
        dnnl.engine,
        CONVOLUTION_DIRECT,
        x,
        dw,
        bias,
        dy,
        sizes((stride, stride)),
        sizes((0, 0)),
        sizes(before),
        sizes(after),
        NULL,
        NULL,
    )


@lru_cache(CACHED)
def strips(kind: Kind) -> Strips:
    """Return the primitives of this kind of gradient, made once."""
    return Strips(kind)
