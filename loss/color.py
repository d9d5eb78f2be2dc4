"""A loss that holds the colour of areas and leaves their texture alone: a GAN's colours drift without it.

traiNNer-redux (`ColorLoss`, `AverageLoss`) and neosr (`consistency_loss`) have losses
for the same end; this is the plainest that serves it.
"""

from dataclasses import dataclass

from paddle import Tensor
from paddle.nn import functional as F

# Luma and colour differences of R, G and B: ITU-R BT.601-7, sections 2.5.1 and 2.5.2.
LUMA = (0.299, 0.587, 0.114)
CB_RANGE, CR_RANGE = 1.772, 1.402


@dataclass(frozen=True)
class ColorLoss:
    """loss_weight * mean over the cells of brightness * |Y| + |Cb| + |Cr|, of the cells' mean differences.

    A cell is a square of `cell` x `cell` pixels. What has mean 0 over it, such as
    texture, is not seen; a tint or a change of brightness is seen whole. Y, Cb and Cr
    (BT.601) are linear in R, G and B, so the means of the difference are taken first.
    """

    loss_weight: float = 1.0
    brightness: float = 1.0
    """Weight of the luma beside the colour differences."""
    cell: int = 16

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1].

        Where `cell` does not divide H or W, the cells are a little smaller, and
        neighbours may share a row of pixels.
        """
        cells = [-(-side // self.cell) for side in sr.shape[2:]]
        red, green, blue = F.adaptive_avg_pool2d(sr - gt, cells).unbind(axis=1)
        luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
        cb, cr = (blue - luma) / CB_RANGE, (red - luma) / CR_RANGE
        return (
            self.loss_weight
            * (self.brightness * luma.abs() + cb.abs() + cr.abs()).mean()
        )
