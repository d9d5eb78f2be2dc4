"""What watches a training run: for numbers that are not finite, and for a discriminator that has given up."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import SupportsFloat

from realesrgan_paddle.models.step.steps import GANStep, PixelStep
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.options.schema.config import GANLossOptions
from realesrgan_paddle.run.checkpoints import Checkpoints
from realesrgan_paddle.utils.errors import UserError

REPORTS = 10
"""The discriminator is judged by so many reports in a row."""
START_UP = 500
"""Iterations, after its warm-up, in which it may stand at ln 2, as every untrained discriminator does."""
TOLERANCE = 0.01


class NonFiniteGuard:
    """Counts the updates that were skipped and, after too many in a row, goes back once; then it stops the run.

    Args:
        patience: how many in a row are too many.
        checkpoints: what to go back to; the counts are part of their record.
        log: takes one line.
    """

    def __init__(
        self, patience: int, checkpoints: Checkpoints, log: Callable[[str], None]
    ) -> None:
        self._patience = patience
        self._checkpoints = checkpoints
        self._log = log

    def __call__(
        self, iteration: int, skipped: bool, losses: Mapping[str, SupportsFloat]
    ) -> None:
        """Take note of an iteration: whether its update was `skipped`, and its losses.

        Raises:
            UserError: too many were skipped, and going back did not help or there is
                nothing to go back to.
        """
        record = self._checkpoints.record
        if not skipped:
            record.skipped_in_a_row = 0
            return
        record.skipped += 1
        record.skipped_in_a_row += 1
        bad = [
            name
            for name, loss in losses.items()
            if name.startswith("l_") and not math.isfinite(float(loss))
        ]
        found = ", ".join(bad) or "a gradient"
        counts = f"{record.skipped_in_a_row} in a row, {record.skipped} in all"
        self._log(f"iter {iteration:,}: update skipped, not finite: {found} ({counts})")
        if record.skipped_in_a_row < self._patience:
            return
        if record.rolled_back or record.good is None:
            tried = (
                "although it went back to a checkpoint before"
                if record.rolled_back
                else "before any checkpoint"
            )
            raise UserError(
                f"iteration {iteration:,}: {record.skipped_in_a_row} updates in a row were not finite ({found}), "
                f"{tried}; try a lower train.optim_g.lr and train.optim_d.lr, a longer train.warmup_iter, "
                "or smaller loss weights, and go on with --auto_resume"
            )
        self._log(
            f"went back to the weights of iter {self._checkpoints.roll_back():,}; the run goes on from here"
        )


class DiscriminatorWatch:
    """Says when the discriminator's warm-up ended, and, once each, when its losses stay where it teaches nothing.

    Args:
        step: whose discriminator; without one nothing is watched.
        gan: the adversarial loss.
        print_freq: iterations between two reports.
        log: takes one line.
    """

    def __init__(
        self,
        step: PixelStep,
        gan: GANLossOptions | None,
        print_freq: int,
        log: Callable[[str], None],
    ) -> None:
        self._gan_type = gan.gan_type if gan else None
        self._print_freq = print_freq
        self._warm_up = step.warm_up if isinstance(step, GANStep) else None
        self._log = log
        self._losses: deque[tuple[float, float]] = deque(maxlen=REPORTS)
        self._said: set[str] = set()

    def __call__(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Take note of a report."""
        stage = self._warm_up
        if stage is None:
            return
        if stage.ended and iteration - self._print_freq < stage.ended:
            self._say_how_it_ended(stage)
        if iteration <= (stage.ended or stage.longest) + START_UP:
            return
        self._losses.append((losses["l_d_real"], losses["l_d_fake"]))
        if self._gan_type == "vanilla" and self._stay_at(math.log(2)):
            self._say(
                "at ln 2 = 0.693: it cannot tell real pictures from generated ones, so the adversarial loss teaches "
                "nothing; try a higher train.optim_d.lr, train.net_d_init_iters (train it alone first), or a trained "
                "path.pretrain_network_d"
            )
        if self._gan_type in ("vanilla", "lsgan", "hinge") and self._stay_at(0.0):
            self._say(
                "at 0: it tells real pictures from generated ones without effort, so its gradient says little; try a "
                "lower train.optim_d.lr, gan_gt_usm: false, or to train longer without it first (RealESRNetModel)"
            )

    def _say_how_it_ended(self, stage: DiscriminatorWarmUp) -> None:
        right = f"its answers are right {stage.accuracy:.0%} of the time (chance: 50%)"
        if stage.separated:
            self._log(
                f"the discriminator separated real from generated after {stage.ended:,} iterations alone: {right}"
            )
        elif stage.until is None:
            self._log(
                f"the discriminator has learned alone for {stage.ended:,} iterations: {right}"
            )
        else:
            self._log(
                f"warning: the discriminator did not separate real from generated in {stage.ended:,} iterations alone: "
                f"{right}, not {stage.until:.0%}; the generator learns from now on; if l_d_real and l_d_fake stay near "
                "their first values, try a longer train.net_d_init_iters or a higher train.optim_d.lr"
            )

    def _stay_at(self, value: float) -> bool:
        far = any(
            abs(loss - value) > TOLERANCE for pair in self._losses for loss in pair
        )
        return len(self._losses) == REPORTS and not far

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._log(
                f"warning: in the last {REPORTS} reports l_d_real and l_d_fake stayed {what}"
            )
