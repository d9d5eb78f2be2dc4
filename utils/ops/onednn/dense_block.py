"""ESRGAN's dense block by oneDNN, without a concatenation: each convolution writes where the next ones read.

All features of one picture lie in one buffer, blocked by 16 channels: (channels / 16,
H, W, 16). In this layout the first channels are the first part of the memory, and some
channels in the middle a part in the middle.

    forward, the features:    x | x1 | x2 | x3 | x4       xi   = conv i of all before it, and a leaky ReLU
    backward, the gradients:  dy5 | dy4 | dy3 | dy2 | dy1  dyi = gradient of conv i's output

A gradient is made as a feature is: xi was seen by the convolutions after it, so dyi is
one convolution (the gradient of a convolution is one) of all gradients before it, with
the parts of those weights that saw xi. So nothing is added up either. What is kept for
the backward pass is one buffer, a third of what concatenations keep.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.convolution import (
    describe_backward_data,
    describe_forward,
    leaky_relu_after,
    reordered,
)
from realesrgan_paddle.utils.ops.onednn.leaky_relu import leaky_relu_backward
from realesrgan_paddle.utils.ops.onednn.library import (
    BIAS,
    BYTES,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    F32,
    NULL,
    SRC,
    WEIGHTS,
    Primitive,
    any_layout,
    blocked,
    contiguous,
    implementation,
    layout,
    library,
    nchw,
    nhwc,
    reorder,
    size_of,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty
from realesrgan_paddle.utils.ops.onednn.weight_gradients import (
    describe_backward_weights,
)
from realesrgan_paddle.utils.ops.plain import DENSE_BLOCK_SCALE, DENSE_BLOCK_SLOPE

CACHED = 64
BLOCK = 16
"""Channels that lie together; both numbers of channels are multiples of it."""


class Kind(NamedTuple):
    """What tells one dense block from another: channels in and out, channels of each growth, sizes of a picture."""

    num_feat: int
    num_grow_ch: int
    convolutions: int
    height: int
    width: int
    dtype: int = F32

    @property
    def out(self) -> list[int]:
        """Channels that each convolution makes."""
        return [self.num_grow_ch] * (self.convolutions - 1) + [self.num_feat]

    @property
    def seen(self) -> list[int]:
        """Channels that each convolution sees."""
        return list(accumulate(self.out[:-1], initial=self.num_feat))

    @property
    def channels(self) -> int:
        """Channels of a buffer."""
        return self.seen[-1]

    @property
    def gradients(self) -> list[int]:
        """Where the gradient of each convolution's output begins, in channels."""
        return [*reversed(self.seen[:-1]), 0]


