"""AlexNet's and VGG16's convolutional features after the ReLU, frozen: what LPIPS and DISTS compare.

Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks" (AlexNet, one column);
Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1,
column D (VGG16). Weights are torchvision's, under torchvision's names.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

Pool = Callable[[Tensor], Tensor]


class Convolution(NamedTuple):
    """A convolution and its ReLU: number in torchvision's `features`, stride, padding, what becomes of it."""

    number: int
    stride: int = 1
    padding: int = 1
    pooled: bool = False
    """Whether the input is pooled first."""
    returned: bool = False
    """Whether its features are compared."""


ALEXNET = (
    Convolution(0, stride=4, padding=2, returned=True),
    Convolution(3, padding=2, pooled=True, returned=True),
    Convolution(6, pooled=True, returned=True),
    Convolution(8, returned=True),
    Convolution(10, returned=True),
)
VGG16 = (
    Convolution(0),
    Convolution(2, returned=True),
    Convolution(5, pooled=True),
    Convolution(7, returned=True),
    Convolution(10, pooled=True),
    Convolution(12),
    Convolution(14, returned=True),
    Convolution(17, pooled=True),
    Convolution(19),
    Convolution(21, returned=True),
    Convolution(24, pooled=True),
    Convolution(26),
    Convolution(28, returned=True),
)


def max_pool_3(x: Tensor) -> Tensor:
    """Return the greatest of each 3 x 3 pixels, two apart: AlexNet's pooling."""
    return F.max_pool2d(x, 3, 2)


def max_pool_2(x: Tensor) -> Tensor:
    """Return the greatest of each 2 x 2 pixels: VGG's pooling."""
    return F.max_pool2d(x, 2, 2)


class Features:
    """Features of pictures after the ReLU; no gradient reaches the weights.

    Args:
        network: `ALEXNET` or `VGG16`.
        tensors: "features.0.weight" (out, in, k, k), "features.0.bias" (out,) and so on.
        pool: what stands between the blocks.
        mean: what to subtract from R, G and B in [0, 1].
        std: what to divide by then.
    """

    def __init__(
        self,
        network: Sequence[Convolution],
        tensors: Mapping[str, np.ndarray],
        pool: Pool,
        *,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        self.network = network
        self.weights = [paddle.to_tensor(tensors[f"features.{layer.number}.weight"]) for layer in network]
        self.biases = [paddle.to_tensor(tensors[f"features.{layer.number}.bias"]) for layer in network]
        self.pool = pool
        self.mean = paddle.to_tensor(mean, dtype="float32").reshape([1, 3, 1, 1])
        self.std = paddle.to_tensor(std, dtype="float32").reshape([1, 3, 1, 1])

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Return the features of x (N, 3, H, W), RGB in [0, 1]: (N, channels, height, width) of each block."""
        x = (x - self.mean) / self.std
        features = []
        for layer, weight, bias in zip(self.network, self.weights, self.biases, strict=True):
            if layer.pooled:
                x = self.pool(x)
            x = F.relu(F.conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding))
            if layer.returned:
                features.append(x)
        return features
