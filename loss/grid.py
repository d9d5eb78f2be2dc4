"""The part of an error that repeats with the enlargement: a grid artifact, as a loss."""

from dataclasses import dataclass

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.utils.metrics.grid_artifact import INNER_PERIOD

WINDOW, STRIDE = 8, 4
"""Side and distance of the windows that a grid is looked for in [periods]."""
SMALLEST_SQUARE = 1e-12
"""Is added below the root, whose gradient is not finite at 0; far below one level of 255."""


@dataclass(frozen=True)
class GridLoss:
    """loss_weight * (grid(sr - gt) + grid of what their steps to the next pixel differ by).

    An upscaling network makes `period` x `period` pixels of each input pixel by weights
    of their own. What it does otherwise at one of these places, a phase, than at the
    others repeats every `period` pixels: a grid artifact (Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts"). Pixel losses and LPIPS hardly see it.

    grid(r) is the root mean square of m_k - mean over k of m_k, for each image. m_k, of
    each channel and each window of 8 x 8 periods, is the mean of r over the window's
    pixels of phase k; windows overlap by half. An error that repeats with the period
    counts fully, an even one not at all; one that does not repeat is averaged away: of
    independent noise an eighth is left. `grid_index` measures the same in one image,
    by its spectrum.

    Steps are |x_i+1 - x_i| of the mean of the channels, across and down; the last pixel's
    leads to the first. Where those between the pixels of two input pixels are larger than
    those within one, edges are stairs and texture is in blocks, though no phase is
    brighter than another.

    Attributes:
        loss_weight: factor on it.
        period: of the grid [pixels].
    """

    loss_weight: float = 1.0
    period: int = 4

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, C, H, W), the mean over the images.

        H and W are at least `period`.
        """
        total = self._grid(sr - gt)
        gray, gray_gt = (images.mean(axis=1, keepdim=True) for images in (sr, gt))
        for axis in (2, 3):
            total = total + self._grid(_steps(gray, axis) - _steps(gray_gt, axis))
        return self.loss_weight * total

    def _grid(self, error: Tensor) -> Tensor:
        height, width = (side - side % self.period for side in error.shape[2:])
        phases = F.pixel_unshuffle(error[:, :, :height, :width], self.period)
        window = [min(WINDOW, side) for side in phases.shape[2:]]
        means = F.avg_pool2d(phases, window, STRIDE)

        count, channels = error.shape[:2]
        means = means.reshape([count, channels, self.period**2, -1])
        deviations = means - means.mean(axis=2, keepdim=True)
        mean_square = deviations.square().mean(axis=[1, 2, 3])
        return (mean_square + SMALLEST_SQUARE).sqrt().mean()


def _steps(images: Tensor, axis: int) -> Tensor:
    """Return how far each pixel is from the next along an axis, in the shape of `images`."""
    return (paddle.roll(images, -1, axis) - images).abs()


def grid_period(scale: int) -> int:
    """Return the period of the grid that a network may leave [pixels].

    RRDBNets of scale 1 and 2 enlarge by `INNER_PERIOD` inside, and a grid of 2 pixels
    is one of 4, too.
    """
    return scale if scale > 2 else INNER_PERIOD
