"""Frozen convolutional features of AlexNet and VGG16, for LPIPS and DISTS.

After the ReLU. Krizhevsky 2014, "One weird trick for parallelizing convolutional neural
networks" (AlexNet, one column); Simonyan and Zisserman 2015, "Very Deep Convolutional
Networks for Large-Scale Image Recognition", table 1, column D (VGG16). Weights are
torchvision's, under torchvision's names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.utils.ops.plain import PLAIN, Ops

Pool = Callable[[Ops, Tensor], Tensor]
"""Pools features in the layout of the operators."""


class Block(NamedTuple):
    """Convolutions, each with a ReLU; the last one's features are compared.

    Attributes:
        numbers: of the convolutions in torchvision's `features`.
        stride: of each convolution.
        padding: of each convolution.
        pooled: whether the features of the previous block are pooled first.
    """

    numbers: tuple[int, ...]
    stride: int = 1
    padding: int = 1
    pooled: bool = True


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
    """Return AlexNet's max pooling: 3 x 3 with stride 2."""
    return ops.max_pool(x, 3)


def max_pool_2(ops: Ops, x: Tensor) -> Tensor:
    """Return VGG's max pooling: 2 x 2 with stride 2."""
    return ops.max_pool(x)


class Features:
    """Features of images after the ReLU; no gradient reaches the weights.

    Args:
        network: `ALEXNET` or `VGG16`.
        tensors: "features.0.weight" (out, in, k, k), "features.0.bias" (out,) and so
            on.
        pool: the pooling between blocks.
        mean: subtracted from R, G and B in [0, 1].
        std: R, G and B are divided by it then.
        ops: operators that compute the convolutions.
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
        self.tensors: dict[str, Tensor] = {}
        for block in network:
            for number in block.numbers:
                for name in _names(number):
                    self.tensors[name] = paddle.to_tensor(tensors[name])
        self.pool = pool
        self.mean = paddle.to_tensor(mean, dtype="float32").reshape([1, 3, 1, 1])
        self.std = paddle.to_tensor(std, dtype="float32").reshape([1, 3, 1, 1])
        self.ops = ops

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return each block's features of x (N, 3, H, W), RGB in [0, 1].

        In the layout of `ops`.
        """
        ops = self.ops
        x = ops.enter_normalised(x, self.mean, self.std)
        features = []
        for block in self.network:
            if block.pooled:
                x = self.pool(ops, x)
            for number in block.numbers:
                weight, bias = (self.tensors[name] for name in _names(number))
                x = ops.conv(
                    x,
                    weight,
                    bias,
                    stride=block.stride,
                    padding=block.padding,
                    slope=0.0,  # ReLU
                )
            features.append(x)
        return features


def _names(number: int) -> tuple[str, str]:
    """Return torchvision's names of a convolution's weight and bias."""
    prefix = f"features.{number}"
    return f"{prefix}.weight", f"{prefix}.bias"
