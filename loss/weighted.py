"""A distance of pictures as a loss."""

from collections.abc import Callable
from dataclasses import dataclass

from paddle import Tensor


@dataclass(frozen=True)
class WeightedLoss:
    """loss_weight * the mean over a batch of a distance, such as `LPIPS` and `DISTS` give it for each picture."""

    distance: Callable[[Tensor, Tensor], Tensor]
    loss_weight: float = 1.0

    def __call__(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Return the loss of sr (N, 3, H, W), RGB in [0, 1]."""
        return self.loss_weight * self.distance(sr, gt).mean()
