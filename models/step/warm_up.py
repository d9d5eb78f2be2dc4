"""The beginning of GAN training with a new discriminator: it learns alone, on the frozen generator's pictures."""

from collections.abc import Mapping

import numpy as np

KNOWS_NOTHING = 0.5
"""The accuracy of a coin, and of a discriminator that answers the same to every picture."""
SMOOTHING = 0.98
"""Share of the old value in the running mean, which so spans about 50 iterations."""


class DiscriminatorWarmUp:
    """How long the discriminator learns alone: until it separates real from generated, or `longest` iterations.

    Until then it teaches a generator nothing but noise. Separating is judged by a
    running mean of its accuracy, the share of its answers on the right side. (A target
    of 0.8 for the like quantity is Karras et al.'s 2020, "Training GANs with limited
    data", r_t = 0.6, which is 2 x accuracy - 1 of real pictures.)

    Args:
        longest: iterations after which the stage ends at the latest; 0: there is none.
        until: the accuracy that ends it before; None: it takes `longest`.

    Attributes:
        accuracy: the running mean; it starts at 0.5.
        ended: the stage's last iteration; None while it lasts.
    """

    def __init__(self, longest: int = 0, until: float | None = None) -> None:
        self.longest = longest
        self.until = until
        self.accuracy = KNOWS_NOTHING
        self.ended: int | None = None

    @property
    def separated(self) -> bool:
        """Whether the accuracy is what it should become."""
        return self.until is not None and self.accuracy >= self.until

    def lasts(self, iteration: int) -> bool:
        """Return whether `iteration` is the discriminator's alone."""
        return self.ended is None and iteration <= self.longest

    def note(self, iteration: int, accuracy: float) -> None:
        """Take note of the accuracy in an iteration of the stage, which may be its last."""
        self.accuracy = SMOOTHING * self.accuracy + (1 - SMOOTHING) * accuracy
        if self.separated or iteration == self.longest:
            self.ended = iteration

    def state(self) -> dict[str, np.ndarray]:
        """Return what it remembers; `ended` is 0 while the stage lasts."""
        return {
            "accuracy": np.array([self.accuracy]),
            "ended": np.array([self.ended or 0]),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `state` returned; of nothing (a state from before this stage existed) it takes nothing."""
        if state:
            self.accuracy, self.ended = (
                float(state["accuracy"][0]),
                int(state["ended"][0]) or None,
            )
