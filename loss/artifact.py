"""The artifact loss of locally discriminative learning (LDL).

Liang et al. 2022, "Details or Artifacts: A Locally Discriminative Learning Approach to
Realistic Image Super-Resolution", section 3.2; `basicsr/losses/LDL_loss.py` of the
authors' repository (csjliang/LDL).
"""

from dataclasses import dataclass

import paddle
from paddle import Tensor
from paddle.nn import functional as F

SMALLEST_VARIANCE = 1e-12
"""Lower bound of the residual's variance, chosen far below that of any real residual.

It keeps the gradient of the fifth root finite for a constant residual, where the map is
zero anyway.
"""


def artifact_map(gt: Tensor, sr: Tensor, sr_ema: Tensor, ksize: int = 7) -> Tensor:
    """Return how much each pixel of sr looks like an artifact: (N, 1, H, W), >= 0.

    The residual is the sum over the channels of |gt - sr|. Its variance in a window of
    ksize x ksize pixels (mirrored at the border) is multiplied by the fifth root of its
    variance over the whole image. Where the EMA's output is farther from gt than sr is,
    sr counts as detail and the map is zero.

    As in the authors' code, gradients flow through the map too.

    Args:
        gt: (N, C, H, W) in [0, 1]; H and W exceed ksize // 2.
        sr: the generator's output, like gt.
        sr_ema: the output of the generator's moving average, like gt.
        ksize: side of the window, odd.
    """
    residual = _residual(gt, sr)
    residual_ema = _residual(gt, sr_ema)

    image_variance = residual.var(axis=[1, 2, 3], keepdim=True)
    image_weight = image_variance.clip(min=SMALLEST_VARIANCE) ** 0.2
    weight = image_weight * _local_variance(residual, ksize)
    is_detail = residual < residual_ema
    no_artifact = paddle.zeros_like(weight)
    return paddle.where(is_detail, no_artifact, weight)


def _residual(gt: Tensor, sr: Tensor) -> Tensor:
    difference = (gt - sr).abs()
    return difference.sum(axis=1, keepdim=True)


def _local_variance(x: Tensor, ksize: int) -> Tensor:
    """Return the unbiased variance in the ksize x ksize window around each pixel.

    Args:
        x: (N, 1, H, W), like the result.
        ksize: side of the window, odd.
    """
    # Subtracting the image's mean changes no variance, and leaves less to cancel below.
    image_mean = x.mean(axis=[2, 3], keepdim=True)
    x = x - image_mean.detach()
    margin = ksize // 2
    x = F.pad(x, [margin] * 4, mode="reflect")

    # The mean square less the squared mean, by sliding means: unfolding the windows
    # takes some fifteen times as long.
    mean = F.avg_pool2d(x, ksize, stride=1)
    mean_square = F.avg_pool2d(x.square(), ksize, stride=1)
    biased = F.relu(mean_square - mean.square())
    count = ksize**2
    return biased * (count / (count - 1))


@dataclass(frozen=True)
class ArtifactLoss:
    """loss_weight * mean |map * (sr - gt)|, with the map of `artifact_map`."""

    loss_weight: float = 1.0
    ksize: int = 7

    def __call__(self, sr: Tensor, gt: Tensor, sr_ema: Tensor) -> Tensor:
        """Return the loss of sr; `sr_ema` is the EMA generator's output."""
        weight = artifact_map(gt, sr, sr_ema, self.ksize)
        weighted_sr = weight * sr
        weighted_gt = weight * gt
        return self.loss_weight * F.l1_loss(weighted_sr, weighted_gt)
