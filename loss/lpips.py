"""LPIPS: how different two pictures look, as a network of features that was fitted to people's judgements.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", equation 1; version 0.1 of the authors' code (richzhang/PerceptualSimilarity,
`lpips/lpips.py`), whose figures these are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.loss.features import (
    ALEXNET,
    VGG16,
    Features,
    max_pool_2,
    max_pool_3,
)
from realesrgan_paddle.loss.metric_weights import obtain_metric_weights
from realesrgan_paddle.options.schema.losses import LPIPS_SMALLEST
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops
from realesrgan_paddle.utils.weights.reader import read_weights

Net = Literal["alex", "vgg"]

# The authors' `ScalingLayer`, which is given pictures in [-1, 1].
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class LPIPS:
    """Mean squared distance of features scaled to length 1, with weighted channels.

    0 for equal pictures; lower is better.

    Args:
        tensors: of the network (see `Features`), and "lin0.weight" (1, channels, 1, 1)
            to "lin4.weight".
        net: the network: AlexNet, as which LPIPS is reported, or VGG16.
        ops: what computes its convolutions.
    """

    def __init__(
        self, tensors: Mapping[str, np.ndarray], net: Net = "alex", ops: Ops = PLAIN
    ) -> None:
        mean, std = [(shift + 1) / 2 for shift in SHIFT], [scale / 2 for scale in SCALE]
        network, pool = (ALEXNET, max_pool_3) if net == "alex" else (VGG16, max_pool_2)
        self.features = Features(network, tensors, pool, mean=mean, std=std, ops=ops)
        self.channel_weights = [
            paddle.to_tensor(tensors[f"lin{i}.weight"]) for i in range(5)
        ]
        self.smallest = LPIPS_SMALLEST[net]

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the distance of each picture of sr from gt, (N,); both (N, 3, H, W), RGB in [0, 1].

        Gradients flow to `sr` only.

        Raises:
            UserError: the pictures are smaller than what the network pools.
        """
        if min(sr.shape[2:]) < self.smallest:
            raise UserError(
                f"LPIPS needs pictures of at least {self.smallest}x{self.smallest}, not {sr.shape[3]}x{sr.shape[2]}"
            )
        with paddle.no_grad():  # first, while nothing is kept for the backward pass
            targets = self.features(gt)
        features = self.features(sr)
        layers = zip(features, targets, self.channel_weights, strict=True)
        return sum(self.features.ops.unit_distance(*layer) for layer in layers)


def load_lpips(
    net: Net = "alex", folder: str | Path = "weights", ops: Ops = PLAIN
) -> LPIPS:
    """Return LPIPS with the authors' weights, lpips_NET.pdparams in `folder`, got there first if need be.

    Raises:
        UserError: they cannot be had; says how.
    """
    return LPIPS(
        read_weights(obtain_metric_weights(f"lpips_{net}", folder)).select(), net, ops
    )
