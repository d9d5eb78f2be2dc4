"""What fits into `--minutes`: the fit, the start, iterations, validations, the verdict.

The parts are measured once before anything long starts, by `measure_costs`, and the plan
is said. It is made again after the fit; then the run follows the clock by itself.
"""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from realesrgan_paddle.judging.findings import HELPFUL
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.environment import Costs, measure_costs
from realesrgan_paddle.recipes.plan import Plan
from realesrgan_paddle.training.pace import VALIDATION_SHARE, kept_for_the_end
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.runlog.meter import duration

FIT_SHARE = 1 / 3
"""Most of the minutes that the fit may take; a rule of thumb."""
FIT_LEAST_S = 30.0
"""A fit with less time than this is left out [s]: the least, 243 steps (data/lq/search.py),
takes two idle cores 21 s (160 s of processor time for 955), and some seconds to open. On
a busy machine the fit itself says that its time is too short."""
START_SHARE = 2.0
"""The start's validation, of bicubic interpolation too, in validations; rounded up."""
ENDS_SHARE = 0.25
"""Most of the time that the validations at start and end may take; a rule of thumb.

Where they would take more, general images are left out, then there are fewer crops.
"""
FEWEST_CROPS = 6
"""Crops that are held out at least."""
MOST_VALIDATIONS = 8
ENOUGH = 300
"""Where fewer iterations fit, batches become smaller; the quickstart's, of 4 x 128."""
SMALL_BATCHES = ((4, 128), (2, 128), (2, 96))
"""Crops and their side, the largest first."""
SMALL_CLIPS = ((1, 128), (1, 96))
"""The same of clips, of which each frame is a crop."""
LONGEST = 24 * 60
"""Minutes up to which the least that helps is looked for."""
LONGER = (
    "twice the minutes: from 500 to 9,600 iterations each doubling brought another 3 % of "
    "LPIPS and DISTS on soccer, and no more on a drone and dashcams (docs/domain_gain/)"
)


@dataclass(frozen=True)
class Budget:
    """The parts of a run of some minutes [s]."""

    minutes: float
    spent: float
    fit: float
    """At most; 0: there is none."""
    opening: float
    start: float
    """The validation of the network to start from."""
    step: float
    iterations: int
    validations: int
    """After the start's, the last one included."""
    validation: float
    general: bool
    """Whether general images are validated too."""
    crops: int | None
    """Crops held out; None: as many as usual."""

    @property
    def val_freq(self) -> int:
        """Iterations between validations."""
        return max(1, math.ceil(self.iterations / max(1, self.validations)))

    def __str__(self) -> str:
        """Return what each part will take."""
        training = self.iterations * self.step
        parts = [f"{duration(self.spent)} so far"]
        if self.fit:
            parts.append(f"at most {duration(self.fit)} to fit")
        parts += [
            f"{duration(self.opening)} to open the run",
            f"{duration(self.start)} to validate the start",
            f"{duration(training)} for {self.iterations:,} iterations of "
            f"{self.step:.2g} s",
        ]
        if self.validation:
            each = duration(self.validation)
            parts.append(f"{self.validations} validations of {each}")
        end = duration(kept_for_the_end(self.minutes))
        parts.append(f"{end} for the verdict")
        return ", ".join(parts)


def plan_budget(minutes: float, spent: float, costs: Costs, *, fits: bool) -> Budget:
    """Return what fits into the minutes.

    Args:
        minutes: of the whole command.
        spent: since it began [s].
        costs: what the parts take, as measured.
        fits: whether the degradation is solved for, too.
    """
    fit = FIT_SHARE * 60 * minutes if fits else 0.0
    if fit < FIT_LEAST_S:
        fit = 0.0
    left = 60 * minutes - spent - kept_for_the_end(minutes) - costs.opening - fit

    most = max(0.0, ENDS_SHARE * left / (START_SHARE + 1))
    validation, general, crops = costs.validation, True, None
    if validation > most:
        validation -= costs.general
        general = costs.general == 0
    if validation > most and costs.crops > FEWEST_CROPS:
        others = validation - costs.held_out
        fit_in = math.floor(costs.crops * (most - others) / costs.held_out)
        crops = max(FEWEST_CROPS, fit_in)
        validation = others + costs.held_out * crops / costs.crops
    start = START_SHARE * validation
    left -= start

    validations = 0
    if validation:
        on_the_way = math.floor(VALIDATION_SHARE * left / validation)
        validations = min(MOST_VALIDATIONS, max(1, on_the_way))
    left -= validations * validation
    iterations = max(1, math.floor(left / costs.step))
    return Budget(
        minutes=minutes,
        spent=spent,
        fit=fit,
        opening=costs.opening,
        start=start,
        step=costs.step,
        iterations=iterations,
        validations=min(validations, iterations),
        validation=validation,
        general=general,
        crops=crops,
    )


def least_minutes(
    iterations: int, spent: float, costs: Costs, *, fits: bool
) -> int | None:
    """Return the fewest whole minutes into which so many iterations fit, if any."""
    for minutes in range(1, LONGEST + 1):
        budget = plan_budget(minutes, spent, costs, fits=fits)
        if budget.iterations >= iterations:
            return minutes
    return None


