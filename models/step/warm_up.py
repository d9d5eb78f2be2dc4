"""The discriminator's warm-up: a new one is trained alone first."""

from collections.abc import Mapping

import numpy as np

CHANCE = 0.5
"""Accuracy of a discriminator that answers at random, or the same to every image."""
SMOOTHING = 0.98
"""Weight of the old value in the running mean of the accuracy, over about 50 values."""

WARM_UP_BOUNDS = {"accuracy": (1.0,), "ended": (2.0**53,)}
"""The largest values in a state."""


class DiscriminatorWarmUp:
    """Decides how long only the discriminator is trained.

    The generator is frozen meanwhile: to it the gradient of a discriminator that does
    not separate real from generated images is noise. Whether it does is judged by a
    running mean of its accuracy. (Karras et al. 2020, "Training GANs with limited
    data", aim at a similar quantity of 0.8: r_t = 0.6, which is 2 * accuracy - 1 on
    real images.)

    Args:
        max_iterations: where the warm-up ends at the latest; 0: there is none.
        target_accuracy: the accuracy at which it ends; None: at `max_iterations` only.

    Attributes:
        accuracy: the running mean; it starts at chance.
        ended: the warm-up's last iteration; None as long as it has not ended.
    """

    def __init__(
        self, max_iterations: int = 0, target_accuracy: float | None = None
    ) -> None:
        self.max_iterations = max_iterations
        self.target_accuracy = target_accuracy
        self.accuracy = CHANCE
        self.ended: int | None = None

    @property
    def separated(self) -> bool:
        """Whether the target accuracy is reached."""
        target = self.target_accuracy
        return target is not None and self.accuracy >= target

    def is_active(self, iteration: int) -> bool:
        """Return whether only the discriminator is trained in `iteration`."""
        return self.ended is None and iteration <= self.max_iterations

    def record(self, iteration: int, accuracy: float) -> None:
        """Add an iteration's accuracy; end the warm-up if it was the last."""
        old = SMOOTHING * self.accuracy
        self.accuracy = old + (1 - SMOOTHING) * accuracy
        if self.separated or iteration == self.max_iterations:
            self.ended = iteration

    def state(self) -> dict[str, np.ndarray]:
        """Return accuracy and last iteration as arrays; `ended` is 0 for None."""
        return {
            "accuracy": np.array([self.accuracy]),
            "ended": np.array([self.ended or 0]),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state()` returned; an empty one, of older runs, is ignored."""
        if state:
            self.accuracy = float(state["accuracy"][0])
            self.ended = int(state["ended"][0]) or None
