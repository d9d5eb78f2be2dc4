"""LPIPS and DISTS: how different two images look, by features of trained networks.

LPIPS: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", equation 1; the values are those of version 0.1 of the authors' code
(richzhang/PerceptualSimilarity, `lpips/lpips.py`).

DISTS compares structure and texture; the same texture in other places counts little.
Ding et al. 2020, "Image Quality Assessment: Unifying Structure and Texture Similarity",
equations 3 to 7 and, for the pooling, equation 1; the values are those of the authors'
code (dingkeyan93/DISTS, `DISTS_pt.py`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.loss.feature_networks import (
    ALEXNET,
    VGG16,
    BlockFeatures,
    SqueezeNetFeatures,
    max_pool_2,
    max_pool_3,
)
from realesrgan_paddle.loss.metric_weights import fetch_metric_weights
from realesrgan_paddle.loss.perceptual import IMAGENET_MEAN, IMAGENET_STD
from realesrgan_paddle.ops.plain import PLAIN, Ops
from realesrgan_paddle.options.schema.training import LPIPS_SMALLEST
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights

Net = Literal["alex", "vgg", "squeeze"]

LAYERS = {"alex": 5, "vgg": 5, "squeeze": 7}
"""How many layers of each network are compared."""

# The authors' `ScalingLayer`, which takes images in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)

DISTS_CHANNELS = (3, 64, 128, 256, 512, 512)
"""Channels of what DISTS compares: the image and the features of VGG16's blocks."""
STABILITY = 1e-6  # the authors' c1 and c2: quotients of flat features are 1
POOL_EPSILON = 1e-12  # the authors', for a finite gradient of the root at 0
POOL_1D = (0.25, 0.5, 0.25)  # a Hann window of 5 without its zeros, scaled to sum 1


class LPIPS:
    """Mean squared distance of features of unit length, with weighted channels.

    0 for equal images; lower is better.

    Args:
        tensors: the network's (see `BlockFeatures` and `SqueezeNetFeatures`), and
            "lin0.weight" (1, channels, 1, 1) to that of the last layer.
        net: AlexNet, with which LPIPS is usually reported, VGG16 or SqueezeNet.
        ops: operators that compute the convolutions.
    """

    def __init__(
        self, tensors: Mapping[str, np.ndarray], net: Net = "alex", ops: Ops = PLAIN
    ) -> None:
        # SHIFT and SCALE for images in [0, 1]
        mean = [(shift + 1) / 2 for shift in SHIFT]
        std = [scale / 2 for scale in SCALE]
        self.features = _open_features(net, tensors, mean, std, ops)

        self.channel_weights = []
        for layer in range(LAYERS[net]):
            weight = tensors[f"lin{layer}.weight"]
            self.channel_weights.append(paddle.to_tensor(weight))
        self.smallest = LPIPS_SMALLEST[net]

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the distance of each image of sr from gt, (N,).

        Both are (N, 3, H, W), RGB in [0, 1]. Gradients flow to `sr` only.

        Raises:
            UserError: the images are too small for the network's poolings.
        """
        height, width = sr.shape[2:]
        if min(height, width) < self.smallest:
            raise UserError(
                f"LPIPS needs images of at least {self.smallest}x{self.smallest}, "
                f"not {width}x{height}"
            )
        # The targets first, while nothing is kept for the backward pass.
        with paddle.no_grad():
            targets = self.features(gt)
        features = self.features(sr)
        layers = zip(features, targets, self.channel_weights, strict=True)
        return sum(self.features.ops.unit_distance(*layer) for layer in layers)


def _open_features(
    net: Net,
    tensors: Mapping[str, np.ndarray],
    mean: Sequence[float],
    std: Sequence[float],
    ops: Ops,
) -> BlockFeatures | SqueezeNetFeatures:
    if net == "squeeze":
        return SqueezeNetFeatures(tensors, mean=mean, std=std, ops=ops)
    network, pool = (ALEXNET, max_pool_3) if net == "alex" else (VGG16, max_pool_2)
    return BlockFeatures(network, tensors, pool, mean=mean, std=std, ops=ops)


def load_lpips(net: Net, folder: str | Path = "weights", ops: Ops = PLAIN) -> LPIPS:
    """Return LPIPS with the authors' weights, lpips_NET.pdparams in `folder`.

    The file is fetched first if it does not exist.

    Raises:
        UserError: it cannot be fetched; says what to do.
    """
    path = fetch_metric_weights(f"lpips_{net}", folder)
    tensors = read_weights(path).select()
    return LPIPS(tensors, net, ops)


def l2_pool(ops: Ops, x: Tensor) -> Tensor:
    """Return the root of the blurred squares of every second pixel (L2 pooling).

    Unlike max pooling, it does not alias.
    """
    x = ops.leave(x)
    channels = x.shape[1]
    window = np.outer(POOL_1D, POOL_1D)
    kernel = paddle.to_tensor(window.astype(np.float32))
    kernel = kernel.expand([channels, 1, 3, 3])
    squares = F.conv2d(x.square(), kernel, stride=2, padding=1, groups=channels)
    pooled = (squares + POOL_EPSILON).sqrt()
    return ops.enter(pooled)


class DISTS:
    """1 - the weighted similarities of features, in texture and in structure.

    Texture compares the features' means, structure their correlations. 0 for equal
    images; lower is better. Images are compared at their own size: published values of
    photographs are often for a shorter side of 256 pixels.

    Args:
        tensors: VGG16's (see `BlockFeatures`), and "alpha" and "beta" (1, 1475, 1, 1), the
            weights of the channels.
        ops: operators that compute the convolutions.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], ops: Ops) -> None:
        self.features = BlockFeatures(
            VGG16, tensors, l2_pool, mean=IMAGENET_MEAN, std=IMAGENET_STD, ops=ops
        )
        alpha, beta = tensors["alpha"], tensors["beta"]
        total = alpha.sum() + beta.sum()
        self.alpha = _by_layer(alpha / total)
        self.beta = _by_layer(beta / total)

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the distance of each image of sr from gt, (N,).

        Both are (N, 3, H, W), RGB in [0, 1]. Gradients flow to `sr` only.
        """
        # The targets first, while nothing is kept for the backward pass.
        targets = self.targets(gt)
        return self.distance(sr, targets)

    def targets(self, gt: Tensor) -> list[Tensor]:
        """Return what `distance` compares with, for several images of one gt.

        gt as in `__call__`; without gradients.
        """
        with paddle.no_grad():
            return self._compared(gt)

    def distance(self, sr: Tensor, targets: list[Tensor]) -> Tensor:
        """Return the distance of each image of sr from the gt of `targets`, (N,)."""
        features = self._compared(sr)
        layers = zip(features, targets, self.alpha, self.beta, strict=True)
        differences = [_difference(*layer) for layer in layers]
        total = sum(differences)
        return total.flatten()

    def _compared(self, images: Tensor) -> list[Tensor]:
        """Return the images and their features, (N, C, H * W) each."""
        compared = [images]
        for feature in self.features(images):
            compared.append(self.features.ops.leave(feature))
        # Over one axis, the gradient of a mean is computed ten times as fast as over
        # two.
        return [layer.flatten(2) for layer in compared]


def _by_layer(weights: np.ndarray) -> list[Tensor]:
    """Return the weights of each layer's channels, (1, C, 1)."""
    layers = paddle.to_tensor(weights).split(DISTS_CHANNELS, axis=1)
    return [layer.flatten(2) for layer in layers]


