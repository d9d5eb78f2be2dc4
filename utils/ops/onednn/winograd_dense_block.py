"""ESRGAN's dense block with a third fewer multiplications: as `onednn_dense_block`, of even and odd rows apart.

Features and gradients lie as described there, blocked by 16 channels, but the even rows
of a picture in one buffer and its odd rows in another. What the convolutions of
`onednn_rows` read, sums of neighbouring rows, lies in four buffers more; the sums of a
feature are made once, for all the convolutions that see it. For the backward pass, only
features are kept.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.dense_block import BLOCK, Kind, scale_last
from realesrgan_paddle.utils.ops.onednn.leaky_relu import leaky_relu_backward
from realesrgan_paddle.utils.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    DIFF_DST,
    DIFF_SRC,
    DST,
    SRC,
    SRC_1,
    OneDNNError,
    binary,
    contiguous,
    layout,
    nchw,
    reorder,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty, picture
from realesrgan_paddle.utils.ops.onednn.winograd_rows import (
    Filter,
    Rows,
    Sums,
    WeightGradient,
)
from realesrgan_paddle.utils.ops.onednn.winograd_rows import Kind as RowsKind
from realesrgan_paddle.utils.ops.plain import DENSE_BLOCK_SCALE, DENSE_BLOCK_SLOPE

CACHED = 64
MIN_PIXELS = 1024
"""With fewer, the sums of weights cost more than the multiplications that they save."""


class Features:
    """Buffers of channels of one size of picture, in blocks: even rows, odd rows, and four of their sums."""

    def __init__(self, channels: int, pairs: int, width: int) -> None:
        self.channels, self.pairs, self.row = channels, pairs, BLOCK * width
        self.channel_bytes = 4 * pairs * width
        self.buffer_bytes = channels * self.channel_bytes
        self.edge = binary(BINARY_SUB, self.row)
        self.zeros = paddle.zeros([self.row])

    def at(self, buffers: int, i: int, channel: int) -> int:
        """Return the address of a channel in the i-th of some buffers that lie in a row."""
        return buffers + i * self.buffer_bytes + channel * self.channel_bytes

    def add_up(self, features: int, sums: int, begin: int, end: int) -> None:
        """Fill four buffers with d0 - d2, d1 + d2, d2 - d1, d3 - d1 of channels `begin` to `end` of two."""
        elements, row = (end - begin) * self.channel_bytes // 4, 4 * self.row
        even, odd = (self.at(features, i, begin) for i in range(2))
        above, plus, minus, below = (self.at(sums, i, begin) for i in range(4))
        _flat(BINARY_ADD, elements)({SRC: even, SRC_1: odd, DST: plus})
        _flat(BINARY_SUB, elements)({SRC: odd, SRC_1: even, DST: minus})
        neighbours = _flat(BINARY_SUB, elements - self.row)
        neighbours({SRC: odd, SRC_1: odd + row, DST: above + row})
        neighbours({SRC: even + row, SRC_1: even, DST: below})
        zeros, block = self.zeros.data_ptr(), BLOCK * self.channel_bytes
        for i in range(
            (end - begin) // BLOCK
        ):  # where a picture ends, the next row is of another channel
            first, last = i * block, (i + 1) * block - row
            self.edge({SRC: zeros, SRC_1: odd + first, DST: above + first})
            self.edge({SRC: zeros, SRC_1: even + last, DST: below + last})


@lru_cache(256)
def _flat(kind: int, elements: int) -> Any:
    return binary(kind, elements)


class DenseRows:
    """The primitives of one kind of dense block, for one picture; what enters and leaves is NHWC."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.pairs = kind, kind.height // 2
        self.features = Features(kind.channels, self.pairs, kind.width)
        self.outer_row = 4 * kind.width * kind.num_feat
        inside = self._rows(kind.num_feat, kind.num_feat).features(kind.num_feat)
        height, channels = 2 * kind.width * kind.num_feat, kind.num_feat
        outside = layout(
            (1, channels, self.pairs, kind.width),
            (height * self.pairs, 1, height, channels),
        )
        self.enter, self.add = (
            reorder(outside, inside),
            reorder(inside, outside, add=True),
        )
        shapes = list(zip(kind.seen, kind.out, strict=True))
        last = kind.convolutions - 1
        self.forward = [
            Filter(self._rows(*pair, 1.0 if i == last else DENSE_BLOCK_SLOPE))
            for i, pair in enumerate(shapes)
        ]
        self.backward = [self._backward(i) for i in range(kind.convolutions)]
        self.weight_gradients = [WeightGradient(self._rows(*pair)) for pair in shapes]
        self.weight_shapes = [(out, seen, 3, 3) for seen, out in shapes]
        self.gather = [
            reorder(nchw(s), layout(s, (kind.channels * 9, 9, 3, 1)))
            for s in self.weight_shapes
        ]
        self.activation = leaky_relu_backward(
            kind.num_grow_ch * self.pairs * kind.width, DENSE_BLOCK_SLOPE
        )
        self.scratch_floats = (2 + 4 + 4) * self.features.buffer_bytes // 4

    def _rows(
        self, seen: int, out: int, slope: float = 1.0, *, has_bias: bool = True
    ) -> RowsKind:
        return RowsKind(
            self.pairs, self.kind.width, seen, out, slope, has_bias, in_blocks=True
        )

    def _backward(self, i: int) -> Filter:
        """Return what makes the gradient of x (i = 0) or xi from those of all convolutions that see it."""
        kind = self.kind
        after = kind.channels if i == 0 else kind.gradients[i - 1]
        rows = self._rows(
            after, kind.out[i - 1] if i else kind.num_feat, has_bias=False
        )
        return Filter(rows, steps=(9, kind.channels * 9))

    def entered(self, picture: int, buffers: int) -> None:
        """Take the rows of a picture apart, into the first channels of two buffers."""
        for i in range(2):
            self.enter(
                {
                    SRC: picture + i * self.outer_row,
                    DST: self.features.at(buffers, i, 0),
                }
            )

    def added(self, even: int, odd: int, picture: int) -> None:
        """Add what the last convolution made to a picture."""
        for i, source in enumerate((even, odd)):
            self.add({SRC: source, DST: picture + i * self.outer_row})