def open_budget(
    plan: Plan, started: float, *, gpu: bool, fits: bool
) -> tuple[Costs, Budget]:
    """Return what a run costs, and what fits into its minutes; say both at once.

    Where few iterations fit, smaller batches are chosen.

    Args:
        plan: has crops, batches and losses already.
        started: when the command began, by `time.monotonic`.
        gpu: whether it trains on one, where the time of a step is not that of its pixels.
        fits: whether the degradation is solved for afterwards.
    """
    minutes = plan.config.train.minutes
    assert minutes is not None
    spent = time.monotonic() - started
    tell(f"minutes: {duration(spent)} to begin; now a few iterations are timed")
    costs = measure_costs(plan.config) if gpu else _costs_by_pixels(plan)
    spent = time.monotonic() - started
    budget = plan_budget(minutes, spent, costs, fits=fits)
    if budget.iterations < ENOUGH:
        costs, budget = _with_smaller_batches(plan, budget, costs, fits=fits)

    if budget.iterations < HELPFUL:
        least = least_minutes(HELPFUL, spent, costs, fits=fits)
        helps = (
            f"{least} to train are the least that helps"
            if least
            else "take a smaller network"
        )
        warning = (
            f"warning: {minutes:g} minutes to train on this machine are {budget.iterations:,} "
            f"iterations: next to nothing will be learned; {helps}"
        )
        tell(warning)
        plan.lines.append(warning)
    else:
        plan.lines.append(LONGER)
    tell(f"minutes: {minutes:g}: {budget}")
    return costs, budget


def _costs_by_pixels(plan: Plan) -> Costs:
    """Return the costs of a run, with a step timed on the smallest batch.

    A few large ones might take all of the minutes on a busy machine.
    """
    cfg = plan.config
    num_frame = cfg.datasets.train.num_frame
    size, side = _small_batches(cfg)[-1]
    share = cfg.images_per_iteration * cfg.gt_size**2 / (size * num_frame * side**2)
    if share <= 1 or plan.gives("gt_size"):
        return measure_costs(cfg)
    train = cfg.datasets.train.model_copy(
        update={"batch_size_per_gpu": size, "accum_iter": 1}
    )
    datasets = cfg.datasets.model_copy(update={"train": train})
    small = cfg.model_copy(update={"gt_size": side, "datasets": datasets})
    costs = measure_costs(small)
    return replace(costs, step=costs.step * share)


def _small_batches(cfg: Config) -> Sequence[tuple[int, int]]:
    return SMALL_CLIPS if cfg.datasets.train.num_frame > 1 else SMALL_BATCHES


def _with_smaller_batches(
    plan: Plan, budget: Budget, costs: Costs, *, fits: bool
) -> tuple[Costs, Budget]:
    """Choose the largest small batch with enough iterations, else the smallest."""
    cfg = plan.config
    pixels = cfg.images_per_iteration * cfg.gt_size**2
    smaller = costs
    for size, side in _small_batches(cfg):
        share = size * cfg.datasets.train.num_frame * side**2 / pixels
        if share >= 1 or plan.gives("gt_size"):
            continue
        smaller = replace(costs, step=costs.step * share)
        budget = plan_budget(budget.minutes, budget.spent, smaller, fits=fits)
        plan.choose(
            "gt_size",
            side,
            f"and a small batch, so that {budget.iterations:,} iterations fit into "
            f"{budget.minutes:g} minutes: more than few large ones learn "
            "(docs/measurements.md)",
        )
        for key, value in (("batch_size_per_gpu", size), ("accum_iter", 1)):
            plan.choose(f"datasets.train.{key}", value, "as gt_size")
        if budget.iterations >= ENOUGH:
            break
    return smaller, budget


def choose_total_by_time(
    plan: Plan, costs: Costs, started: float, budget: Budget
) -> None:
    """Choose iterations and validations for what is left of the minutes.

    Args:
        plan: gets the options.
        costs: as measured.
        started: when the command began.
        budget: what was planned before the fit, if there was one.
    """
    spent = time.monotonic() - started
    if budget.fit:
        budget = plan_budget(budget.minutes, spent, costs, fits=False)
    plan.choose(
        "train.total_iter",
        budget.iterations,
        f"{budget.minutes:g} minutes: {budget}; the run follows the clock",
    )
    cfg = plan.config
    if cfg.val is None:
        return
    reason = f"{budget.validations} fit, with the last one"
    plan.choose("val.val_freq", budget.val_freq, reason)
    if budget.crops:
        plan.choose("val.hold_out", budget.crops, "crops; fewer, for lack of time")
    if not budget.general and cfg.val.drift is not None:
        plan.choose(
            "val.drift.general", None, "general images are left out for lack of time"
        )


def tell(line: str) -> None:
    """Say a line at once, before there is a run with a log."""
    sys.stderr.write(f"{printable(line)}\n")
    sys.stderr.flush()
