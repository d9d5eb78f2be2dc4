"""The input of a training step."""

from dataclasses import dataclass

from paddle import Tensor


@dataclass(frozen=True)
class Batch:
    """One training batch; all tensors are float32 RGB in [0, 1]."""

    lq: Tensor
    """Low-quality input, (N, 3, H / scale, W / scale)."""
    gt: Tensor
    """Ground truth, (N, 3, H, W)."""
    gt_usm: Tensor
    """Ground truth sharpened by an unsharp mask, (N, 3, H, W).

    `gt` itself where no loss takes it.
    """
