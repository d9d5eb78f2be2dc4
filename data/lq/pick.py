"""The last round: pick what is written by how far its images are from the real ones.

The search predicts each parameter by itself; here whole degradations are tried, those
that it found likely, and the nearest is improved one parameter at a time. How much is
tried is a compromise: 40 comparisons take about as long as the search.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from realesrgan_paddle.data.lq.compare import Comparer
from realesrgan_paddle.data.lq.parameters import NUMBER, Point
from realesrgan_paddle.data.lq.solution import (
    ABSENT,
    HALF_RANGE,
    LIKELY,
    PRESENT,
    NumberFound,
    Solution,
    is_identified,
    solution_options,
)

STARTS = 7
"""Nearest tried degradations that are compared."""
BETTER = 2
"""The nearest of these, which are compared with ranges too."""
STEP = 0.3
"""How far a number is moved [shares of its interval]."""
WIDTHS = (1.0, 0.5, 0.25, 0.0)
"""Shares of the intervals that are tried as written ranges, the widest first."""
PICKED = ("noise kind", "codec", "fields")
"""Choices that distances settle; of the others all that are likely are written."""
NOISE = 1.07
"""A range is written if its distance is at most this times the smallest.

Other windows changed the distance of one degradation by as much.
"""


def pick(solution: Solution, compare: Comparer, scale: int) -> Solution:
    """Return a solution whose ranges are to be written: nearest the real images.

    Its intervals say what to synthesize, not what is known; those of `solution` do,
    which is returned itself where nothing else is nearer.

    Args:
        solution: what the search found.
        compare: measures distances, on windows that the result is not judged by.
        scale: factor by which the real images are smaller.
    """

    def distance(point: Point, width: float) -> float:
        """Return how far the images of ranges around a point are from the real ones."""
        return length(_around(point, width, solution))

    def length(tried: Solution) -> float:
        """Return how far the images of a solution are from the real ones."""
        return compare(solution_options(tried, scale))[0]["all"]

    best, width, least = _nearest(solution, distance)
    for name in [*PICKED, *solution.numbers]:
        for moved in _moves(name, best, solution):
            found = distance(moved, width)
            if found < least:
                least, best = found, moved
                break

    ranges = [solution]
    ranges += [_around(best, width, solution) for width in WIDTHS]
    lengths = [length(tried) for tried in ranges]
    enough = NOISE * min(lengths)
    near = [found <= enough for found in lengths]
    return ranges[near.index(True)]


def _nearest(
    solution: Solution, distance: Callable[[Point, float], float]
) -> tuple[Point, float, float]:
    """Return the nearest point and width of ranges around it, and their distance."""
    agreeing = [point for point in solution.nearest if _agrees(point, solution)]
    points = [solution.best, *agreeing[:STARTS]]
    tried = []
    for number, point in enumerate(points):
        tried.append((distance(point, 0.0), number, 0.0))

    better = [number for _, number, _ in sorted(tried)[:BETTER]]
    for number in sorted({0, *better}):
        for width in WIDTHS[:-1]:
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
