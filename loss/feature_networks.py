"""Frozen convolutional features of AlexNet, VGG16 and SqueezeNet, for LPIPS and DISTS.

After the ReLU. Krizhevsky 2014, "One weird trick for parallelizing convolutional neural
networks" (AlexNet, one column); Simonyan and Zisserman 2015, "Very Deep Convolutional
Networks for Large-Scale Image Recognition", table 1, column D (VGG16); Iandola et al.
2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (version 1.1).
Weights are torchvision's, under torchvision's names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.ops.plain import Ops

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

FIRES = {
    3: False,
    4: False,
    6: True,
    7: False,
    9: True,
    10: False,
    11: False,
    12: False,
}
"""SqueezeNet's fire modules in torchvision's `features` -> whether x is pooled before."""

SQUEEZENET_LAYERS = (4, 7, 9, 10, 11, 12)
"""Fire modules whose features LPIPS compares, besides those of the first convolution."""


def max_pool_3(ops: Ops, x: Tensor) -> Tensor:
    """Return AlexNet's max pooling: 3 x 3 with stride 2."""
    return ops.max_pool(x, 3)


def max_pool_2(ops: Ops, x: Tensor) -> Tensor:
    """Return VGG's max pooling: 2 x 2 with stride 2."""
    return ops.max_pool(x)


class BlockFeatures:
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
        ops: Ops,
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
        x = ops.enter_normalized(x, self.mean, self.std)
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


class SqueezeNetFeatures:
    """Features of SqueezeNet 1.1 after the ReLU; no gradient reaches the weights.

    Args:
        tensors: those of `squeezenet_names`.
        mean: subtracted from R, G and B in [0, 1].
        std: R, G and B are divided by it then.
        ops: operators that compute the convolutions.
    """

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        ops: Ops,
    ) -> None:
        self.tensors: dict[str, Tensor] = {}
        for name in squeezenet_names():
            self.tensors[name] = paddle.to_tensor(tensors[name])
        self.mean = paddle.to_tensor(mean, dtype="float32").reshape([1, 3, 1, 1])
        self.std = paddle.to_tensor(std, dtype="float32").reshape([1, 3, 1, 1])
        self.ops = ops

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the seven features that LPIPS compares, in the layout of `ops`.

        x is (N, 3, H, W), RGB in [0, 1].
        """
        x = self.ops.enter_normalized(x, self.mean, self.std)
        x = self._conv(x, 0, stride=2)
        features = [x]
        x = self._pool(x)
        for number, pooled in FIRES.items():
            if pooled:
                x = self._pool(x)
            x = self._fire(x, number)
            if number in SQUEEZENET_LAYERS:
                features.append(x)
        return features

    def _fire(self, x: Tensor, number: int) -> Tensor:
        squeezed = self._conv(x, f"{number}.squeeze")
        narrow = self._conv(squeezed, f"{number}.expand1x1")
        wide = self._conv(squeezed, f"{number}.expand3x3", padding=1)
        return self.ops.concat([narrow, wide])

    def _conv(
        self, x: Tensor, layer: int | str, stride: int = 1, padding: int = 0
    ) -> Tensor:
        """Return a convolution of x and its ReLU."""
        weight, bias = (self.tensors[name] for name in _names(layer))
        return self.ops.conv(x, weight, bias, stride=stride, padding=padding, slope=0.0)

    def _pool(self, x: Tensor) -> Tensor:
        """Return max pooling, 3 x 3 with stride 2, sizes rounded up.

        A row or column of zeros makes them so: after a ReLU nothing is below 0.
        """
        plain = self.ops.leave(x)
        rows, columns = plain.shape[2:]
        below, beside = (rows - 3) % 2, (columns - 3) % 2
        if below or beside:
            x = self.ops.enter(F.pad(plain, [0, beside, 0, below]))
        return self.ops.max_pool(x, 3)


def squeezenet_names() -> list[str]:
    """Return torchvision's names of SqueezeNet's tensors without the classifier."""
    names = [*_names(0)]
    for number in FIRES:
        for part in ("squeeze", "expand1x1", "expand3x3"):
            names += _names(f"{number}.{part}")
    return names


def _names(layer: int | str) -> tuple[str, str]:
    """Return torchvision's names of a convolution's weight and bias."""
    prefix = f"features.{layer}"
    return f"{prefix}.weight", f"{prefix}.bias"
