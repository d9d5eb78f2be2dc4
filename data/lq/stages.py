"""Leave out the stages of a degradation that the real images do not ask for.

Of many tried degradations the nearest has a little of every stage by chance: a halo that
undoes a blur, a JPEG below a video. So the degradation is compared with the same one
without a stage, and a stage stays only where leaving it out makes the distance worse by
more than chance does. As a test of nested models, by backward elimination; what can stand
in for a stage (`STANDS_IN`) is moved before it is judged.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from realesrgan_paddle.data.lq.compare import (
    COMPARISON,
    Comparer,
    Sets,
    weighted_distances,
)
from realesrgan_paddle.data.lq.parameters import NUMBER
from realesrgan_paddle.data.lq.solution import (
    ABSENT,
    LIKELY,
    NONE,
    FoundParameter,
    NumberFound,
    Solution,
    solution_options,
)
from realesrgan_paddle.utils.runlog.progress import Progress

NEUTRAL_PLACES: Mapping[str, float] = {
    "blur": 0.0,
    "anisotropy": 0.5,
    "motion": 0.0,
    "noise": 0.0,
    "halo": 0.0,
    "first JPEG": 0.0,
}
"""Where a number does nothing; those of a codec are never neutral."""
NEUTRAL_CHOICES: Mapping[str, str] = {
    "scaler": "area",
    "fields": "whole",
    "last filter": "none",
}
STAGES = (*NEUTRAL_PLACES, *NEUTRAL_CHOICES)
STANDS_IN: Mapping[str, Sequence[str]] = {
    "blur": ("halo", "scaler"),
    "halo": ("blur", "scaler"),
    "motion": ("anisotropy",),
    "scaler": ("blur",),
}
"""Stages that undo or imitate one another, so that they may go together only."""
DEVIATIONS = 2.0
"""A stage stays if the distance without it is larger by so many standard deviations.

Of the difference, between resamples of the windows: one in forty is more by chance.
"""
ALL_DEVIATIONS = 1.0
"""As that, where all stages are left out at once: the difference varies more, and would
hide that one of them is needed; one in six is more by chance, and each is then judged."""
LEAST = 0.01
"""And by at least this."""
RESAMPLES = 200
FEWEST_SOURCES = 4
"""Of which resamples are drawn; else of windows."""
COMPARISONS = 20
"""About so many are made; only the time left that is said depends on it."""
LAST_SHARE = 0.95
"""Of the time of a fit with a limit, after which no stage is judged."""
QUALITY_STEPS = 3
QUALITY_STEP = 0.07
"""How far the codec's quality is moved when a stage is left out [places]."""


@dataclass(frozen=True)
class Decision:
    """Whether a stage is written, and why."""

    stage: str
    kept: bool
    with_it: float
    """Distance of the degradation before, those that were left out already missing."""
    without: float
    """Distance without this stage, too."""
    chance: float
    """Up to this, a difference is one of chance."""

    @property
    def numbers(self) -> str:
        """The evidence."""
        return (
            f"distance without it {self.without:.3f}, with it {self.with_it:.3f}, "
            f"by chance {self.chance:.3f} more"
        )


@dataclass(frozen=True)
class _Trial:
    """A simpler degradation beside the nearest."""

    solution: Solution
    with_it: float
    without: float
    chance: float

    @property
    def alike(self) -> bool:
        """Whether it is as near, but for chance."""
        return self.without - self.with_it <= self.chance

    def decision(self, stage: str) -> Decision:
        """Return what it says of a stage that it lacks."""
        return Decision(stage, not self.alike, self.with_it, self.without, self.chance)


