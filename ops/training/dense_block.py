"""ESRGAN's dense block by oneDNN, without concatenations.

Each convolution writes where the next ones read. All features of an image lie in one
buffer, blocked: (channels / BLOCK, H, W, BLOCK). In this layout some
consecutive channels are a consecutive part of the memory.

    forward, the features:    x | x1 | x2 | x3 | x4
    backward, the gradients:  dy5 | dy4 | dy3 | dy2 | dy1

xi is convolution i of all features before it, and a leaky ReLU; dyi is the gradient of
convolution i's output.

Gradients are made in the same way as features. The later convolutions all take xi, so
dyi is one convolution (as a convolution's gradient is) of all gradients before it, with
those parts of the weights that meet xi. So nothing has to be added up. The backward
pass needs one buffer, a third of what concatenations keep.
"""

from collections.abc import Sequence
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.library import (
    BIAS,
    DIFF_BIAS,
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    SRC,
    WEIGHTS,
)
from realesrgan_paddle.ops.training.convolution import reordered
from realesrgan_paddle.ops.training.dense_block_primitives import (
    DenseBlockPrimitives,
    DenseBlockSpec,
    dense_block_primitives,
    scale_last_gradients,
    with_scaled_last,
)
from realesrgan_paddle.ops.training.tensor_memory import (
    contiguous,
    empty,
    image_address,
)


class DenseBlockLayer(PyLayer):
    """A dense block: apply(x, weight 1, bias 1, ..., weight 5, bias 5, dtype=...)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor, dtype: int) -> Tensor:
        """Return x (N, H, W, C) plus 0.2 times the last convolution."""
        n, height, width, num_feat = x.shape
        weights, biases = parameters[::2], parameters[1::2]
        num_grow_ch = biases[0].shape[0]
        spec = DenseBlockSpec(num_feat, num_grow_ch, len(weights), height, width, dtype)
        block = dense_block_primitives(spec)

        x = contiguous(x)
        scaled_weights = with_scaled_last(weights)
        scaled_biases = with_scaled_last(biases)
        features = empty([n * block.image_bytes], "uint8")
        out = x.clone()
        _convolve(block, x, features, out, scaled_weights, scaled_biases)

        ctx.spec = spec
        ctx.x_learns = not x.stop_gradient
        ctx.learns = [not tensor.stop_gradient for tensor in parameters]
        ctx.save_for_backward(features, *scaled_weights)
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, all weights and biases, None for a frozen one."""
        features, *weights = ctx.saved_tensor()
        block = dense_block_primitives(ctx.spec)
        dy = contiguous(dy)

        n = dy.shape[0]
        gradients = _WeightGradients(block, n, ctx.learns)
        dx = dy.clone()
        _convolve_gradients(block, dy, features, dx, weights, gradients)

        if not ctx.x_learns:
            dx = None
        return (dx, *gradients.result())


def _convolve(
    block: DenseBlockPrimitives,
    x: Tensor,
    features: Tensor,
    out: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
) -> None:
    """Fill `features` with x and all xi, and add the last convolution to `out`."""
    spec = block.spec
    offsets = spec.in_channels[:-1]
    *convolutions, last_convolution = block.forward

    blocked_weights = []
    for copy, weight in zip(block.weights_to_forward, weights, strict=True):
        blocked_weights.append(reordered(copy, weight))
    parameters = [
        {WEIGHTS: weight.data_ptr(), BIAS: bias.data_ptr()}
        for weight, bias in zip(blocked_weights, biases, strict=True)
    ]
    last_output = empty([spec.num_feat * spec.height * spec.width])

    for n in range(x.shape[0]):
        begin = features.data_ptr() + n * block.image_bytes
        block.enter(image_address(x, n), begin)

        for i, convolve in enumerate(convolutions):
            xi = block.address(begin, offsets[i])
            convolve({SRC: begin, DST: xi, **parameters[i]})

        result = last_output.data_ptr()
        last_convolution({SRC: begin, DST: result, **parameters[-1]})
        block.add(result, image_address(out, n))


def _convolve_gradients(
    block: DenseBlockPrimitives,
    dy: Tensor,
    features: Tensor,
    dx: Tensor,
    weights: list[Tensor],
    gradients: "_WeightGradients",
) -> None:
    """Add the gradient through the convolutions to `dx`; compute `gradients`."""
    spec = block.spec
    feature_offsets = spec.feature_offsets
    later_channels = spec.later_channels
    blocked_weights = block.weights_for_backward(weights)

    buffer = empty([block.image_bytes], "uint8")
    begin = buffer.data_ptr()
    by_convolution = [block.address(begin, offset) for offset in spec.gradient_offsets]
    through_convolutions = empty([spec.num_feat * spec.height * spec.width])

    for n in range(dy.shape[0]):
        block.enter(image_address(dy, n), begin)

        image_features = features.data_ptr() + n * block.image_bytes
        # from x4, the feature used last, to x1
        for i in range(spec.convolutions - 1, 0, -1):
            xi = block.address(image_features, feature_offsets[i])
            dyi = block.address(begin, later_channels[i])
            weight = blocked_weights[i].data_ptr()
            block.backward_data[i]({DIFF_DST: begin, WEIGHTS: weight, DIFF_SRC: dyi})
            block.activation_backward({DST: xi, DIFF_DST: dyi, DIFF_SRC: dyi})

        weight = blocked_weights[0].data_ptr()
        result = through_convolutions.data_ptr()
        block.backward_data[0]({DIFF_DST: begin, WEIGHTS: weight, DIFF_SRC: result})
        block.add(result, image_address(dx, n))

        gradients.compute(n, image_features, by_convolution)


class _WeightGradients:
    """The gradients of the parameters that learn: of each image, then summed."""

    def __init__(
        self, block: DenseBlockPrimitives, images: int, learns: list[bool]
    ) -> None:
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

        scale_last_gradients(found)
        return found

    def _weight(self, i: int) -> Tensor:
        """Return the gradient of weight i as (out, in, 3, 3)."""
        total = self.weights[i].sum(0)
        weight = empty(self.block.spec.weight_shapes[i])
        copy = self.block.weight_gradients[i]
        copy(total.data_ptr(), weight.data_ptr())
        return weight
