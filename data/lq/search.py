"""Search the degradation that makes ground truth look like real images.

In rounds: degradations are drawn at random, windows of ground truth are degraded by
them, and each parameter is regressed on the statistics of the results (regression
adjustment as in Beaumont et al. 2002, "Approximate Bayesian Computation in Population
Genetics"). Its value for the statistics of the real images, and how far off such
predictions are, give the limits of the next round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.data.lq.parameters import (
    CHOICE,
    CHOICES,
    NUMBERS,
    Point,
    Region,
    point_options,
)
from realesrgan_paddle.data.lq.regression import Regression
from realesrgan_paddle.data.lq.simulate import Simulator, Task
from realesrgan_paddle.data.lq.windows import GtWindows, RealWindows

COVERAGE = 0.9
"""Chance with which an interval is meant to hold the truth."""
NEXT_COVERAGE = 0.98
"""As COVERAGE, of the limits of the next round: what they leave out is lost."""
MARGIN = 0.06
"""Added to those limits on both sides [shares of the searched range]."""
UNLIKELY = 0.02
"""Choices below this chance are not drawn again."""
ABSENT, PRESENT = 0.1, 0.9
"""Chances of a part below which it counts as absent, and above which as present."""
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
CONDITIONS: Mapping[str, str] = {"halo width": "halo", "grain": "noise"}
"""Numbers that mean something only where another is not 0."""
SCALERS = CHOICE["scaler"].options
SAME_SCALERS: Mapping[int, Sequence[str]] = {1: SCALERS, 2: ("area", "bilinear")}
"""Scalers that make the same image, by scale: at 2, both are means of 2 x 2 pixels."""


@dataclass(frozen=True)
class Round:
    """How many degradations are tried, on how many windows each."""

    degradations: int
    windows: int


ROUNDS = (Round(180, 8), Round(110, 10), Round(80, 12))


@dataclass(frozen=True)
class NumberFound:
    """A number: places in its searched range, 0 to 1."""

    place: float
    low: float
    high: float
    present: float
    """Chance that it is not 0; 1 where it always is."""
    explained: float
    """Share of its variance that the statistics explain, at most 1."""
    limits: tuple[float, float] = (0.0, 1.0)
    """Between which it is searched in the next round."""


@dataclass(frozen=True)
class Solution:
    """What the search found."""

    numbers: Mapping[str, NumberFound]
    choices: Mapping[str, Mapping[str, float]]
    """The chance of each option of each choice."""
    outlying: float
    """Distance of the real statistics from the nearest tried, in typical distances."""
    tried: int
    """Degradations that were tried."""
    nearest: Sequence[Point] = ()
    """Those of them whose statistics are nearest the real ones, the nearest first."""

    @property
    def best(self) -> Point:
        """The most likely degradation."""
        choices = {}
        for name, chances in self.choices.items():
            choices[name] = max(chances, key=lambda option: chances[option])
        places = {}
        for name, number in self.numbers.items():
            places[name] = number.place if number.present >= 0.5 else 0.0
        return Point(places, choices)


@dataclass
class Samples:
    """All degradations that were tried, with the statistics of their windows."""

    points: list[Point] = field(default_factory=list)
    statistics: list[np.ndarray] = field(default_factory=list)
    contents: list[np.ndarray] = field(default_factory=list)


def search(
    real: RealWindows,
    real_statistics: np.ndarray,
    gt: GtWindows,
    simulator: Simulator,
    scale: int,
    seed: int = 0,
    rounds: Sequence[Round] = ROUNDS,
    region: Region | None = None,
) -> Solution:
    """Return the degradation of ground truth that has the real images' statistics.

    Args:
        real: windows of the real images.
        real_statistics: their statistics, float64 (N, F).
        gt: windows of the ground truth, those of `simulator`.
        simulator: degrades them.
        scale: factor by which the real images are smaller.
        seed: of all draws.
        rounds: how much is tried.
        region: what is searched; None: everything.
    """
    same = SAME_SCALERS.get(scale, ())
    region = _without_same(region or Region(), same)
    samples = Samples()
    total = sum(one.degradations for one in rounds)
    with tqdm(total=total, unit="degradation", disable=None) as progress:
        for number, one in enumerate(rounds):
            rng = np.random.default_rng([seed, number])
            _try(samples, one, region, real, gt, simulator, scale, rng, progress)
            solution = _regress(samples, region, real, real_statistics)
            region = _narrowed(region, solution)
    return replace(solution, choices=_shared(solution.choices, same))


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


def _try(
    samples: Samples,
    one: Round,
    region: Region,
    real: RealWindows,
    gt: GtWindows,
    simulator: Simulator,
    scale: int,
    rng: np.random.Generator,
    progress: "tqdm[None]",
) -> None:
    """Add the samples of one round."""
    points, tasks = [], []
    for _ in range(one.degradations):
        point = region.draw(rng)
        chosen = _choose_windows(one.windows, real, gt, rng)
        seed = int(rng.integers(2**31))
        points.append(point)
        tasks.append(Task(point_options(point, scale), chosen, seed))
    for point, task, found in zip(points, tasks, simulator.measure(tasks), strict=True):
        samples.points.append(point)
        samples.statistics.append(found)
        samples.contents.append(gt.content[task.windows])
        progress.update()


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


def _regress(
    samples: Samples, region: Region, real: RealWindows, statistics: np.ndarray
) -> Solution:
    """Return each parameter at the real statistics."""
    features, point = _features(samples, real, statistics)
    inside = np.array([_is_inside(one, region) for one in samples.points])
    features = features[inside]
    points = [one for one, kept in zip(samples.points, inside, strict=True) if kept]
    everything = Regression(features, point)

    choices = {}
    for choice in CHOICES:
        drawn = np.array([one.choices[choice.name] for one in points])
        scores = {}
        for option in choice.options:
            targets = (drawn == option).astype(float)
            if targets.any():
                value = everything.predict(targets).value
                scores[option] = float(np.clip(value, 0, 1))
        total = sum(scores.values()) + 1e-9
        choices[choice.name] = {name: score / total for name, score in scores.items()}

    codec = max(choices["codec"], key=lambda name: choices["codec"][name])
    numbers = {}
    for number in NUMBERS:
        places = np.array([one.places[number.name] for one in points])
        present = 1.0
        relevant = np.ones(len(points), bool)
        if number.none_share and region.none_shares[number.name] not in (0, 1):
            chance = everything.predict((places > 0).astype(float))
            present = float(np.clip(chance.value, 0, 1))
        elif region.none_shares[number.name] == 1:
            present = 0.0
        if number.none_share:
            relevant = places > 0
        if number.name == "quality":
            relevant = np.array([one.choices["codec"] == codec for one in points])
        if number.name in CONDITIONS:
            other = CONDITIONS[number.name]
            relevant = np.array([one.places[other] > 0 for one in points])
        numbers[number.name] = _number(
            features, point, places, relevant, present, region.limits[number.name]
        )
    by_distance = np.argsort(np.linalg.norm(features - point, axis=1))
    return Solution(
        numbers=numbers,
        choices=choices,
        outlying=_outlying(features, point),
        tried=len(samples.points),
        nearest=[points[number] for number in by_distance[:NEAREST]],
    )


def _number(
    features: np.ndarray,
    point: np.ndarray,
    places: np.ndarray,
    relevant: np.ndarray,
    present: float,
    limits: tuple[float, float],
) -> NumberFound:
    low, high = limits
    if relevant.sum() < FEWEST:
        return NumberFound((low + high) / 2, low, high, present, 0.0, limits)
    regression = Regression(features[relevant], point)
    found = regression.predict(places[relevant])
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


def _features(
    samples: Samples, real: RealWindows, statistics: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardized mean statistics of all samples, and of the real images.

    What differs by content is taken out by a linear regression within the samples, and
    statistics that vary little between degradations count less.
    """
    slopes, within = _content_slopes(samples)
    reference = real.content.mean(axis=0)
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
    wanted = statistics.mean(axis=0)
    features = (means - middle) * factors
    point = (wanted - middle) * factors
    return np.clip(features, -CLIP, CLIP), np.clip(point, -CLIP, CLIP)