class _Judge:
    """Compares degradations with the one accepted so far, on the same windows."""

    def __init__(
        self,
        compare: Comparer,
        sets: Sets,
        scale: int,
        progress: Progress,
        nearest: Solution,
    ) -> None:
        self._compare = compare
        self._names = sets.names
        self._counts = _resamples(sets.real.sources)
        self._scale = scale
        self._progress = progress
        self.accepted = nearest
        self._reached = self._distances(nearest)

    def first_alike(
        self, trials: Iterable[Solution], deviations: float = DEVIATIONS
    ) -> _Trial:
        """Return the first that is as near, but for chance; else the nearest of them."""
        tried = []
        for solution in trials:
            found = self._distances(solution)
            spread = float(np.std(found[1:] - self._reached[1:]))
            chance = max(LEAST, deviations * spread)
            trial = _Trial(solution, self._reached[0], found[0], chance)
            if trial.alike:
                return trial
            tried.append(trial)
        return min(tried, key=lambda trial: trial.without - trial.chance)

    def accept(self, solution: Solution) -> None:
        """Go on from a solution, with the compression that is nearest, by small steps."""
        reached = self._distances(solution)
        for direction in (-QUALITY_STEP, QUALITY_STEP):
            for _ in range(QUALITY_STEPS):
                moved = _with_quality(solution, direction)
                if moved is None:
                    break
                found = self._distances(moved)
                if found[0] >= reached[0]:
                    break
                solution, reached = moved, found
        self.accepted, self._reached = solution, reached

    def _distances(self, solution: Solution) -> np.ndarray:
        """Return the distance, then those of the resamples of the windows."""
        options = solution_options(solution, self._scale)
        found = self._compare.measure(options)
        self._progress.advance(COMPARISON)
        return weighted_distances(
            found.real, found.synthetic, self._names, self._counts
        )


def leave_out(
    solution: Solution,
    compare: Comparer,
    sets: Sets,
    scale: int,
    progress: Progress | None = None,
) -> tuple[Solution, list[Decision]]:
    """Return a degradation without the stages that it does not need, and why.

    Args:
        solution: the nearest that was found; its ranges are written.
        compare: measures on windows that it was not chosen on.
        sets: the real windows, and the names of the statistics.
        scale: factor by which the real images are smaller.
        progress: of the whole fit; after `LAST_SHARE` of its time what was not judged
            stays.
    """
    progress = progress or Progress("stages", COMPARISON * COMPARISONS)
    written = [stage for stage in STAGES if has_stage(solution, stage, scale)]
    if not written:
        return solution, []
    judge = _Judge(compare, sets, scale, progress, solution)
    bare = _refits(without(solution, written))
    plain = judge.first_alike(bare, ALL_DEVIATIONS)
    if plain.alike:
        judge.accept(plain.solution)
        return judge.accepted, [plain.decision(stage) for stage in written]

    decisions: dict[str, Decision] = {}
    for stage in sorted(written, key=lambda one: _certainty(solution, one)):
        if progress.is_past(LAST_SHARE):
            break
        current = judge.accepted
        if not has_stage(current, stage, scale):  # it went with another
            continue
        trials = list(_refits(without(current, [stage])))
        partners = [
            one for one in STANDS_IN.get(stage, ()) if has_stage(current, one, scale)
        ]
        trials += [without(current, [stage, partner]) for partner in partners]
        trial = judge.first_alike(trials)
        if trial.alike:
            judge.accept(trial.solution)
        for one in written:
            is_gone = not has_stage(judge.accepted, one, scale)
            was_kept = one not in decisions or decisions[one].kept
            if one == stage or (is_gone and was_kept):
                decisions[one] = trial.decision(one)
    return judge.accepted, list(decisions.values())