def _difference(x: Tensor, y: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return the sum over the channels of weight * (1 - similarity): (N, 1).

    All weights sum to 1, so the sum over the layers is the authors' 1 - sum of
    similarities without its cancellation.

    Args:
        x: features (N, C, H * W), with gradients.
        y: features of the ground truth.
        alpha: weights of the texture (1, C, 1).
        beta: weights of the structure (1, C, 1).
    """
    x_mean = _mean(x)
    y_mean = _mean(y)
    squared_means = x_mean.square() + y_mean.square()
    texture = (2 * x_mean * y_mean + STABILITY) / (squared_means + STABILITY)

    # No gradient through this mean: the centered values sum to 0, so to first order
    # neither variance nor covariance changes with it.
    x = x - x_mean.detach()
    y = y - y_mean
    x_variance = _mean(x.square())
    y_variance = _mean(y.square())
    covariance = _mean(x * y)
    structure = (2 * covariance + STABILITY) / (x_variance + y_variance + STABILITY)

    difference = alpha * (1 - texture) + beta * (1 - structure)
    return difference.sum(1)


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


def load_dists(folder: str | Path = "weights", ops: Ops = PLAIN) -> DISTS:
    """Return DISTS with the authors' weights, dists.pdparams in `folder`.

    The file is fetched first if it does not exist.

    Raises:
        UserError: it cannot be fetched; says what to do.
    """
    tensors = _read_dists(folder)
    return DISTS(tensors, ops)


def load_vgg16_features(
    blocks: int, folder: str | Path = "weights", ops: Ops = PLAIN
) -> BlockFeatures:
    """Return the features of VGG16's first `blocks` blocks with DISTS's weights.

    With VGG's own max pooling.

    Raises:
        UserError: as `load_dists`.
    """
    return BlockFeatures(
        VGG16[:blocks],
        _read_dists(folder),
        max_pool_2,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        ops=ops,
    )


def _read_dists(folder: str | Path) -> Mapping[str, np.ndarray]:
    path = fetch_metric_weights("dists", folder)
    return read_weights(path).select()