def _content_slopes(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes of the statistics over the content within the samples.

    And the variance of what they do not explain, by statistic.
    """
    contents = []
    statistics = []
    for shown, found in zip(samples.contents, samples.statistics, strict=True):
        contents.append(shown - shown.mean(axis=0))
        statistics.append(found - found.mean(axis=0))
    shown_all = np.concatenate(contents)
    found_all = np.concatenate(statistics)

    ridge = np.eye(shown_all.shape[1])
    gram = shown_all.T @ shown_all + ridge
    products = shown_all.T @ found_all
    slopes = np.linalg.solve(gram, products)
    explained = shown_all @ slopes
    residuals = found_all - explained
    return slopes, residuals.var(axis=0)


def _is_inside(point: Point, region: Region) -> bool:
    """Return whether a region could have given a point."""
    for choice in CHOICES:
        option = choice.options.index(point.choices[choice.name])
        if region.chances[choice.name][option] == 0:
            return False
    for number in NUMBERS:
        place = point.places[number.name]
        share = region.none_shares[number.name]
        if place == 0 and number.none_share:
            if share == 0:
                return False
            continue
        if share == 1 and number.none_share:
            return False
        low, high = region.limits[number.name]
        if not low <= place <= high:
            return False
    return True


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


def _outlying(features: np.ndarray, point: np.ndarray) -> float:
    """Return how far the point is from its nearest samples, in their own distances."""
    from_point = np.linalg.norm(features - point, axis=1)
    nearest = np.sort(from_point)[:5]
    typical = []
    for row in features[:100]:
        from_row = np.linalg.norm(features - row, axis=1)
        neighbors = np.sort(from_row)[1:6]  # the first is the row itself
        typical.append(neighbors.mean())
    usual = np.quantile(typical, 0.9)
    return float(nearest.mean() / usual)
