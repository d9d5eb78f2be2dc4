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
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.library import F32
from realesrgan_paddle.ops.onednn.primitives import Shape, layout, nchw, reorder
from realesrgan_paddle.ops.plain import DENSE_BLOCK_SCALE
from realesrgan_paddle.ops.training.tensor_memory import contiguous, empty


class DenseBlock(Protocol):
    """What computes a dense block: `DirectDenseBlock`, or Winograd's.

    The last weight and bias are scaled; see `with_scaled_last`.
    """

    def empty_features(self, images: int) -> Tensor:
        """Return memory for the features of so many images."""

    def convolve(
        self,
        x: Tensor,
        features: Tensor,
        out: Tensor,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
    ) -> None:
        """Fill `features` with x and all xi, and add the last convolution to `out`."""

    def gradients(
        self,
        dy: Tensor,
        features: Tensor,
        dx: Tensor,
        weights: Sequence[Tensor],
        learns: Sequence[bool],
    ) -> list[Tensor | None]:
        """Add the gradient through the convolutions to `dx`.

        Return the gradients of weight 1, bias 1, ... Where neither a weight nor its
        bias learns they are None; `learns` says so in that order.
        """


class DenseBlockLayer(PyLayer):
    """A dense block: apply(x, weight 1, bias 1, ..., weight 5, bias 5, block=...)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor, block: DenseBlock) -> Tensor:
        """Return x (N, H, W, C) plus 0.2 times the last convolution."""
        x = contiguous(x)
        weights = with_scaled_last(parameters[::2])
        biases = with_scaled_last(parameters[1::2])
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
        scale_last_gradients(gradients)

        wanted = zip(gradients, ctx.learns, strict=True)
        learned = [gradient if learns else None for gradient, learns in wanted]
        return (dx if ctx.x_learns else None, *learned)


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
