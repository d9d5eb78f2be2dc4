"""Watch a run for values that are not finite, and save it where an error ends it."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import SupportsFloat

from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.checkpoints import Checkpoints
from realesrgan_paddle.utils.errors import UserError


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


class SaveOnError:
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

    def __enter__(self) -> "SaveOnError":
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
        try:
            self._checkpoints.wait()
            if not is_whole or self.iteration == self._checkpoints.saved_at:
                return ""
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