@lru_cache(CACHED)
def _dense_rows(kind: Kind) -> DenseRows:
    return DenseRows(kind)


@lru_cache(CACHED)
def fits(kind: Kind) -> bool:
    """Return whether a dense block is faster this way, on this CPU; its channels fall into blocks."""
    if kind.height % 2 or kind.height * kind.width < MIN_PIXELS:
        return False
    # what comes after a convolution is part of it in this implementation; elsewhere it
    # is slow
    try:
        block = _dense_rows(kind)
    except OneDNNError:
        return False
    return all(
        part.implementation.startswith("jit:avx512")
        for part in (*block.forward, *block.backward)
    )


class DenseRowsLayer(PyLayer):
    """A dense block; apply(x, weight 1, bias 1, ..., weight 5, bias 5)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return x (N, H, W, C) plus 0.2 times what the last convolution makes."""
        n, height, width, channels = x.shape
        ctx.kind = Kind(
            channels, parameters[0].shape[0], len(parameters) // 2, height, width
        )
        block = _dense_rows(ctx.kind)
        x, weights, biases = (
            contiguous(x),
            scale_last(parameters[::2]),
            scale_last(parameters[1::2]),
        )
        features = empty([n, 2 * block.features.buffer_bytes // 4])
        out = x.clone()
        _compute(block, x, features, out, weights, biases)
        ctx.learn = [not tensor.stop_gradient for tensor in parameters]
        ctx.save_for_backward(features, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and all weights and biases; None for those that do not learn."""
        features, *weights = ctx.saved_tensor()
        block, dy = _dense_rows(ctx.kind), contiguous(dy)
        n, learns = (
            dy.shape[0],
            [any(ctx.learn[i : i + 2]) for i in range(0, len(ctx.learn), 2)],
        )
        sums = [
            Sums(g, n) if learn else None
            for g, learn in zip(block.weight_gradients, learns, strict=True)
        ]
        dx = dy.clone()
        _compute_gradients(block, dy, features, dx, weights, sums)
        found: list[Tensor | None] = []
        for total, shape in zip(sums, block.weight_shapes, strict=True):
            found += total.finished(shape) if total else (None, None)
        found[-2:] = [
            tensor if tensor is None else tensor * DENSE_BLOCK_SCALE
            for tensor in found[-2:]
        ]
        return dx, *(
            tensor if learn else None
            for tensor, learn in zip(found, ctx.learn, strict=True)
        )


def _compute(
    block: DenseRows,
    x: Tensor,
    features: Tensor,
    out: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
) -> None:
    """Fill `features` with those of all pictures of x, and add the last convolution's to `out`."""
    kind, parts = block.kind, block.features
    ready = [
        part.weights(w.data_ptr())
        for part, w in zip(block.forward, weights, strict=True)
    ]
    room = empty([block.scratch_floats])
    sums = room.data_ptr()
    scratch = parts.at(sums, 4, 0)
    even, odd = (parts.at(scratch, 2 + i, 0) for i in range(2))
    for n in range(x.shape[0]):
        buffers = picture(features, n)
        block.entered(picture(x, n), buffers)
        parts.add_up(buffers, sums, 0, kind.num_feat)
        of = [parts.at(sums, i, 0) for i in range(4)]
        for i, convolve in enumerate(block.forward[:-1]):
            begin, end = kind.seen[i], kind.seen[i + 1]
            convolve(
                of,
                ready[i],
                biases[i],
                scratch,
                *(parts.at(buffers, j, begin) for j in range(2)),
            )
            parts.add_up(buffers, sums, begin, end)
        block.forward[-1](of, ready[-1], biases[-1], scratch, even, odd)
        block.added(even, odd, picture(out, n))


def _compute_gradients(
    block: DenseRows,
    dy: Tensor,
    features: Tensor,
    dx: Tensor,
    weights: list[Tensor],
    totals: Sequence[Sums | None],
) -> None:
    """Add what comes through the convolutions to `dx`, and compute the gradients of the weights."""
    kind, parts = block.kind, block.features
    ready = _weights_to_backward(block, weights)
    room = empty([block.scratch_floats + 4 * parts.buffer_bytes // 4])
    buffers = room.data_ptr()
    sums, seen, scratch = (parts.at(buffers, i, 0) for i in (2, 6, 10))
    even, odd = (parts.at(scratch, 2 + i, 0) for i in range(2))
    of = [parts.at(sums, i, 0) for i in range(4)]
    for n in range(dy.shape[0]):
        block.entered(picture(dy, n), buffers)
        parts.add_up(buffers, sums, 0, kind.num_feat)
        for i in range(kind.convolutions - 1, 0, -1):
            begin, channel = kind.gradients[i - 1], kind.seen[i - 1]
            made = [parts.at(buffers, j, begin) for j in range(2)]
            block.backward[i](of, ready[i], None, scratch, *made)
            for j, rows in enumerate(made):
                feature = parts.at(picture(features, n), j, channel)
                block.activation({DST: feature, DIFF_DST: rows, DIFF_SRC: rows})
            parts.add_up(buffers, sums, begin, begin + kind.num_grow_ch)
        block.backward[0](of, ready[0], None, scratch, even, odd)
        block.added(even, odd, picture(dx, n))
        if any(totals):
            parts.add_up(picture(features, n), seen, 0, kind.channels)
        for total, channel in zip(totals, kind.gradients, strict=True):
            if total:
                apart = (parts.at(buffers, j, channel) for j in range(2))
                of_dy = Rows([parts.at(sums, i, channel) for i in range(4)], *apart)
                total.include([parts.at(seen, i, 0) for i in range(4)], of_dy)


def _weights_to_backward(block: DenseRows, weights: list[Tensor]) -> list[Tensor]:
    """Return, for x and each xi, the parts of the weights that see it, turned around: gradients are so convolved."""
    kind = block.kind
    matrix = empty([kind.channels, kind.channels, 3, 3])
    for copy, weight, row in zip(block.gather, weights, kind.gradients, strict=True):
        copy(
            {
                SRC: weight.data_ptr(),
                DST: matrix.data_ptr() + 4 * 9 * kind.channels * row,
            }
        )
    matrix = matrix.flip([2, 3])
    columns = [0, *kind.seen[:-1]]
    return [
        part.weights(matrix.data_ptr() + 4 * 9 * c)
        for part, c in zip(block.backward, columns, strict=True)
    ]
