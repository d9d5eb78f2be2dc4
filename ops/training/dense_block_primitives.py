"""The oneDNN primitives of ESRGAN's dense block; `dense_block` explains the layout."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from paddle import Tensor

from realesrgan_paddle.ops.onednn.convolutions import (
    describe_backward_data,
    describe_backward_weights,
    describe_convolution,
    leaky_relu,
    post_operations,
)
from realesrgan_paddle.ops.onednn.library import (
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
    library,
)
from realesrgan_paddle.ops.onednn.primitives import (
    BLOCK,
    Primitive,
    Shape,
    any_layout,
    blocked,
    flat,
    implementation,
    layout,
    nchw,
    nhwc,
    reorder,
)
from realesrgan_paddle.ops.plain import DENSE_BLOCK_SCALE, DENSE_BLOCK_SLOPE
from realesrgan_paddle.ops.training.activations import leaky_relu_backward
from realesrgan_paddle.ops.training.tensor_memory import contiguous, empty

CACHE_SIZE = 64
"""Dense blocks whose primitives are kept: one for each image size."""


class DenseBlockSpec(NamedTuple):
    """What identifies a dense block's primitives.

    The buffers' dtype is `dtype`. num_feat and num_grow_ch are multiples of BLOCK.
    """

    num_feat: int
    num_grow_ch: int
    convolutions: int
    height: int
    width: int
    dtype: int = F32

    @property
    def out_channels(self) -> list[int]:
        """Output channels of each convolution."""
        growths = [self.num_grow_ch] * (self.convolutions - 1)
        return [*growths, self.num_feat]

    @property
    def in_channels(self) -> list[int]:
        """Input channels of each convolution: x and all outputs before it."""
        growths = self.out_channels[:-1]
        return list(accumulate(growths, initial=self.num_feat))

    @property
    def weight_shapes(self) -> list[Shape]:
        """(out, in, 3, 3) of each convolution."""
        shapes = []
        for out_ch, in_ch in zip(self.out_channels, self.in_channels, strict=True):
            shapes.append((out_ch, in_ch, 3, 3))
        return shapes

    @property
    def buffer_channels(self) -> int:
        """Channels of a buffer: of x and all xi, or of the gradients of all outputs."""
        return self.in_channels[-1]

    @property
    def feature_channels(self) -> list[int]:
        """Channels of x and of each xi."""
        growths = self.out_channels[:-1]
        return [self.num_feat, *growths]

    @property
    def feature_offsets(self) -> list[int]:
        """First channels of x and of each xi in the buffer of features."""
        ends = self.in_channels[:-1]
        return [0, *ends]

    @property
    def gradient_offsets(self) -> list[int]:
        """First channel of the gradient of each convolution's output in its buffer."""
        later_first = reversed(self.in_channels[:-1])
        return [*later_first, 0]

    @property
    def later_channels(self) -> list[int]:
        """For x and each xi: channels of the gradients of all that is made from it.

        These are the first channels of the buffer of gradients.
        """
        ends = self.gradient_offsets[:-1]
        return [self.buffer_channels, *ends]


class WeightMatrix:
    """All weights of a block in one matrix (buffer channels, buffer channels, 3, 3).

    Its rows are in the order of the buffer of gradients, its columns in that of the
    features. The part where no weight is stays uninitialized, and is never read.
    """

    def __init__(self, spec: DenseBlockSpec) -> None:
        self.channels = spec.buffer_channels
        self.strides = (self.channels * 9, 9, 3, 1)

        row_bytes = 4 * self.strides[0]
        self.offsets = [row_bytes * row for row in spec.gradient_offsets]
        self.copies = []
        for shape in spec.weight_shapes:
            part = layout(shape, self.strides)
            self.copies.append(reorder(nchw(shape), part))

    def filled(self, weights: Sequence[Tensor]) -> Tensor:
        """Return the matrix of these weights (out, in, 3, 3)."""
        matrix = empty([self.channels, self.channels, 3, 3])
        for copy, weight, offset in zip(
            self.copies, weights, self.offsets, strict=True
        ):
            copy(weight.data_ptr(), matrix.data_ptr() + offset)
        return matrix


