"""Whether the losses of a discriminator say that it learns."""

import math
from collections import deque
from collections.abc import Mapping

from realesrgan_paddle.judging.findings import (
    CANNOT_TELL,
    NOT_SEPARATED,
    TELLS_AT_ONCE,
    Finding,
)
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.options.schema.training import GANLossOptions

REPORTS = 10
"""Consecutive reports that the warnings are based on; chosen by eye."""
START_UP = 500
"""Iterations after the warm-up without warnings; chosen by eye.

Every untrained discriminator is at ln 2.
"""
TOLERANCE = 0.01
"""How near to ln 2 or 0 a loss counts as staying there; chosen by eye."""

UNTRAINED = math.log(2)
"""Both losses of a vanilla GAN where every answer is 0.5."""


class DiscriminatorWatch:
    """Says when the discriminator's warm-up has ended, and once if it has collapsed.

    Args:
        step: a GAN's step; any other is not watched.
        gan: the section `train.gan_opt`.
        print_freq: iterations between two reports.
    """

    def __init__(
        self, step: PixelStep, gan: GANLossOptions | None, print_freq: int
    ) -> None:
        self._gan_type = gan.gan_type if gan else None
        self._print_freq = print_freq
        self._warm_up = step.warm_up if isinstance(step, GANStep) else None
        self._losses: deque[tuple[float, float]] = deque(maxlen=REPORTS)
        self._warned: set[Finding] = set()

    def __call__(self, iteration: int, losses: Mapping[str, float]) -> list[str]:
        """Return what is new at a report, which comes every `print_freq` iterations."""
        warm_up = self._warm_up
        if warm_up is None:
            return []

        lines = []
        if warm_up.ended and iteration - self._print_freq < warm_up.ended:
            lines.append(describe_end(warm_up, warm_up.ended))
        begun = warm_up.ended or warm_up.max_iterations
        if iteration <= begun + START_UP:
            return lines

        self._losses.append((losses["l_d_real"], losses["l_d_fake"]))
        if self._gan_type == "vanilla" and self._stay_at(UNTRAINED):
            lines += self._once(CANNOT_TELL, "ln 2 = 0.693")
        if self._gan_type in ("vanilla", "lsgan", "hinge") and self._stay_at(0.0):
            lines += self._once(TELLS_AT_ONCE, "0")
        return lines

    def _stay_at(self, value: float) -> bool:
        """Return whether both losses were near `value` in all of the last reports."""
        if len(self._losses) < REPORTS:
            return False
        differences = [abs(loss - value) for pair in self._losses for loss in pair]
        return not any(difference > TOLERANCE for difference in differences)

    def _once(self, finding: Finding, value: str) -> list[str]:
        """Return the warning, the first time."""
        if finding in self._warned:
            return []
        self._warned.add(finding)
        stayed = (
            f"l_d_real and l_d_fake stayed at {value} in the last {REPORTS} reports"
        )
        return [f"warning: {finding.line(stayed)}"]


def describe_end(warm_up: DiscriminatorWarmUp, ended: int) -> str:
    """Return what the log says of a warm-up whose last iteration was `ended`."""
    accuracy = f"it classifies {warm_up.accuracy:.0%} correctly (chance: 50%)"
    if warm_up.separated:
        return (
            "warm-up: the discriminator separates real from generated images after "
            f"{ended:,} iterations: {accuracy}"
        )
    if warm_up.target_accuracy is None:
        return (
            f"warm-up: the discriminator was trained alone for {ended:,} iterations: "
            f"{accuracy}"
        )
    missed = (
        f"{accuracy}, not {warm_up.target_accuracy:.0%}, after {ended:,} iterations"
    )
    return f"warning: {NOT_SEPARATED.line(missed)}"