class DenseBlock:
    """The primitives of one kind of dense block, for one picture.

    `dtype` is the type of the buffers; what enters and leaves is NHWC in float32.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        size = (kind.height, kind.width)
        self.picture_bytes = (
            kind.channels * kind.height * kind.width * BYTES[kind.dtype]
        )
        outside, inside = nhwc((1, kind.num_feat, *size)), self._features(kind.num_feat)
        result = self._features(kind.num_feat, F32)
        self.enter = reorder(outside, inside)
        self.add = reorder(result, outside, add=True)
        self.activation_backward = leaky_relu_backward(
            kind.num_grow_ch * kind.height * kind.width, DENSE_BLOCK_SLOPE, kind.dtype
        )
        channels = list(zip(kind.seen, kind.out, strict=True))
        self.forward = [
            *(self._forward(*pair) for pair in channels[:-1]),
            self._forward(*channels[-1], result),
        ]
        self.backward_weights = [self._backward_weights(*pair) for pair in channels]
        self.backward_data = [self._backward_data(i) for i in range(kind.convolutions)]
        self.weight_shapes = [(out, seen, 3, 3) for seen, out in channels]
        self.weights_to_forward = [
            reorder(nchw(shape), primitive.layouts[WEIGHTS])
            for shape, primitive in zip(self.weight_shapes, self.forward, strict=True)
        ]
        self.weight_gradients = [
            reorder(primitive.layouts[DIFF_WEIGHTS], nchw(shape))
            for shape, primitive in zip(
                self.weight_shapes, self.backward_weights, strict=True
            )
        ]
        self._add_gathering()

    def at(self, buffer: Tensor, channel: int, picture: int = 0) -> int:
        """Return the address of a channel, a multiple of BLOCK, in a buffer of one or more pictures."""
        kind = self.kind
        inside = channel * kind.height * kind.width * BYTES[kind.dtype]
        return buffer.data_ptr() + picture * self.picture_bytes + inside

    def _features(self, channels: int, dtype: int | None = None) -> Any:
        kind = self.kind
        return blocked((1, channels, kind.height, kind.width), dtype or kind.dtype)

    def _forward(self, seen: int, out: int, result: Any = None) -> Primitive:
        bias = layout((out,), (1,))
        after = NULL if result else leaky_relu_after(DENSE_BLOCK_SLOPE)
        y = result or self._features(out)
        weight = any_layout((out, seen, 3, 3), self.kind.dtype)
        description = describe_forward(
            self._features(seen), weight, bias, y, attributes=after
        )
        return Primitive(
            description, {SRC: self._features(seen), WEIGHTS: None, BIAS: bias, DST: y}
        )

    def _backward_weights(self, seen: int, out: int) -> Primitive:
        bias, x, y = layout((out,), (1,)), self._features(seen), self._features(out)
        description = describe_backward_weights(
            x, any_layout((out, seen, 3, 3)), bias, y
        )
        return Primitive(
            description, {SRC: x, DIFF_WEIGHTS: None, DIFF_BIAS: bias, DIFF_DST: y}
        )

    def _backward_data(self, i: int) -> Primitive:
        """Return what makes the gradient of x (i = 0) or xi from those of all convolutions that see it."""
        kind = self.kind
        channels = kind.out[i - 1] if i else kind.num_feat
        after = kind.channels if i == 0 else kind.gradients[i - 1]
        dy, weight = (
            self._features(after),
            any_layout((after, channels, 3, 3), kind.dtype),
        )
        dx = self._features(channels, kind.dtype if i else F32)
        description = describe_backward_data(dx, weight, dy)
        return Primitive(description, {DIFF_SRC: dx, WEIGHTS: None, DIFF_DST: dy})

    def _add_gathering(self) -> None:
        """Add the copies of the weights to one matrix, rows as the gradients and columns as the features, and from it.

        Where no weight is, nothing is read.
        """
        kind = self.kind
        strides = (kind.channels * 9, 9, 3, 1)
        self.gather = [
            reorder(nchw(shape), layout(shape, strides)) for shape in self.weight_shapes
        ]
        self.weights_to_backward = []
        for i, primitive in enumerate(self.backward_data):
            rows = kind.channels if i == 0 else kind.gradients[i - 1]
            columns = kind.out[i - 1] if i else kind.num_feat
            part = layout((rows, columns, 3, 3), strides)
            self.weights_to_backward.append(reorder(part, primitive.layouts[WEIGHTS]))


@lru_cache(CACHED)
def dense_block(kind: Kind) -> DenseBlock:
    """Return the primitives of this kind of dense block, made once."""
    return DenseBlock(kind)


@lru_cache(CACHED)
def fits(num_feat: int, num_grow_ch: int, dtype: int) -> bool:
    """Return whether the channels fall into blocks, and this CPU convolves blocks of 16 at speed (AVX-512)."""
    if num_feat % BLOCK or num_grow_ch % BLOCK:
        return False
    dnnl, shape = library(), (1, num_feat, BLOCK, BLOCK)
    x, weight = blocked(shape, dtype), any_layout((num_feat, num_feat, 3, 3), dtype)
    description = describe_forward(x, weight, NULL, x)
    found = implementation(description)
    dnnl.call("dnnl_primitive_desc_destroy", description)
    return not found.startswith(
        "ref"
    )  # the reference implementation, a thousand times slower


class DenseBlockLayer(PyLayer):
    """A dense block; apply(x, weight 1, bias 1, ..., weight 5, bias 5, dtype=...)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor, dtype: int) -> Tensor:
        """Return x (N, H, W, C) plus 0.2 times what the last convolution makes."""
        n, height, width, channels = x.shape
        ctx.x_learns, ctx.learn = (
            not x.stop_gradient,
            [not tensor.stop_gradient for tensor in parameters],
        )
        weights, biases = parameters[::2], parameters[1::2]
        kind = Kind(channels, biases[0].shape[0], len(weights), height, width, dtype)
        block = dense_block(kind)
        x = contiguous(x)
        scaled = scale_last(weights), scale_last(biases)
        features = empty([n * block.picture_bytes], "uint8")
        out = x.clone()
        _compute(block, x, features, out, *scaled)
        ctx.kind = kind
        ctx.save_for_backward(features, *scaled[0])
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and all weights and biases; None for what does not learn."""
        features, *weights = ctx.saved_tensor()
        block, dy = dense_block(ctx.kind), contiguous(dy)
        gradients = _Gradients(block, dy.shape[0], ctx.learn)
        dx = dy.clone()
        _compute_gradients(block, dy, features, dx, weights, gradients)
        return (dx if ctx.x_learns else None, *gradients.finished())


def scale_last(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the weights or the biases of a block's convolutions; the last's are scaled, so that its result is."""
    return [
        *(contiguous(tensor) for tensor in tensors[:-1]),
        tensors[-1] * DENSE_BLOCK_SCALE,
    ]


