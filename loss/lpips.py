"""LPIPS: how different two images look, by features fitted to human judgments.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", equation 1; the values are those of version 0.1 of the authors' code
(richzhang/PerceptualSimilarity, `lpips/lpips.py`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.loss.feature_networks import (
    ALEXNET,
    VGG16,
    Features,
    SqueezeNetFeatures,
    max_pool_2,
    max_pool_3,
)
from realesrgan_paddle.loss.metric_weights import fetch_metric_weights
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


class LPIPS:
    """Mean squared distance of features of unit length, with weighted channels.

    0 for equal images; lower is better.

    Args:
        tensors: the network's (see `Features` and `SqueezeNetFeatures`), and
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
) -> Features | SqueezeNetFeatures:
    if net == "squeeze":
        return SqueezeNetFeatures(tensors, mean=mean, std=std, ops=ops)
    network, pool = (ALEXNET, max_pool_3) if net == "alex" else (VGG16, max_pool_2)
    return Features(network, tensors, pool, mean=mean, std=std, ops=ops)


def load_lpips(
    net: Net = "alex", folder: str | Path = "weights", ops: Ops = PLAIN
) -> LPIPS:
    """Return LPIPS with the authors' weights, lpips_NET.pdparams in `folder`.

    The file is fetched first if it does not exist.

    Raises:
        UserError: it cannot be fetched; says what to do.
    """
    path = fetch_metric_weights(f"lpips_{net}", folder)
    tensors = read_weights(path).select()
    return LPIPS(tensors, net, ops)