def has_stage(solution: Solution, stage: str, scale: int) -> bool:
    """Return whether the options that a solution stands for have a stage."""
    if stage in NEUTRAL_CHOICES:
        chances = solution.choices[stage]
        if stage == "fields":  # only the most likely option is written
            return solution.best.choices[stage] != NEUTRAL_CHOICES[stage]
        least = ABSENT if stage == "last filter" else LIKELY
        others = [
            chance
            for option, chance in chances.items()
            if option != NEUTRAL_CHOICES[stage]
        ]
        return max(others, default=0.0) >= least
    found = solution.numbers[stage]
    neutral = NEUTRAL_PLACES[stage]
    if stage == "anisotropy":
        blurs = solution.numbers["blur"].high > NEUTRAL_PLACES["blur"]
        return blurs and (found.low, found.high) != (neutral, neutral)
    if stage == "motion" and NUMBER[stage].value(found.high) * scale < 1:
        return False
    return found.present >= ABSENT and found.high > neutral


def without(solution: Solution, stages: Sequence[str]) -> Solution:
    """Return a solution with some stages at what does nothing."""
    numbers = dict(solution.numbers)
    choices = dict(solution.choices)
    for stage in stages:
        if stage in NEUTRAL_CHOICES:
            choices[stage] = {NEUTRAL_CHOICES[stage]: 1.0}
            continue
        place = NEUTRAL_PLACES[stage]
        present = 0.0 if NUMBER[stage].none_share else 1.0
        numbers[stage] = NumberFound(place, place, place, present, 1.0)
    if "blur" in stages:
        numbers["anisotropy"] = without(solution, ["anisotropy"]).numbers["anisotropy"]
    return replace(solution, numbers=numbers, choices=choices)


def left_out_findings(
    found: Sequence[FoundParameter], decisions: Sequence[Decision]
) -> list[FoundParameter]:
    """Return what was found, with what was decided about each stage."""
    by_stage = {decision.stage: decision for decision in decisions}
    rows = []
    for row in found:
        decision = by_stage.get(row.name)
        if decision is None:
            rows.append(row)
        elif decision.kept:
            rows.append(replace(row, evidence=f"{row.evidence}; {decision.numbers}"))
        else:
            value = NEUTRAL_CHOICES.get(row.name, NONE)
            rows.append(
                FoundParameter(
                    row.name,
                    value,
                    f"left out: distance {decision.without:.3f}, "
                    f"with it {decision.with_it:.3f}",
                    f"by chance {decision.chance:.3f} more",
                )
            )
    return rows


def _refits(solution: Solution) -> Iterator[Solution]:
    """Yield a solution, then with less and with more compression in a stage's place."""
    yield solution
    for step in (-QUALITY_STEP, QUALITY_STEP):
        moved = _with_quality(solution, step)
        if moved is not None:
            yield moved


def _with_quality(solution: Solution, step: float) -> Solution | None:
    """Return a solution whose compression is moved; None without a codec."""
    if solution.best.choices["codec"] == "none":
        return None
    known = solution.numbers["quality"]
    low, place, high = np.clip(
        [known.low + step, known.place + step, known.high + step], 0, 1
    ).tolist()
    quality = replace(known, low=low, place=place, high=high)
    return replace(solution, numbers={**solution.numbers, "quality": quality})


def _certainty(solution: Solution, stage: str) -> float:
    """Return how sure the search is of a stage: the least sure is judged first."""
    if stage in NEUTRAL_CHOICES:
        return 1.0 - solution.choices[stage].get(NEUTRAL_CHOICES[stage], 0.0)
    found = solution.numbers[stage]
    return found.present if NUMBER[stage].none_share else max(0.0, found.explained)


def _resamples(sources: np.ndarray) -> np.ndarray:
    """Return how often each window counts, float64 (1 + RESAMPLES, N); first: once.

    Whole sources are drawn, for their windows are alike; windows where there are few.
    """
    distinct = np.unique(sources)
    if len(distinct) < FEWEST_SOURCES:
        sources = np.arange(len(sources))
        distinct = sources
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(
        len(distinct), np.full(len(distinct), 1 / len(distinct)), RESAMPLES
    )
    counts = np.concatenate([np.ones((1, len(distinct))), drawn])
    return counts[:, np.searchsorted(distinct, sources)]
