"""ESRGAN's dense block by oneDNN, without concatenations (see `dense_block_layout`)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

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
from realesrgan_paddle.ops.training.convolution import reordered
from realesrgan_paddle.ops.training.dense_block_layout import (
    DenseBlockSpec,
    WeightMatrix,
)
from realesrgan_paddle.ops.training.tensor_memory import (
    contiguous,
    empty,
    image_address,
)

CACHE_SIZE = 64
"""Dense blocks whose primitives are kept: one for each image size."""


class DenseBlock:
    """The primitives of one dense block, for one image at a time.

    Features enter and leave as NHWC in float32. The last weight and bias are scaled; see
    `_with_scaled_last`.

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

    def empty_features(self, images: int) -> Tensor:
        """Return memory for the features of so many images."""
        return empty([images * self.image_bytes], "uint8")

    def convolve(
        self,
        x: Tensor,
        features: Tensor,
        out: Tensor,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
    ) -> None:
        """Fill `features` with x and all xi, and add the last convolution to `out`."""
        spec = self.spec
        offsets = spec.in_channels[:-1]
        *convolutions, last_convolution = self.forward

        blocked_weights = []
        for copy, weight in zip(self.weights_to_forward, weights, strict=True):
            blocked_weights.append(reordered(copy, weight))
        parameters = [
            {WEIGHTS: weight.data_ptr(), BIAS: bias.data_ptr()}
            for weight, bias in zip(blocked_weights, biases, strict=True)
        ]
        last_output = empty([spec.num_feat * spec.height * spec.width])

        for n in range(x.shape[0]):
            begin = features.data_ptr() + n * self.image_bytes
            self.enter(image_address(x, n), begin)

            for i, convolve in enumerate(convolutions):
                xi = self.address(begin, offsets[i])
                convolve({SRC: begin, DST: xi, **parameters[i]})

            result = last_output.data_ptr()
            last_convolution({SRC: begin, DST: result, **parameters[-1]})
            self.add(result, image_address(out, n))

    def gradients(
        self,
        dy: Tensor,
        features: Tensor,
        dx: Tensor,
        weights: Sequence[Tensor],
        learns: Sequence[bool],
    ) -> list[Tensor | None]:
        """Add the gradient through the convolutions to `dx`.

        Return the gradients of weight 1, bias 1, ..., None for one that does not learn;
        `learns` says so in that order.
        """
        spec = self.spec
        feature_offsets = spec.feature_offsets
        later_channels = spec.later_channels
        blocked_weights = self.weights_for_backward(weights)
        found = _WeightGradients(self, dy.shape[0], learns)

        buffer = empty([self.image_bytes], "uint8")
        begin = buffer.data_ptr()
        by_convolution = [
            self.address(begin, offset) for offset in spec.gradient_offsets
        ]
        through_convolutions = empty([spec.num_feat * spec.height * spec.width])

        for n in range(dy.shape[0]):
            self.enter(image_address(dy, n), begin)

            image_features = features.data_ptr() + n * self.image_bytes
            # from x4, the feature used last, to x1
            for i in range(spec.convolutions - 1, 0, -1):
                xi = self.address(image_features, feature_offsets[i])
                dyi = self.address(begin, later_channels[i])
                weight = blocked_weights[i].data_ptr()
                self.backward_data[i]({DIFF_DST: begin, WEIGHTS: weight, DIFF_SRC: dyi})
                self.activation_backward({DST: xi, DIFF_DST: dyi, DIFF_SRC: dyi})

            weight = blocked_weights[0].data_ptr()
            result = through_convolutions.data_ptr()
            self.backward_data[0]({DIFF_DST: begin, WEIGHTS: weight, DIFF_SRC: result})
            self.add(result, image_address(dx, n))

            found.compute(n, image_features, by_convolution)

        return found.result()

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


class _WeightGradients:
    """The gradients of the parameters that learn: of each image, then summed."""

    def __init__(self, block: DenseBlock, images: int, learns: Sequence[bool]) -> None:
        self.block = block
        self.weights_learn = learns[::2]
        self.biases_learn = learns[1::2]

        self.weights = []
        self.biases = []
        for primitive, out_ch in zip(
            block.backward_weights, block.spec.out_channels, strict=True
        ):
            elements = primitive.bytes[DIFF_WEIGHTS] // 4
            self.weights.append(empty([images, elements]))
            self.biases.append(empty([images, out_ch]))

    def compute(self, image: int, features: int, gradients: Sequence[int]) -> None:
        """Compute those of one image.

        Args:
            image: its number.
            features: address of its features.
            gradients: address of the gradient of each convolution's output.
        """
        for i, primitive in enumerate(self.block.backward_weights):
            if self.weights_learn[i] or self.biases_learn[i]:
                primitive(
                    {
                        SRC: features,
                        DIFF_DST: gradients[i],
                        DIFF_WEIGHTS: image_address(self.weights[i], image),
                        DIFF_BIAS: image_address(self.biases[i], image),
                    }
                )

    def result(self) -> list[Tensor | None]:
        """Return those of weight 1, bias 1, ..., summed; None for a frozen one."""
        found: list[Tensor | None] = []
        for i, biases in enumerate(self.biases):
            found.append(self._weight(i) if self.weights_learn[i] else None)
            found.append(biases.sum(0) if self.biases_learn[i] else None)
        return found

    def _weight(self, i: int) -> Tensor:
        """Return the gradient of weight i as (out, in, 3, 3)."""
        total = self.weights[i].sum(0)
        weight = empty(self.block.spec.weight_shapes[i])
        copy = self.block.weight_gradients[i]
        copy(total.data_ptr(), weight.data_ptr())
        return weight


@lru_cache(CACHE_SIZE)
def dense_block(spec: DenseBlockSpec) -> DenseBlock:
    """Return the dense block's primitives, created once."""
    return DenseBlock(spec)


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


class DenseBlockLayer(PyLayer):
    """A dense block: apply(x, weight 1, bias 1, ..., weight 5, bias 5, block=...)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor, block: DenseBlock) -> Tensor:
        """Return x (N, H, W, C) plus 0.2 times the last convolution."""
        x = contiguous(x)
        weights = _with_scaled_last(parameters[::2])
        biases = _with_scaled_last(parameters[1::2])
        features = block.empty_features(x.shape[0])
        out = x.clone()
        block.convolve(x, features, out, weights, biases)

        ctx.block = block
        ctx.x_learns = not x.stop_gradient
        ctx.learns = [not tensor.stop_gradient for tensor in parameters]
        ctx.save_for_backward(features, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, all weights and biases, None for a frozen one."""
        features, *weights = ctx.saved_tensor()
        dy = contiguous(dy)
        dx = dy.clone()
        gradients = ctx.block.gradients(dy, features, dx, weights, ctx.learns)
        _scale_last_gradients(gradients)
        return (dx if ctx.x_learns else None, *gradients)


def _with_scaled_last(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return a block's weights, or its biases, the last one scaled by 0.2.

    This scales the last convolution's result. All are contiguous.
    """
    *others, last = tensors
    result = [contiguous(tensor) for tensor in others]
    result.append(last * DENSE_BLOCK_SCALE)
    return result


def _scale_last_gradients(gradients: list[Tensor | None]) -> None:
    """Scale the gradients of the last weight and bias, as these were scaled."""
    for i in (-2, -1):
        gradient = gradients[i]
        if gradient is not None:
            gradients[i] = gradient * DENSE_BLOCK_SCALE
