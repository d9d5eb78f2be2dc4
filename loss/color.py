"""A loss on the color of areas, not on their texture: GANs drift in color without it.

traiNNer-redux (`ColorLoss`, `AverageLoss`) and neosr (`consistency_loss`) have losses
for the same purpose; this is the simplest that serves it.
"""

import math
from dataclasses import dataclass

from paddle import Tensor
from paddle.nn import functional as F

# Luma and color differences of R, G and B: ITU-R BT.601-7, sections 2.5.1 and 2.5.2.
LUMA = (0.299, 0.587, 0.114)
CB_RANGE, CR_RANGE = 1.772, 1.402


@dataclass(frozen=True)
class ColorLoss:
    """loss_weight * mean over cells of brightness * |Y| + |Cb| + |Cr|.

    Y, Cb and Cr (BT.601) are those of a cell's mean difference sr - gt. A cell is a
    square of `cell` x `cell` pixels. A texture with mean 0 over a cell does not count;
    a tint or a change of brightness counts fully.

    Attributes:
        loss_weight: factor on the loss.
        brightness: weight of the luma relative to the color differences.
        cell: side of the cells [pixels].
    """

    loss_weight: float = 1.0
    brightness: float = 1.0
    cell: int = 16

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1].

        Where `cell` does not divide H or W, the cells are a little smaller, and
        neighbors may share a row of pixels.
        """
        cells = [math.ceil(side / self.cell) for side in sr.shape[2:]]
        # Y, Cb and Cr are linear in R, G and B, so averaging first changes nothing.
        difference = F.adaptive_avg_pool2d(sr - gt, cells)
        luma, cb, cr = _ycbcr(difference)
        brightness = self.brightness * luma.abs()
        color = brightness + cb.abs() + cr.abs()
        return self.loss_weight * color.mean()


def _ycbcr(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return Y, Cb and Cr (N, H, W) of RGB (N, 3, H, W)."""
    red, green, blue = rgb.unbind(axis=1)
    red_share, green_share, blue_share = LUMA
    luma = red_share * red + green_share * green + blue_share * blue
    cb = (blue - luma) / CB_RANGE
    cr = (red - luma) / CR_RANGE
    return luma, cb, cr
