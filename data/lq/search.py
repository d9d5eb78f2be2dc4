"""Search the degradation that makes ground truth look like real images.

In rounds: degradations are drawn at random, windows of ground truth are degraded by
them, and each parameter is regressed on the statistics of the results (regression
adjustment as in Beaumont et al. 2002, "Approximate Bayesian Computation in Population
Genetics"). Its value for the statistics of the real images, and how far off such
predictions are, give the limits of the next round.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from realesrgan_paddle.data.lq.compare import COMPARISON, Sets
from realesrgan_paddle.data.lq.parameters import (
    CHOICE,
    CHOICES,
    NUMBERS,
    Choice,
    Number,
    Point,
    Region,
    point_options,
)
from realesrgan_paddle.data.lq.regression import Regression, content_slopes, outlying
from realesrgan_paddle.data.lq.simulate import Simulator, Task
from realesrgan_paddle.data.lq.solution import (
    ABSENT,
    COVERAGE,
    PRESENT,
    NumberFound,
    Solution,
)
from realesrgan_paddle.data.lq.windows import GtWindows, RealWindows
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.progress import Progress

NEXT_COVERAGE = 0.98
"""As COVERAGE, of the limits of the next round: what they leave out is lost."""
MARGIN = 0.06
"""Added to those limits on both sides [shares of the searched range]."""
UNLIKELY = 0.02
"""Choices below this chance are not drawn again."""
FEWEST = 25
"""Samples that a regression needs."""
NEAREST = 12
"""Tried degradations that a solution names as the nearest."""
CLIP = 5.0
"""Standardized statistics are clipped to this."""
SOURCES_SHARE = 0.3
FEWEST_SOURCES = 3
"""Images of the ground truth that one degradation is tried on.

Few, so that what differs between scenes counts as what cannot be known.
"""
SCALERS = CHOICE["scaler"].options
SAME_SCALERS: Mapping[int, Sequence[str]] = {1: SCALERS, 2: ("area", "bilinear")}
"""Scalers that make the same image, by scale: at 2, both are means of 2 x 2 pixels."""


class TooLittleTimeError(UserError):
    """A fit cannot end in its time."""


@dataclass(frozen=True)
class Round:
    """How many degradations are tried, on how many windows each."""

    degradations: int
    windows: int


ROUNDS = (Round(180, 8), Round(110, 10), Round(80, 12))
TIME_SHARE = 0.4
"""Of the time of a fit that has a limit; comparing takes the rest."""
LEAST_SHARE = 0.25
"""Of a round's degradations that are tried once it is begun, in however little time."""
LEAST_COMPARISONS = 22
"""That a fit needs after the search: 5 starts, 5 moves, 10 to judge stages, and
the 2 that are printed."""
TIMED = 12
"""Degradations after which it is known whether the time suffices."""


@dataclass
class Samples:
    """All degradations that were tried, with the statistics of their windows."""

    points: list[Point] = field(default_factory=list)
    statistics: list[np.ndarray] = field(default_factory=list)
    contents: list[np.ndarray] = field(default_factory=list)


def search(
    sets: Sets,
    simulator: Simulator,
    scale: int,
    seed: int = 0,
    rounds: Sequence[Round] = ROUNDS,
    region: Region | None = None,
    progress: Progress | None = None,
) -> Solution:
    """Return the degradation of ground truth that has the real images' statistics.

    Where the time of `progress` has a limit, each round ends when its part is over, and
    the last ones are left out when nothing is left for them.

    Args:
        sets: windows of the real images and of the ground truth.
        simulator: degrades those of the ground truth.
        scale: factor by which the real images are smaller.
        seed: of all draws.
        rounds: how much is tried.
        region: what is searched; None: everything.
        progress: counts the degradations, of all work of which `TIME_SHARE` is this.

    Raises:
        TooLittleTimeError: `TIMED` degradations say that the time will not suffice.
    """
    same = SAME_SCALERS.get(scale, ())
    region = _without_same(region or Region(), same)
    samples = Samples()
    total = sum(one.degradations for one in rounds)
    progress = progress or Progress("search", total)
    planned = 0
    for number, one in enumerate(rounds):
        if number and progress.is_past(TIME_SHARE):
            break
        rng = np.random.default_rng([seed, number])
        points, tasks = _draw(one, region, sets, scale, rng)
        planned += one.degradations
        share = TIME_SHARE * planned / total
        least = LEAST_SHARE * one.degradations
        found = []
        for statistics in simulator.measure(tasks):
            found.append(statistics)
            progress.advance()
            if len(found) >= least and progress.is_past(share):
                break
            if not number and (len(found) == TIMED or progress.is_past(1)):
                _check_time(progress, least - TIMED)

        tried = len(found)
        samples.statistics += found
        samples.points += points[:tried]
        samples.contents += [sets.gt.content[task.windows] for task in tasks[:tried]]
        solution = _found(samples, region, sets)
        region = _narrowed(region, solution)
    return replace(solution, choices=_shared(solution.choices, same))


