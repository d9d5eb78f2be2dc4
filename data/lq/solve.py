"""Solve for the degradation of real images: read, search, compare, pick, leave out.

The search predicts each parameter by itself. Then whole degradations are tried, those
that it found likely, and the nearest is improved one parameter at a time (`pick`). How
much is tried is a compromise: 40 comparisons take about as long as the search.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.compare import (
    COMPARISON,
    Comparer,
    Sets,
    degradation,
    read_sets,
)
from realesrgan_paddle.data.lq.parameters import NUMBER, Point, Region
from realesrgan_paddle.data.lq.search import ROUNDS, search
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.data.lq.solution import (
    ABSENT,
    HALF_RANGE,
    LIKELY,
    PRESENT,
    FoundParameter,
    NumberFound,
    Solution,
    findings,
    is_identified,
    solution_options,
)
from realesrgan_paddle.data.lq.stages import leave_out, left_out_findings
from realesrgan_paddle.data.lq.windows import stream_codec
from realesrgan_paddle.options.schema.degradation import LQConfig, SynthesisOptions
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.utils.runlog.progress import Progress

FAR = 2.0
"""`Solution.outlying` above which the real images are out of range."""
FAR_APART = 1.3
"""Distance of what is written from the real images, in those between their halves, from
which a warning says so. Seven fits of a match whose degradation is known reached 0.9 to
1.1; two that had missed its blur, and one of aerial footage, 1.4 to 1.6.
"""
FINDING_TITLES = f"{'parameter':13}{'written':26}{'interval':44}evidence"
DISTANCE_TITLES = f"{'distance':13}{'before':>8}{'after':>8}{'real halves':>13}"
STARTS = 7
"""Nearest tried degradations that are compared."""
BETTER = 2
"""The nearest of these, which are compared with ranges too."""
STEP = 0.3
"""How far a number is moved [shares of its interval]."""
WIDTHS = (1.0, 0.5, 0.25, 0.0)
"""Shares of the intervals that are tried as written ranges, the widest first."""
PICKED = ("noise kind", "codec", "fields")
"""Choices that distances decide; of the others all that are likely are written."""
TOLERANCE = 1.07
"""A range is written if its distance is at most this times the smallest.

