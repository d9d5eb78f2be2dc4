"""How many iterations a run has: fixed, or as many as fit into `train.minutes`.

With minutes, steps and validations are timed during the run. What is left of the time
says how many iterations follow, and the learning rate goes along: it is that of the
share of the run that is done, not that of the iteration's number.
"""

import math
import time
from collections.abc import Callable
from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool, StrictFloat
from pydantic.dataclasses import dataclass

from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.utils.machine.process_group import ProcessGroup
from realesrgan_paddle.utils.runlog.meter import Meter, duration

CHECKS = 50
"""How often a run that goes as planned is compared with the clock."""
FIRST_CHECK = 4
"""Iterations before the first comparison: the first one takes longer."""
TOLERATED = 0.03
"""The plan stays if it is off by less [share of the iterations that are left]."""
SAID = 0.2
"""A line is logged once the plan has changed by this share since the last."""
VALIDATION_SHARE = 0.2
"""Most of the time left that validations on the way may take; a rule of thumb."""
END_S, END_SHARE = 4.0, 0.015
"""Kept for the verdict and for surprises: seconds, and a share of the minutes."""

Number = Annotated[int, Field(strict=True, ge=0)]
Seconds = Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)]


@dataclass(config=ConfigDict(extra="forbid"))
class Pace:
    """The plan of a run, as its states keep it.

    Attributes:
        total: the last iteration.
        minutes: that the run may take; 0: as long as `total` iterations take.
        validates: whether there are validations before the last.
        changed_at: the iteration at which the total was changed last.
        reached: the share of the run that was done there, 0 to 1.
        spent: what the run took up to the state, its start included [s].
        step_s: of an iteration, as last measured [s].
        validation_s: of a validation [s].
    """

    total: Number
    minutes: Seconds = 0.0
    validates: StrictBool = True
    changed_at: Number = 0
    reached: Annotated[Seconds, Field(le=1)] = 0.0
    spent: Seconds = 0.0
    step_s: Seconds = 0.0
    validation_s: Seconds = 0.0

    def share(self, iteration: int) -> float:
        """Return how much of the run is done after an iteration, 0 to 1."""
        iterations = max(1, self.total - self.changed_at)
        since = (iteration - self.changed_at) / iterations
        return min(1.0, self.reached + (1 - self.reached) * since)

    def change(self, iteration: int, total: int) -> None:
        """Let the run have `total` iterations; `iteration` of them are done."""
        self.reached = self.share(iteration)
        self.changed_at = iteration
        self.total = total


def kept_for_the_end(minutes: float) -> float:
    """Return the seconds of a run's minutes that training leaves to what follows it."""
    return END_S + END_SHARE * 60 * minutes


def iterations_that_fit(
    seconds: float, step_s: float, validation_s: float, every: int | None
) -> tuple[int, bool]:
    """Return how many iterations fit, and whether validations on the way do.

    Args:
        seconds: that are left.
        step_s: of an iteration.
        validation_s: of a validation; there is one at the end.
        every: iterations between those on the way; None: there are none.
    """
    left = max(0.0, seconds - validation_s)
    if step_s <= 0:
        return 0, every is not None
    alone = math.floor(left / step_s)
    if every is None:
        return alone, False
    between = validation_s / every
    if between * alone > VALIDATION_SHARE * left and alone >= every:
        return alone, False
    return math.floor(left / (step_s + between)), True


class Course:
    """Which iteration of a run is the last, which are validated, and at which rate.

    Args:
        cfg: `train.total_iter` iterations are planned; `train.minutes`, if given, decides.
        group: the processes that train together; they have the same course.
        started: when this command began, by `time.monotonic`.
        log: gets a line when much of the plan has changed.

    Attributes:
        pace: the plan, which a run with minutes changes.
    """

    def __init__(
        self,
        cfg: Config,
        group: ProcessGroup,
        started: float,
        log: Callable[[str], None],
    ) -> None:
        self._planned = cfg.train.total_iter
        self._minutes = cfg.train.minutes
        self._val_freq = cfg.val.val_freq if cfg.val else None
        self._group = group
        self._started = started
        self._log = log
        self._check_every = max(1, self._planned // CHECKS)
        self._begin(Pace(self._planned, self._minutes or 0.0))

    def _begin(self, pace: Pace) -> None:
        self.pace = pace
        self._before = pace.spent
        self._said = pace.total

    @property
    def total(self) -> int:
        """The last iteration."""
        return self.pace.total

    def resume(self, pace: Pace | None, iteration: int) -> bool:
        """Go on with the plan of a state, in what is left of the minutes.

        A run that is over stays so, unless it is given more minutes than it had.

        Returns:
            Whether the run ends here, earlier than planned.
        """
        if not self._minutes or pace is None:
            return False
        self._begin(pace)
        was_over = iteration >= self.total
        if was_over and self._minutes <= pace.minutes:
            return False
        pace.minutes = self._minutes
        self._follow(iteration, self._seconds_left())
        return iteration >= self.total and not was_over

    def scheduled(self, iteration: int) -> float:
        """Return the iteration of the plan at which the learning rate is this one's."""
        if not self._minutes:
            return iteration
        return 1 + self._planned * self.pace.share(iteration - 1)

    def is_validated(self, iteration: int) -> bool:
        """Return whether a validation follows an iteration."""
        if self._val_freq is None:
            return False
        is_on_the_way = self.pace.validates and iteration % self._val_freq == 0
        return is_on_the_way or iteration == self.total

    def follow_clock(self, iteration: int, meter: Meter) -> None:
        """Compare the plan with the clock after an iteration, and change it if needed."""
        if not self._minutes:
            return
        pace = self.pace
        # A process's first iteration, which takes longer, is not measured.
        pace.step_s = meter.step_s or pace.step_s
        pace.validation_s = meter.seconds_of("validation") or pace.validation_s
        left = self._seconds_left()

        # Between the checks of a slow run its time may end. Several processes must
        # agree, so they look at checks only.
        is_check = iteration % self._check_every == 0 and iteration >= FIRST_CHECK
        is_over = left < pace.validation_s + pace.step_s and self._group.size == 1
        if iteration >= pace.total or not (is_check or is_over):
            return

        self._follow(iteration, left)
        meter.total = pace.total
        if abs(pace.total - self._said) <= SAID * self._said:
            return
        before, self._said = self._said, pace.total
        ways = "" if pace.validates or not self._val_freq else "; validation at the end"
        self._log(
            f"minutes: {pace.step_s:.2g} s a step, {duration(left)} left to train: "
            f"{pace.total:,} iterations in the place of {before:,}{ways}"
        )

    def _seconds_left(self) -> float:
        """Return the time that is left to train and validate; count what is spent."""
        assert self._minutes is not None
        self.pace.spent = self._before + time.monotonic() - self._started
        return 60 * self._minutes - self.pace.spent - kept_for_the_end(self._minutes)

    def _follow(self, iteration: int, left: float) -> None:
        """Let the plan have what fits into the time left after an iteration.

        It stays as long as no iteration was measured, which all processes see alike.
        """
        pace = self.pace
        if pace.step_s <= 0:
            return
        every = self._val_freq if pace.validates else None
        more, validates = iterations_that_fit(
            left, pace.step_s, pace.validation_s, every
        )
        less, skips = self._group.maximum(-more, int(not validates))
        more = -less  # the least: the process that validates has less time than others
        pace.validates = not skips
        planned = pace.total - iteration
        if abs(more - planned) > max(1, TOLERATED * planned):
            pace.change(iteration, iteration + more)
