"""Watch a run for values that are not finite, a collapsed discriminator, and errors."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import SupportsFloat

from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.models.step.warm_up import DiscriminatorWarmUp
from realesrgan_paddle.options.schema.training import GANLossOptions
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.checkpoints import Checkpoints
from realesrgan_paddle.utils.errors import UserError

REPORTS = 10
"""Consecutive reports that the discriminator's warnings are based on; chosen by eye."""
START_UP = 500
"""Iterations after the warm-up without warnings; chosen by eye.

Every untrained discriminator is at ln 2.
"""
TOLERANCE = 0.01
"""How near to ln 2 or 0 a loss counts as staying there; chosen by eye."""


class NonFiniteGuard:
    """Counts skipped updates; too many in a row roll the run back once, then stop it.

    Args:
        patience: how many in a row are too many.
        checkpoints: what to roll back to; the counts are in their record.
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
        """Count an iteration: whether its update was `skipped`, and with which losses.

        Raises:
            UserError: too many were skipped, and the run was rolled back before or has
                no checkpoint.
        """
        record = self._checkpoints.record
        if not skipped:
            record.skipped_in_a_row = 0
            return

        record.skipped += 1
        record.skipped_in_a_row += 1
        bad = _not_finite(losses)
        self._log(
            f"iter {iteration:,}: update skipped, not finite: {bad} "
            f"({record.skipped_in_a_row} in a row, {record.skipped} in all)"
        )
        if record.skipped_in_a_row < self._patience:
            return

        if record.rolled_back or record.good is None:
            tried = (
                "after a rollback" if record.rolled_back else "before any checkpoint"
            )
            raise UserError(
                f"iteration {iteration:,}: {record.skipped_in_a_row} updates in a row "
                f"were not finite ({bad}), {tried}; try a lower train.optim_g.lr and "
                "train.optim_d.lr, a longer train.warmup_iter, or smaller loss weights, "
                "and resume with --auto_resume"
            )
        good = self._checkpoints.roll_back()
        self._log(
            f"rolled back to the weights of iter {good:,}; the run continues from here"
        )


class Rescue:
    """While entered, saves the run that an error ends, if memory holds a whole state.

    It does where the batches that were taken are those of the iterations that were
    made: between two updates, and not where half of an update may be made. Then it logs
    how to resume the run. The error goes on.

    Args:
        checkpoints: save the run.
        batches: count themselves.
        accum_iter: the batches of one iteration.
        iteration: the one that the run starts after.

    Attributes:
        iteration: the last one that was made.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        batches: TrainingBatches,
        accum_iter: int,
        iteration: int,
    ) -> None:
        self.iteration = iteration
        self._checkpoints = checkpoints
        self._batches = batches
        self._accum_iter = accum_iter

    def __enter__(self) -> "Rescue":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, Exception):
            return
        outcome = f"iter {self.iteration:,}: ended by an error: {_in_one_line(error)}"
        if problem := self._save():
            outcome += f"; its state cannot be saved: {problem}"

        # The first error matters more than that the log cannot be written, either.
        with suppress(OSError):
            self._checkpoints.report_saved(f"{outcome};")

    def _save(self) -> str:
        """Save the state if it is whole and not saved; return why that has failed."""
        is_whole = self._batches.number == self.iteration * self._accum_iter
        if not is_whole or self.iteration == self._checkpoints.saved_at:
            return ""
        try:
            self._checkpoints.save_alone(self.iteration)
        except (UserError, OSError, MemoryError, RuntimeError) as problem:
            return _in_one_line(problem)
        return ""


def _in_one_line(error: Exception) -> str:
    """Return the message of an error, or only its type: Paddle's fill pages."""
    text = str(error)
    return text if text and "\n" not in text else type(error).__name__


def _not_finite(losses: Mapping[str, SupportsFloat]) -> str:
    """Return which losses are not finite; if none is, it was a gradient."""
    bad = [
        name
        for name, loss in losses.items()
        if name.startswith("l_") and not math.isfinite(float(loss))
    ]
    return ", ".join(bad) or "a gradient"


class DiscriminatorWatch:
    """Logs the end of the discriminator's warm-up, and warns once if it has collapsed.

    Args:
        step: a GAN's step; any other is not watched.
        gan: the section `train.gan_opt`.
        print_freq: iterations between two reports.
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
        self._warned: set[str] = set()

    def __call__(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Look at the losses of a report, which comes every `print_freq` iterations."""
        warm_up = self._warm_up
        if warm_up is None:
            return

        if warm_up.ended and iteration - self._print_freq < warm_up.ended:
            self._log(describe_end(warm_up, warm_up.ended))

        begun = warm_up.ended or warm_up.max_iterations
        if iteration <= begun + START_UP:
            return

        self._losses.append((losses["l_d_real"], losses["l_d_fake"]))
        if self._gan_type == "vanilla" and self._stay_at(math.log(2)):
            self._warn(
                "at ln 2 = 0.693: it cannot tell real from generated images, so the "
                "adversarial loss teaches nothing; try a higher train.optim_d.lr, "
                "train.net_d_init_iters (train it alone first), or a trained "
                "path.pretrain_network_d"
            )
        if self._gan_type in ("vanilla", "lsgan", "hinge") and self._stay_at(0.0):
            self._warn(
                "at 0: it tells real from generated images without effort, so its "
                "gradient says little; try a lower train.optim_d.lr, gan_gt_usm: false, "
                "or train longer without a GAN first (RealESRNetModel)"
            )

    def _stay_at(self, value: float) -> bool:
        """Return whether both losses were near `value` in all of the last reports."""
        if len(self._losses) < REPORTS:
            return False
        differences = [abs(loss - value) for pair in self._losses for loss in pair]
        return not any(difference > TOLERANCE for difference in differences)

    def _warn(self, text: str) -> None:
        if text in self._warned:
            return
        self._warned.add(text)
        self._log(
            f"warning: in the last {REPORTS} reports l_d_real and l_d_fake stayed {text}"
        )


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
    return (
        "warning: warm-up: the discriminator does not separate real from generated images "
        f"after {ended:,} iterations: {accuracy}, not {warm_up.target_accuracy:.0%}; the "
        "generator is trained from now on; if l_d_real and l_d_fake stay near their first "
        "values, try a longer train.net_d_init_iters or a higher train.optim_d.lr"
    )