def _check_time(progress: Progress, degradations: float) -> None:
    """Raise a TooLittleTimeError if the least of a fit does not end in its time."""
    steps = degradations + COMPARISON * LEAST_COMPARISONS
    if progress.has_time_for(steps):
        return
    needed = progress.seconds_so_far + progress.seconds_for(steps)
    minutes = math.ceil(needed / 30) / 2
    raise TooLittleTimeError(
        f"the fit would take {minutes:g} minutes at least on this machine, as busy as it "
        "is now; give more --minutes"
    )


def _without_same(region: Region, same: Sequence[str]) -> Region:
    """Return a region in which the first of some scalers is drawn for all of them."""
    if not same:
        return region
    drawn = dict(zip(SCALERS, region.chances["scaler"], strict=True))
    total = sum(drawn[scaler] for scaler in same)
    for scaler in same:
        drawn[scaler] = 0.0
    drawn[same[0]] = total
    chances = [drawn[scaler] for scaler in SCALERS]
    return replace(region, chances={**region.chances, "scaler": chances})


def _shared(
    choices: Mapping[str, Mapping[str, float]], same: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """Return the chances of choices, that of the same scalers shared among them."""
    if not same:
        return dict(choices)
    scalers = dict(choices["scaler"])
    each = scalers.get(same[0], 0.0) / len(same)
    for scaler in same:
        scalers[scaler] = each
    return {**choices, "scaler": scalers}


def _draw(
    one: Round, region: Region, sets: Sets, scale: int, rng: np.random.Generator
) -> tuple[list[Point], list[Task]]:
    """Return random degradations, each with the windows that it is tried on."""
    points, tasks = [], []
    for _ in range(one.degradations):
        point = region.draw(rng)
        chosen = _choose_windows(one.windows, sets.real, sets.gt, rng)
        seed = int(rng.integers(2**31))
        points.append(point)
        tasks.append(Task(point_options(point, scale), chosen, seed))
    return points, tasks


def _choose_windows(
    count: int, real: RealWindows, gt: GtWindows, rng: np.random.Generator
) -> np.ndarray:
    """Return windows of a few sources that show what the real ones show."""
    sources = np.unique(gt.sources)
    few = max(FEWEST_SOURCES, round(SOURCES_SHARE * len(sources)))
    used = rng.choice(sources, min(few, len(sources)), replace=False)
    allowed = np.isin(gt.sources, used)
    rows = rng.integers(len(real.content), size=count)
    wanted = real.content[rows]
    return gt.matched(wanted, allowed, rng)


def _found(samples: Samples, region: Region, sets: Sets) -> Solution:
    """Return each parameter at the real statistics.

    From the samples that the region could have given.
    """
    features, target = _features(samples, sets)
    inside = np.array([region.could_draw(point) for point in samples.points])
    features = features[inside]
    points = [point for point, kept in zip(samples.points, inside, strict=True) if kept]
    everything = Regression(features, target)

    choices = {choice.name: _chances(choice, points, everything) for choice in CHOICES}
    codec = max(choices["codec"], key=lambda name: choices["codec"][name])

    numbers = {}
    for number in NUMBERS:
        places = np.array([point.places[number.name] for point in points])
        relevant = _relevant(number, points, codec)
        none_share = region.none_shares[number.name]
        limits = region.limits[number.name]
        present = _presence(places, none_share, everything)
        numbers[number.name] = _number(
            features[relevant], target, places[relevant], present, limits
        )

    by_distance = np.argsort(np.linalg.norm(features - target, axis=1))
    return Solution(
        numbers=numbers,
        choices=choices,
        outlying=outlying(features, target),
        tried=len(samples.points),
        nearest=[points[number] for number in by_distance[:NEAREST]],
    )


def _chances(
    choice: Choice, points: Sequence[Point], everything: Regression
) -> dict[str, float]:
    """Return the chance of each option that was drawn; their sum is 1."""
    drawn = np.array([point.choices[choice.name] for point in points])
    scores = {}
    for option in choice.options:
        is_option = (drawn == option).astype(float)
        if is_option.any():
            found = everything.predict(is_option)
            scores[option] = float(np.clip(found.value, 0, 1))
    total = sum(scores.values()) + 1e-9
    return {option: score / total for option, score in scores.items()}


def _relevant(number: Number, points: Sequence[Point], codec: str) -> np.ndarray:
    """Return in which samples a number means something, bool (N,)."""
    if number.of_codec:
        return np.array([point.choices["codec"] == codec for point in points])
    needed = number.needs or (number.name if number.none_share else None)
    if needed is None:
        return np.ones(len(points), bool)
    return np.array([point.places[needed] > 0 for point in points])


def _presence(places: np.ndarray, none_share: float, everything: Regression) -> float:
    """Return the chance that a number is not 0."""
    if none_share in (0, 1):
        return 1.0 - none_share
    is_present = (places > 0).astype(float)
    found = everything.predict(is_present)
    return float(np.clip(found.value, 0, 1))


def _number(
    features: np.ndarray,
    target: np.ndarray,
    places: np.ndarray,
    present: float,
    limits: tuple[float, float],
) -> NumberFound:
    """Return a number at the target, from the samples in which it means something."""
    low, high = limits
    if len(places) < FEWEST:
        return NumberFound((low + high) / 2, low, high, present, 0.0, limits)
    found = Regression(features, target).predict(places)
    lowest, highest = found.interval(COVERAGE)
    first, last = found.interval(NEXT_COVERAGE)
    next_limits = np.clip([first - MARGIN, last + MARGIN], low, high)
    return NumberFound(
        place=float(np.clip(found.value, low, high)),
        low=float(np.clip(lowest, low, high)),
        high=float(np.clip(highest, low, high)),
        present=present,
        explained=found.explained,
        limits=(float(next_limits[0]), float(next_limits[1])),
    )


def _features(samples: Samples, sets: Sets) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardized mean statistics of all samples, and of the real images.

    What differs by content is taken out by a linear regression within the samples, and
    statistics that vary little between degradations count less.
    """
    slopes, within = content_slopes(samples.contents, samples.statistics)
    reference = sets.real.content.mean(axis=0)
    rows = []
    for shown, found in zip(samples.contents, samples.statistics, strict=True):
        offset = shown.mean(axis=0) - reference
        rows.append(found.mean(axis=0) - offset @ slopes)
    means = np.array(rows)
    counts = np.array([len(found) for found in samples.statistics])
    noise = within * np.mean(1 / counts)

    middle = np.median(means, axis=0)
    variance = means.var(axis=0) + 1e-12
    signal = np.clip(1 - noise / variance, 0.01, 1)
    weights = np.sqrt(signal)
    factors = weights / np.sqrt(variance)
    wanted = sets.statistics.mean(axis=0)
    features = (means - middle) * factors
    target = (wanted - middle) * factors
    return np.clip(features, -CLIP, CLIP), np.clip(target, -CLIP, CLIP)


def _narrowed(region: Region, solution: Solution) -> Region:
    """Return the region of the next round."""
    limits = dict(region.limits)
    shares = dict(region.none_shares)
    for name, found in solution.numbers.items():
        limits[name] = found.limits
        if 0 < shares[name] < 1:
            chance = found.present
            shares[name] = 1 - chance
            if chance < ABSENT:
                shares[name] = 1.0
            if chance > PRESENT:
                shares[name] = 0.0
    chances = {}
    for choice in CHOICES:
        scores = solution.choices[choice.name]
        kept = [scores.get(option, 0.0) for option in choice.options]
        chances[choice.name] = [score if score >= UNLIKELY else 0.0 for score in kept]
    return replace(region, limits=limits, none_shares=shares, chances=chances)
