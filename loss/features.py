"""AlexNet's and VGG16's convolutional features after the ReLU, frozen: what LPIPS and DISTS compare.

Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks"
(AlexNet, one column); Simonyan and Zisserman 2015, "Very Deep Convolutional Networks
for Large-Scale Image Recognition", table 1, column D (VGG16). Weights are
torchvision's, under torchvision's names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.ops.plain import PLAIN, Ops

Pool = Callable[[Ops, Tensor], Tensor]
"""From features to smaller ones, in the layout of the operators."""


class Block(NamedTuple):
    """Convolutions, each with its ReLU, up to features that are compared."""

    numbers: tuple[int, ...]
    """Of the convolutions in torchvision's `features`."""
    stride: int = 1
    padding: int = 1
    """Of each convolution."""
    pooled: bool = True
    """Whether the features of the block before are pooled first."""


ALEXNET = (
    Block((0,), stride=4, padding=2, pooled=False),
    Block((3,), padding=2),
    Block((6,)),
    Block((8,), pooled=False),
    Block((10,), pooled=False),
)
VGG16 = (
    Block((0, 2), pooled=False),
    Block((5, 7)),
    Block((10, 12, 14)),
    Block((17, 19, 21)),
    Block((24, 26, 28)),
)


def max_pool_3(ops: Ops, x: Tensor) -> Tensor:
    """Return the greatest of each 3 x 3 pixels, two apart: AlexNet's pooling."""
    return ops.max_pool(x, 3)


def max_pool_2(ops: Ops, x: Tensor) -> Tensor:
    """Return the greatest of each 2 x 2 pixels: VGG's pooling."""
    return ops.max_pool(x)


class Features:
    """Features of pictures after the ReLU; no gradient reaches the weights.

    Args:
        network: `ALEXNET` or `VGG16`.
        tensors: "features.0.weight" (out, in, k, k), "features.0.bias" (out,) and so
            on.
        pool: what stands between the blocks.
        mean: what to subtract from R, G and B in [0, 1].
        std: what to divide by then.
        ops: what computes the convolutions.
    """

    def __init__(
        self,
        network: Sequence[Block],
        tensors: Mapping[str, np.ndarray],
        pool: Pool,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        ops: Ops = PLAIN,
    ) -> None:
        self.network = network
        names = [
            f"features.{n}.{part}"
            for block in network
            for n in block.numbers
            for part in ("weight", "bias")
        ]
        self.tensors = {name: paddle.to_tensor(tensors[name]) for name in names}
        self.pool = pool
        self.mean = paddle.to_tensor(mean, dtype="float32").reshape([1, 3, 1, 1])
        self.std = paddle.to_tensor(std, dtype="float32").reshape([1, 3, 1, 1])
        self.ops = ops

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the features of x (N, 3, H, W), RGB in [0, 1], of each block, in the layout of `ops`."""
        ops = self.ops
        x = ops.enter_normalized(x, self.mean, self.std)
        features = []
        for block in self.network:
            if block.pooled:
                x = self.pool(ops, x)
            for number in block.numbers:
                weight, bias = (
                    self.tensors[f"features.{number}.weight"],
                    self.tensors[f"features.{number}.bias"],
                )
                x = ops.conv(
                    x,
                    weight,
                    bias,
                    stride=block.stride,
                    padding=block.padding,
                    slope=0.0,
                )
            features.append(x)
        return features
