"""Gradient accumulation: one update of the weights from several small batches."""

from paddle import Tensor

from realesrgan_paddle.models.step.reference_losses import Losses


class GradientAccumulation:
    """Adds up the gradient of the mean loss of several batches, one batch at a time.

    So memory holds the activations of one batch only.

    Args:
        batches: how many batches make up the update.
        scale: factor on the losses before the backward pass (float16's loss scale).

    Attributes:
        means: all losses and reported values, detached, averaged over the batches.
    """

    def __init__(self, batches: int, scale: float) -> None:
        self._share = 1 / batches
        self._scale = scale
        self.means: Losses = {}

    def backward(self, losses: Losses, **reported: Tensor) -> None:
        """Add one batch's share of the gradient of the sum of `losses`.

        `reported` are averaged as the losses are, but have no gradient.
        """
        if losses:
            total = sum(losses.values())
            (total * (self._share * self._scale)).backward()

        for name, value in {**losses, **reported}.items():
            share = value.detach() * self._share
            if name in self.means:
                share = self.means[name] + share
            self.means[name] = share