Other windows changed the distance of one degradation by as much.
"""
COMPARISONS = 65
"""About so many are made; only the time left that is said depends on it."""
NEAREST_SHARE = 0.5
"""Of the time of a fit with a limit, after which no other start is compared."""
LAST_SHARE = 0.65
"""As that, after which nothing else is tried, and no ranges are compared: then only stages
are judged."""
UNCOMPARED_WIDTH = 0.25
"""As WIDTHS, of ranges that there was no time to compare."""


@dataclass(frozen=True)
class Solved:
    """The degradation of real images, and how well it fits."""

    solution: Solution
    options: Mapping[str, Any]
    """As of an option file, flat: ranges and probabilities."""
    findings: Sequence[FoundParameter]
    before: Mapping[str, float]
    """Distances of what the given options make, by group of statistics."""
    after: Mapping[str, float]
    null: Mapping[str, float]
    """Between halves of the real images."""
    real: np.ndarray
    """Some windows, uint8 RGB (N, S, S, 3)."""
    synthetic: np.ndarray
    """The windows of ground truth that are most like `real`, degraded."""
    notes: Sequence[str]
    warnings: Sequence[str]
    failures: Sequence[str]

    @property
    def headline(self) -> str:
        """The first line of the sheet of windows."""
        before, after = self.before["all"], self.after["all"]
        return (
            "Real windows, and ground truth that shows the most alike: distance "
            f"{after:.2f} (before: {before:.2f}; real halves: {self.null['all']:.2f})"
        )

    def __str__(self) -> str:
        """Return the notes, the findings, the distances and the warnings."""
        rows = [DISTANCE_TITLES]
        for group, after in self.after.items():
            before = self.before[group]
            null = self.null[group]
            distances = f"{before:8.2f}{after:8.2f}{null:13.2f}"
            rows.append(f"{group:13}{distances}")

        notes = [printable(note) for note in self.notes]
        found = [str(finding) for finding in self.findings]
        warnings = [f"warning: {warning}" for warning in self.warnings]
        lines = [*notes, FINDING_TITLES, *found, *rows, *warnings]
        return "\n".join(lines)


def solve_for(
    options: LQConfig,
    real: Path,
    *,
    seconds: float,
) -> Solved:
    """Return the degradation that makes the ground truth look like real images.

    Args:
        options: the ground truth, the scale and the seed; what they make is compared.
        real: a folder of images or videos, an image or a video.
        seconds: that it may take, about: less is tried where they are few.

    Raises:
        UserError: images are missing or too small, or a video is given and PyAV is not
            installed.
    """
    total = sum(one.degradations for one in ROUNDS) + COMPARISON * COMPARISONS
    progress = Progress("fit", total, seconds)
    limit = f", at most {duration(seconds)}" if math.isfinite(seconds) else ""
    progress.say(f"begins{limit}")
    sets = read_sets(options, real)
    codec = stream_codec(real)
    scale, seed = options.scale, options.manual_seed
    with Simulator(sets.gt.pixels, scale) as simulator:
        region = searched_region(codec)
        solution = search(sets, simulator, scale, seed, ROUNDS, region, progress)
        compare = Comparer(sets, simulator)
        picked = pick(solution, compare.apart(), scale, progress)
        needed, decisions = leave_out(picked, compare, sets, scale, progress)
        written = solution_options(needed, scale)
        before, _ = compare(degradation(options))
        after, synthetic = compare(written)
    progress.close()

    return Solved(
        solution=solution,
        options=written,
        findings=left_out_findings(findings(needed, scale, solution), decisions),
        before=before,
        after=after,
        null=sets.null,
        real=sets.real.pixels,
        synthetic=synthetic,
        notes=_notes(sets, solution.tried, codec),
        warnings=_warnings(solution, after["all"], sets.null["all"]),
        failures=sets.failures,
    )


def searched_region(codec: str | None) -> Region:
    """Return what is searched, given the codec of the real videos if there is one."""
    if codec:
        check_installed(SynthesisOptions(video_prob=1))
        return Region().with_codecs(codec)
    if find_spec("av") is None:
        return Region().with_codecs("none", "jpeg")
    return Region()


def _notes(sets: Sets, tried: int, codec: str | None) -> list[str]:
    """Return what was measured, one line each."""
    of_real, of_gt = sets.notes
    planned = sum(one.degradations for one in ROUNDS)
    short = f" of {planned}, for lack of time" if tried < planned else ""
    notes = [of_real, f"{of_gt}; {tried} degradations tried{short}"]
    if codec:
        notes.append(f"codec: {codec}, as the stream says")
    elif find_spec("av") is None:
        notes.append("codec: JPEG or none, because PyAV is missing: pip install av")
    return notes


def _warnings(solution: Solution, after: float, null: float) -> list[str]:
    """Return what speaks against training on it, one sentence each."""
    warnings = []
    if solution.outlying > FAR:
        warnings.append(
            f"the real images are out of range: they are {solution.outlying:.1f} times as "
            "far from the nearest tried degradation as those are from one another; the "
            "values below are the nearest, so look at the sheet before you train on them"
        )
    if after > FAR_APART * null:
        warnings.append(
            f"what is written does not look like the real images: the distance is "
            f"{after:.2f}, between halves of the real images {null:.2f}; give more "
            "--minutes if some were given, and ground truth that is like the footage, and "
            "look at the sheet before you train on it"
        )
    return warnings


def pick(
    solution: Solution,
    compare: Comparer,
    scale: int,
    progress: Progress | None = None,
) -> Solution:
    """Return a solution whose ranges are to be written: nearest the real images.

    Its intervals say what to synthesize, not what is known; those of `solution` do,
    which is returned itself where nothing else is nearer.

    Args:
        solution: what the search found.
        compare: measures distances, on windows that the result is not judged by.
        scale: factor by which the real images are smaller.
        progress: of the whole fit; nothing more is tried after `LAST_SHARE` of its time.
    """
    progress = progress or Progress("comparisons", COMPARISON * COMPARISONS)

    def distance(point: Point, width: float) -> float:
        """Return how far the images of ranges around a point are from the real ones."""
        return length(_around(point, width, solution))

    def length(tried: Solution) -> float:
        """Return how far the images of a solution are from the real ones."""
        found = compare(solution_options(tried, scale))[0]["all"]
        progress.advance(COMPARISON)
        return found

    best, width, least = _nearest(solution, distance, progress)
    for name in [*PICKED, *solution.numbers]:
        for moved in _moves(name, best, solution):
            if progress.is_past(LAST_SHARE):
                break
            found = distance(moved, width)
            if found < least:
                least, best = found, moved
                break

    if progress.is_past(LAST_SHARE):
        return _around(best, max(width, UNCOMPARED_WIDTH), solution)
    ranges = [solution]
    ranges += [_around(best, width, solution) for width in WIDTHS]
    lengths = [length(tried) for tried in ranges]
    enough = TOLERANCE * min(lengths)
    near = [found <= enough for found in lengths]
    return ranges[near.index(True)]


def _nearest(
    solution: Solution,
    distance: Callable[[Point, float], float],
    progress: Progress,
) -> tuple[Point, float, float]:
    """Return the nearest point and width of ranges around it, and their distance."""
    agreeing = [point for point in solution.nearest if _agrees(point, solution)]
    points = [solution.best, *agreeing[:STARTS]]
    tried = []
    for number, point in enumerate(points):
        tried.append((distance(point, 0.0), number, 0.0))
        if progress.is_past(NEAREST_SHARE):
            break

    better = [number for _, number, _ in sorted(tried)[:BETTER]]
    for number in sorted({0, *better}):
        for width in WIDTHS[:-1]:
            if progress.is_past(NEAREST_SHARE):
                break
            found = distance(points[number], width)
            tried.append((found, number, width))

    least, number, width = min(tried)
    return points[number], width, least


def _agrees(point: Point, solution: Solution) -> bool:
    """Return whether a point has no choice that the search found unlikely."""
    for name in PICKED:
        chance = solution.choices[name].get(point.choices[name], 0.0)
        if chance < LIKELY:
            return False
    return True


def _around(point: Point, width: float, solution: Solution) -> Solution:
    """Return a degradation with ranges of a share of the intervals around it.

    No wider than the intervals. A part keeps the chance that the search gave it, so that
    what may not be there is not in all images.
    """
    numbers = {}
    for name, place in point.places.items():
        if place == 0 and NUMBER[name].none_share:
            numbers[name] = NumberFound(0.0, 0.0, 0.0, 0.0, 1.0)
            continue
        known = solution.numbers[name]
        half = width * (known.high - known.low) / 2
        if not is_identified(known):
            half = width * HALF_RANGE
        low = max(min(known.low, place), place - half)
        high = min(max(known.high, place), place + half)
        numbers[name] = NumberFound(place, low, high, known.present, 1.0)
    choices = dict(solution.choices)
    for name in PICKED:
        choices[name] = {point.choices[name]: 1.0}
    return replace(solution, numbers=numbers, choices=choices)


def _moves(name: str, point: Point, solution: Solution) -> Iterator[Point]:
    """Yield the same degradation with another value of one parameter."""
    if name in solution.choices:
        for option, chance in solution.choices[name].items():
            if chance >= LIKELY and option != point.choices[name]:
                yield replace(point, choices={**point.choices, name: option})
        return
    if not point.has(name):
        return
    for place in _places(name, point.places[name], solution.numbers[name]):
        if place != point.places[name]:
            yield replace(point, places={**point.places, name: place})


def _places(name: str, place: float, found: NumberFound) -> list[float]:
    """Return other places of a number, within its interval; 0: without this part."""
    if place == 0 and NUMBER[name].none_share:
        return [found.place] if found.present >= ABSENT else []
    step = STEP * (found.high - found.low)
    below = max(found.low, min(place, found.high) - step)
    above = min(found.high, max(place, found.low) + step)
    places = [below, above]
    if NUMBER[name].none_share and found.present <= PRESENT:
        places.insert(0, 0.0)
    return places
