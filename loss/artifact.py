"""The artifact loss of locally discriminative learning (LDL).

Liang et al. 2022, "Details or Artifacts: A Locally Discriminative Learning Approach to
Realistic Image Super-Resolution", section 3.2; `basicsr/losses/LDL_loss.py` of its
authors' repository (csjliang/LDL).
"""

from dataclasses import dataclass

import paddle
from paddle import Tensor
from paddle.nn import functional as F

# Keeps the gradient of the fifth root finite where the residual is the same everywhere;
# there the map is zero anyway.
SMALLEST_VARIANCE = 1e-12


def artifact_map(gt: Tensor, sr: Tensor, sr_ema: Tensor, ksize: int = 7) -> Tensor:
    """Return how much each pixel of sr looks like an artifact: (N, 1, H, W), not negative.

    The pictures are (N, C, H, W) in [0, 1]; H and W exceed ksize // 2. The residual is
    the sum over the channels of |gt - sr|. Its variance in a window of ksize x ksize
    pixels (mirrored at the border) is multiplied by the fifth root of its variance over
    the whole picture. Where the moving average's output `sr_ema` is farther from gt
    than sr is, sr is taken for detail and the map is zero.

    As in the authors' code, gradients flow through the map too.
    """
    residual = (gt - sr).abs().sum(axis=1, keepdim=True)
    residual_ema = (gt - sr_ema).abs().sum(axis=1, keepdim=True)
    picture_variance = residual.var(axis=[1, 2, 3], keepdim=True).clip(
        min=SMALLEST_VARIANCE
    )
    weight = picture_variance**0.2 * _local_variance(residual, ksize)
    return paddle.where(residual < residual_ema, paddle.zeros_like(weight), weight)


def _local_variance(x: Tensor, ksize: int) -> Tensor:
    """Return the unbiased variance of x (N, 1, H, W) in the ksize x ksize window around each pixel.

    The mean square less the squared mean, by sliding means; unfolding the windows costs
    some fifteen times as much. The picture's mean is taken off first, which changes no
    variance and leaves less to cancel.
    """
    x = x - x.mean(axis=[2, 3], keepdim=True).detach()
    x = F.pad(x, [ksize // 2] * 4, mode="reflect")
    mean, mean_square = (
        F.avg_pool2d(values, ksize, stride=1) for values in (x, x.square())
    )
    return F.relu(mean_square - mean.square()) * (ksize**2 / (ksize**2 - 1))


@dataclass(frozen=True)
class ArtifactLoss:
    """loss_weight * mean |map * (sr - gt)|, with the map of `artifact_map`."""

    loss_weight: float = 1.0
    ksize: int = 7

    def __call__(self, sr: Tensor, gt: Tensor, sr_ema: Tensor) -> Tensor:
        """Return the loss of sr; `sr_ema` is what the moving average of the generator makes of the same input."""
        weight = artifact_map(gt, sr, sr_ema, self.ksize)
        return self.loss_weight * F.l1_loss(weight * sr, weight * gt)
