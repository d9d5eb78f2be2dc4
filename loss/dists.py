"""DISTS: how different two pictures are in structure and in texture; the same texture elsewhere counts little.

Ding et al. 2020, "Image Quality Assessment: Unifying Structure and Texture Similarity",
equations 3 to 7 and, for the pooling, equation 1; the authors' code (dingkeyan93/DISTS,
`DISTS_pt.py`), whose figures these are.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.loss.features import VGG16, Features, max_pool_2
from realesrgan_paddle.loss.metric_weights import fetch_metric_weights
from realesrgan_paddle.loss.vgg import IMAGENET_MEAN, IMAGENET_STD
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops
from realesrgan_paddle.utils.weights.reader import read_weights

CHANNELS = (3, 64, 128, 256, 512, 512)
"""Channels of what is compared: the picture itself and the features of VGG16's five blocks."""

C = 1e-6  # the authors' c1 and c2, which keep the quotients of flat features at 1
POOL_EPSILON = 1e-12  # the authors' too: the gradient of the root at 0
POOL_1D = (0.25, 0.5, 0.25)  # a Hann window of 5 without its zeros, scaled to sum 1


def l2_pool(ops: Ops, x: Tensor) -> Tensor:
    """Return the root of the blurred squares of every second pixel: pooling without aliasing."""
    x = ops.leave(x)
    channels = x.shape[1]
    window = paddle.to_tensor(np.outer(POOL_1D, POOL_1D).astype(np.float32)).expand(
        [channels, 1, 3, 3]
    )
    return ops.enter(
        (
            F.conv2d(x.square(), window, stride=2, padding=1, groups=channels)
            + POOL_EPSILON
        ).sqrt()
    )


class DISTS:
    """1 less the weighted similarities of the features' means (texture) and of their correlations (structure).

    0 for equal pictures; lower is better. Pictures are compared at the size they have:
    those who report DISTS of photographs often reduce the shorter side to 256 pixels
    first.

    Args:
        tensors: of VGG16 (see `Features`), and "alpha" and "beta" (1, 1475, 1, 1):
            weights of the channels.
        ops: what computes its convolutions.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], ops: Ops = PLAIN) -> None:
        self.features = Features(
            VGG16, tensors, l2_pool, mean=IMAGENET_MEAN, std=IMAGENET_STD, ops=ops
        )
        total = tensors["alpha"].sum() + tensors["beta"].sum()
        self.alpha, self.beta = (
            paddle.to_tensor(tensors[name] / total).split(CHANNELS, axis=1)
            for name in ("alpha", "beta")
        )

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the distance of each picture of sr from gt, (N,); both (N, 3, H, W), RGB in [0, 1].

        Gradients flow to `sr` only.
        """
        leave = self.features.ops.leave
        with paddle.no_grad():  # first, while nothing is kept for the backward pass
            targets = [gt, *map(leave, self.features(gt))]
        features = [sr, *map(leave, self.features(sr))]
        layers = zip(features, targets, self.alpha, self.beta, strict=True)
        return sum(_difference(*layer) for layer in layers).flatten()


def _difference(x: Tensor, y: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return the weighted sum over the channels of 1 - similarity of x and y (N, C, H, W): (N, 1).

    All weights sum to 1, so this is the authors' 1 - sum of similarities, without its
    cancellation. A mean over one axis has a gradient ten times as fast as one over two,
    and where the mean is subtracted it needs none: what remains sums to 0, so neither
    variance nor covariance changes with it to first order.
    """
    x, y, alpha, beta = (tensor.flatten(2) for tensor in (x, y, alpha, beta))
    x_mean, y_mean = (feature.mean(-1, keepdim=True) for feature in (x, y))
    x, y = x - x_mean.detach(), y - y_mean
    x_var, y_var, covariance = (
        product.mean(-1, keepdim=True) for product in (x.square(), y.square(), x * y)
    )
    texture = (2 * x_mean * y_mean + C) / (x_mean.square() + y_mean.square() + C)
    structure = (2 * covariance + C) / (x_var + y_var + C)
    return (alpha * (1 - texture) + beta * (1 - structure)).sum(1)


def load_dists(folder: str | Path = "weights", ops: Ops = PLAIN) -> DISTS:
    """Return DISTS with the authors' weights, dists.pdparams in `folder`, got there first if need be.

    Raises:
        UserError: they cannot be had; says how.
    """
    return DISTS(read_weights(fetch_metric_weights("dists", folder)).select(), ops)


def load_vgg16_features(
    blocks: int, folder: str | Path = "weights", ops: Ops = PLAIN
) -> Features:
    """Return the features of VGG16's first `blocks` blocks, pooled by the greatest of 2 x 2; with DISTS's weights.

    Raises:
        UserError: they cannot be had; says how.
    """
    tensors = read_weights(fetch_metric_weights("dists", folder)).select()
    return Features(
        VGG16[:blocks],
        tensors,
        max_pool_2,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        ops=ops,
    )
