"""Pixel losses L1, MSE and Charbonnier, with BasicSR's arguments and weighting."""

from dataclasses import dataclass
from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional as F

Reduction = Literal["none", "mean", "sum"]


@dataclass(frozen=True)
class L1Loss:
    """loss_weight * |pred - target|."""

    loss_weight: float = 1.0
    reduction: Reduction = "mean"

    def __call__(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of pred (N, C, H, W); `reduce` explains the weight."""
        loss = (pred - target).abs()
        return self.loss_weight * reduce(loss, weight, self.reduction)


@dataclass(frozen=True)
class MSELoss:
    """loss_weight * (pred - target)^2."""

    loss_weight: float = 1.0
    reduction: Reduction = "mean"

    def __call__(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of pred (N, C, H, W); `reduce` explains the weight."""
        loss = F.square_error_cost(pred, target)
        return self.loss_weight * reduce(loss, weight, self.reduction)


@dataclass(frozen=True)
class CharbonnierLoss:
    """loss_weight * sqrt((pred - target)^2 + eps), an L1 loss that is smooth at zero.

    Lai et al. 2017, "Deep Laplacian Pyramid Networks for Fast and Accurate
    Super-Resolution", equation 2.
    """

    loss_weight: float = 1.0
    reduction: Reduction = "mean"
    eps: float = 1e-12

    def __call__(
        self, pred: Tensor, target: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss of pred (N, C, H, W); `reduce` explains the weight."""
        loss = paddle.sqrt(F.square_error_cost(pred, target) + self.eps)
        return self.loss_weight * reduce(loss, weight, self.reduction)


def reduce(loss: Tensor, weight: Tensor | None, reduction: Reduction) -> Tensor:
    """Return a loss (N, C, H, W) unchanged ("none"), its sum or its mean.

    `weight`, (N, C, H, W) or (N, 1, H, W), multiplies the elements; the mean is then
    the weighted one, divided by the sum of the weights
    (`basicsr.losses.loss_util.weight_reduce_loss`).
    """
    if weight is not None:
        loss = loss * weight
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction != "mean":
        raise ValueError(f"reduction {reduction!r} is not none, mean or sum")
    if weight is None:
        return loss.mean()
    return loss.sum() / weight.expand_as(loss).sum()