class DenseBlockPrimitives:
    """The primitives of one dense block, for one image at a time.

    Features enter and leave as NHWC in float32.

    Attributes:
        image_bytes: size of a buffer.
        enter: copies an image to the first channels of a buffer.
        add: adds blocked float32 features to an image.
        forward: the convolutions, with their activations.
        activation_backward: the gradient of a leaky ReLU, from its output.
        backward_data: makes the gradients of x and each xi.
        backward_weights: the gradients of each convolution's weight and bias.
    """

    def __init__(self, spec: DenseBlockSpec) -> None:
        self.spec = spec
        pixels = spec.height * spec.width
        self.channel_bytes = pixels * BYTES[spec.dtype]
        self.image_bytes = spec.buffer_channels * self.channel_bytes
        last = spec.convolutions - 1

        image = nhwc((1, spec.num_feat, spec.height, spec.width))
        self.enter = reorder(image, self._features(spec.num_feat, spec.dtype))
        self.add = reorder(self._features(spec.num_feat, F32), image, add=True)

        self.forward = [self._forward(i) for i in range(last)]
        self.forward.append(self._last_forward())
        self.activation_backward = leaky_relu_backward(
            spec.num_grow_ch * pixels, DENSE_BLOCK_SLOPE, spec.dtype
        )
        self.backward_data = [self._backward_data(i) for i in range(last + 1)]
        self.backward_weights = [self._backward_weights(i) for i in range(last + 1)]

        self._create_weight_copies()

    def address(self, buffer: int, channel: int) -> int:
        """Return the address of a channel, a multiple of BLOCK, in a buffer."""
        return buffer + channel * self.channel_bytes

    def weights_for_backward(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Return, for x and each xi, the parts of the weights that take it as input."""
        matrix = self.weight_matrix.filled(weights)
        parts = []
        for copy, column in zip(
            self.weights_to_backward, self.spec.feature_offsets, strict=True
        ):
            part = empty([copy.bytes[DST]], "uint8")
            offset = 4 * 9 * column
            copy(matrix.data_ptr() + offset, part.data_ptr())
            parts.append(part)
        return parts

    def _features(self, channels: int, dtype: int) -> Any:
        """Return the layout of some channels of a buffer."""
        shape = (1, channels, self.spec.height, self.spec.width)
        return blocked(shape, dtype)

    def _forward(self, i: int) -> Primitive:
        spec = self.spec
        x = self._features(spec.in_channels[i], spec.dtype)
        y = self._features(spec.num_grow_ch, spec.dtype)
        weight = any_layout(spec.weight_shapes[i], spec.dtype)
        bias = flat(spec.num_grow_ch)

        activation = post_operations(leaky_relu(DENSE_BLOCK_SLOPE))
        description = describe_convolution(x, weight, bias, y, attributes=activation)
        return Primitive(description, {SRC: x, WEIGHTS: None, BIAS: bias, DST: y})

    def _last_forward(self) -> Primitive:
        """Return the last convolution: no activation, and a float32 result."""
        spec = self.spec
        x = self._features(spec.buffer_channels, spec.dtype)
        y = self._features(spec.num_feat, F32)
        weight = any_layout(spec.weight_shapes[-1], spec.dtype)
        bias = flat(spec.num_feat)

        description = describe_convolution(x, weight, bias, y)
        return Primitive(description, {SRC: x, WEIGHTS: None, BIAS: bias, DST: y})

    def _backward_data(self, i: int) -> Primitive:
        """Return what makes the gradient of x (i = 0, in float32) or of xi."""
        spec = self.spec
        channels = spec.feature_channels[i]
        later_channels = spec.later_channels[i]
        dx = self._features(channels, F32 if i == 0 else spec.dtype)
        dy = self._features(later_channels, spec.dtype)
        weight = any_layout((later_channels, channels, 3, 3), spec.dtype)

        description = describe_backward_data(dx, weight, dy)
        return Primitive(description, {DIFF_SRC: dx, WEIGHTS: None, DIFF_DST: dy})

    def _backward_weights(self, i: int) -> Primitive:
        spec = self.spec
        out_ch = spec.out_channels[i]
        x = self._features(spec.in_channels[i], spec.dtype)
        dy = self._features(out_ch, spec.dtype)
        bias = flat(out_ch)

        weight = any_layout(spec.weight_shapes[i])
        description = describe_backward_weights(x, weight, bias, dy)
        return Primitive(
            description, {SRC: x, DIFF_WEIGHTS: None, DIFF_BIAS: bias, DIFF_DST: dy}
        )

    def _create_weight_copies(self) -> None:
        """Create the copies between (out, in, 3, 3) and the chosen layouts."""
        spec = self.spec
        self.weights_to_forward = []
        self.weight_gradients = []
        for i, shape in enumerate(spec.weight_shapes):
            plain = nchw(shape)
            chosen = self.forward[i].layouts[WEIGHTS]
            self.weights_to_forward.append(reorder(plain, chosen))
            chosen = self.backward_weights[i].layouts[DIFF_WEIGHTS]
            self.weight_gradients.append(reorder(chosen, plain))

        self.weight_matrix = WeightMatrix(spec)
        self.weights_to_backward = []
        for i, primitive in enumerate(self.backward_data):
            shape = (spec.later_channels[i], spec.feature_channels[i], 3, 3)
            part = layout(shape, self.weight_matrix.strides)
            copy = reorder(part, primitive.layouts[WEIGHTS])
            self.weights_to_backward.append(copy)


@lru_cache(CACHE_SIZE)
def dense_block_primitives(spec: DenseBlockSpec) -> DenseBlockPrimitives:
    """Return the dense block's primitives, created once."""
    return DenseBlockPrimitives(spec)


@lru_cache(CACHE_SIZE)
def blocks_are_fast(num_feat: int, num_grow_ch: int, dtype: int) -> bool:
    """Return whether this CPU convolves blocked features at speed.

    False if the channels do not fill whole blocks.
    """
    if num_feat % BLOCK or num_grow_ch % BLOCK:
        return False

    features = blocked((1, num_feat, BLOCK, BLOCK), dtype)
    weight = any_layout((num_feat, num_feat, 3, 3), dtype)
    description = describe_convolution(features, weight, NULL, features)
    name = implementation(description)
    library().call("dnnl_primitive_desc_destroy", description)

    # The reference implementation is a thousand times slower.
    return not name.startswith("ref")


def with_scaled_last(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return a block's weights, or its biases, the last one scaled by 0.2.

    This scales the last convolution's result. All are contiguous.
    """
    *others, last = tensors
    result = [contiguous(tensor) for tensor in others]
    result.append(last * DENSE_BLOCK_SCALE)
    return result


def scale_last_gradients(gradients: list[Tensor | None]) -> None:
    """Scale the gradients of the last weight and bias, as these were scaled."""
    for i in (-2, -1):
        gradient = gradients[i]
        if gradient is not None:
            gradients[i] = gradient * DENSE_BLOCK_SCALE
