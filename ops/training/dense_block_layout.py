"""How ESRGAN's dense block lies in memory: its features, gradients and weights.

Each convolution writes where the next ones read, so nothing is concatenated. All
features of an image lie in one buffer, blocked: (channels / BLOCK, H, W, BLOCK). In this
layout some consecutive channels are a consecutive part of the memory.

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
from typing import NamedTuple

from paddle import Tensor

from realesrgan_paddle.ops.onednn.library import F32
from realesrgan_paddle.ops.onednn.primitives import Shape, layout, nchw, reorder
from realesrgan_paddle.ops.training.tensor_memory import empty


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
