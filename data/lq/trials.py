"""Tell whether one degradation is nearer the real images than another, but for chance."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from realesrgan_paddle.data.lq.compare import (
    COMPARISON,
    Comparer,
    Sets,
    weighted_distances,
)
from realesrgan_paddle.data.lq.solution import Solution, solution_options
from realesrgan_paddle.utils.runlog.progress import Progress

DEVIATIONS = 2.0
"""A stage stays if the distance without it is larger by so many standard deviations.

Of the difference, between resamples of the windows: one in forty is more by chance.
"""
LEAST = 0.01
"""And by at least this."""
RESAMPLES = 200
FEWEST_SOURCES = 4
"""Of which resamples are drawn; else of windows."""
KEPT_BACK = 3
"""Comparisons for which there must be time before one is made: itself, and the two that
are printed."""
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
    """Up to this, a difference is one of chance; NaN: there was no time to judge it."""

    @property
    def numbers(self) -> str:
        """The evidence."""
        return (
            f"distance without it {self.without:.3f}, with it {self.with_it:.3f}, "
            f"by chance {self.chance:.3f} more"
        )


@dataclass(frozen=True)
class Trial:
    """A degradation beside the one accepted so far: a simpler one, or one stage more."""

    solution: Solution
    reached: np.ndarray
    """Its distance, then those of the resamples of the windows."""
    accepted: float
    """Distance of the one accepted so far."""
    chance: float
    """Up to this, a difference is one of chance."""

    @property
    def distance(self) -> float:
        """Its distance."""
        return float(self.reached[0])

    @property
    def alike(self) -> bool:
        """Whether it is as near, but for chance."""
        return self.distance - self.accepted <= self.chance

    @property
    def nearer(self) -> bool:
        """Whether it is nearer, by more than chance."""
        return self.accepted - self.distance > self.chance

    def decision(self, stage: str) -> Decision:
        """Return what it says of a stage that it lacks."""
        return Decision(
            stage, not self.alike, self.accepted, self.distance, self.chance
        )

    def decision_added(self, stage: str) -> Decision:
        """Return what it says of a stage that it has more."""
        return Decision(stage, self.nearer, self.distance, self.accepted, self.chance)


class Judge:
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

    @property
    def has_time(self) -> bool:
        """Whether there is time for one comparison more."""
        return self._progress.has_time_for(KEPT_BACK * COMPARISON)

    def first_alike(
        self, trials: Iterable[Solution], deviations: float = DEVIATIONS
    ) -> Trial:
        """Return the first that is as near, but for chance; else the nearest of them."""
        tried: list[Trial] = []
        for solution in trials:
            if tried and not self.has_time:
                break
            tried.append(self.trial(solution, deviations))
            if tried[-1].alike:
                return tried[-1]
        return min(tried, key=lambda trial: trial.distance - trial.chance)

    def trial(self, solution: Solution, deviations: float = DEVIATIONS) -> Trial:
        """Return how near a solution is beside the accepted one."""
        found = self._distances(solution)
        spread = float(np.std(found[1:] - self._reached[1:]))
        chance = max(LEAST, deviations * spread)
        return Trial(solution, found, float(self._reached[0]), chance)

    def accept(self, trial: Trial) -> None:
        """Go on from a solution, with the compression that is nearest, by small steps."""
        solution, reached = trial.solution, trial.reached
        for direction in (-QUALITY_STEP, QUALITY_STEP):
            for _ in range(QUALITY_STEPS):
                moved = _with_quality(solution, direction)
                if moved is None or not self.has_time:
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


def refits(solution: Solution) -> Iterator[Solution]:
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
