"""A distance of images, such as LPIPS, as a loss."""

from collections.abc import Callable
from dataclasses import dataclass

from paddle import Tensor


@dataclass(frozen=True)
class WeightedLoss:
    """loss_weight * the mean of a distance over the batch.

    Attributes:
        distance: returns one distance for each image, (N,), such as `LPIPS` and
            `DISTS`.
        loss_weight: factor on the loss.
    """

    distance: Callable[[Tensor, Tensor], Tensor]
    loss_weight: float = 1.0

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1]."""
        distances = self.distance(sr, gt)
        return self.loss_weight * distances.mean()