def _compute(
    block: DenseBlock,
    x: Tensor,
    features: Tensor,
    out: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
) -> None:
    """Fill `features` with those of all pictures of x, and add the last convolution's to `out`."""
    kind = block.kind
    blocked_weights = [
        reordered(*pair) for pair in zip(block.weights_to_forward, weights, strict=True)
    ]
    result = empty([kind.num_feat * kind.height * kind.width])
    step = 4 * result.size
    for n in range(x.shape[0]):
        seen = block.at(features, 0, n)
        block.enter({SRC: x.data_ptr() + n * step, DST: seen})
        for i, primitive in enumerate(block.forward):
            last = i == kind.convolutions - 1
            y = result.data_ptr() if last else block.at(features, kind.seen[i], n)
            weight, bias = blocked_weights[i].data_ptr(), biases[i].data_ptr()
            primitive({SRC: seen, WEIGHTS: weight, BIAS: bias, DST: y})
        block.add({SRC: result.data_ptr(), DST: out.data_ptr() + n * step})


def _compute_gradients(
    block: DenseBlock,
    dy: Tensor,
    features: Tensor,
    dx: Tensor,
    weights: list[Tensor],
    gradients: "_Gradients",
) -> None:
    """Add what comes through the convolutions to `dx`, and compute the gradients of the weights."""
    kind = block.kind
    blocked_weights = _weights_to_backward(block, weights)
    buffer = empty([block.picture_bytes], "uint8")
    result = empty([kind.num_feat * kind.height * kind.width])
    step = 4 * result.size
    for n in range(dy.shape[0]):
        block.enter({SRC: dy.data_ptr() + n * step, DST: block.at(buffer, 0)})
        for i in range(kind.convolutions - 1, 0, -1):
            made = block.at(buffer, kind.gradients[i - 1])
            weight = blocked_weights[i].data_ptr()
            block.backward_data[i](
                {DIFF_DST: block.at(buffer, 0), WEIGHTS: weight, DIFF_SRC: made}
            )
            block.activation_backward(
                {
                    DST: block.at(features, kind.seen[i - 1], n),
                    DIFF_DST: made,
                    DIFF_SRC: made,
                }
            )
        weight = blocked_weights[0].data_ptr()
        block.backward_data[0](
            {
                DIFF_DST: block.at(buffer, 0),
                WEIGHTS: weight,
                DIFF_SRC: result.data_ptr(),
            }
        )
        block.add({SRC: result.data_ptr(), DST: dx.data_ptr() + n * step})
        gradients.compute(
            n,
            block.at(features, 0, n),
            [block.at(buffer, channel) for channel in kind.gradients],
        )


def _weights_to_backward(block: DenseBlock, weights: list[Tensor]) -> list[Tensor]:
    """Return, for x and each xi, the parts of the weights that see it."""
    kind = block.kind
    matrix = empty([kind.channels, kind.channels, 3, 3])
    for copy, weight, row in zip(block.gather, weights, kind.gradients, strict=True):
        copy(
            {
                SRC: weight.data_ptr(),
                DST: matrix.data_ptr() + 4 * 9 * kind.channels * row,
            }
        )
    columns = [0, *kind.seen[:-1]]
    parts = []
    for copy, column in zip(block.weights_to_backward, columns, strict=True):
        part = empty([size_of(copy.layouts[DST])], "uint8")
        copy({SRC: matrix.data_ptr() + 4 * 9 * column, DST: part.data_ptr()})
        parts.append(part)
    return parts


class _Gradients:
    """The gradients of the weights and biases that learn, for each of `pictures`, then summed up."""

    def __init__(self, block: DenseBlock, pictures: int, learn: list[bool]) -> None:
        self.block, self.learn = block, learn
        sizes = [
            size_of(primitive.layouts[DIFF_WEIGHTS]) // 4
            for primitive in block.backward_weights
        ]
        self.weights = [empty([pictures, size]) for size in sizes]
        self.biases = [empty([pictures, out]) for out in block.kind.out]

    def compute(self, picture: int, features: int, gradients: Sequence[int]) -> None:
        """Compute those of one picture, from the addresses of its features and of each output's gradient."""
        for i, primitive in enumerate(self.block.backward_weights):
            if any(self.learn[2 * i : 2 * i + 2]):
                weight = (
                    self.weights[i].data_ptr() + 4 * picture * self.weights[i].shape[1]
                )
                bias = self.biases[i].data_ptr() + 4 * picture * self.biases[i].shape[1]
                primitive(
                    {
                        SRC: features,
                        DIFF_DST: gradients[i],
                        DIFF_WEIGHTS: weight,
                        DIFF_BIAS: bias,
                    }
                )

    def finished(self) -> list[Tensor | None]:
        """Return weight 1, bias 1, ..., None for those that do not learn."""
        found: list[Tensor | None] = []
        for i, (learns_weight, learns_bias) in enumerate(
            zip(self.learn[::2], self.learn[1::2], strict=True)
        ):
            found.append(self._weight(i) if learns_weight else None)
            found.append(self.biases[i].sum(0) if learns_bias else None)
        found[-2:] = [
            None if tensor is None else tensor * DENSE_BLOCK_SCALE
            for tensor in found[-2:]
        ]
        return found

    def _weight(self, i: int) -> Tensor:
        total, weight = self.weights[i].sum(0), empty(self.block.weight_shapes[i])
        self.block.weight_gradients[i]({SRC: total.data_ptr(), DST: weight.data_ptr()})
        return weight
