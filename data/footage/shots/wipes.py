"""Wipes: an edge passes over the picture, and the new shot is behind it.

Every place changes most when the edge passes it. So the times of the largest changes
are a smooth function of the place: a plane for a straight edge, a cone for a circle.
Movement within the shots changes places at any time.
"""

from typing import NamedTuple

import numpy as np

from realesrgan_paddle.data.footage.shots.transitions import (
    GRID,
    Transition,
    differ,
    points_of,
)

LENGTHS = (0.4, 0.6, 0.9, 1.3, 1.8, 2.4)
"""Seconds of the stretches in which a wipe is looked for."""

OFFSETS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Where in the stretch the frame is, as a share."""

MIN_FIT = 0.93
"""Least share of the variance of the times that the place explains."""

MIN_COVERED = 0.3
"""Least share of the stretch between the 10th and the 90th percentile of the times."""

MAX_SPREAD = 0.3
"""Most deviation of a place's changes from its time, as a share of the stretch."""

PAUSE = 5
MIN_PACE = 0.1
"""Over so many frames the mean change of the picture must be that share of the mean of
the whole wipe: an edge that stands still belongs to two wipes."""

MIN_CHANGE = 3.0
MIN_RELATIVE_CHANGE = 0.3
"""Least change [8-bit levels] of a place that an edge has passed, and its ratio to that
of the median place."""

MIN_PASSED = 0.4
"""Least share of the places that the edge has passed."""

MAX_TRUST = 20.0
"""Change [8-bit levels] from which on a place counts no more than others."""


class _Sweep(NamedTuple):
    """How an edge passes over the picture in a stretch."""

    fit: float
    start: float
    end: float


def wipe_at(images: np.ndarray, seconds: np.ndarray, place: int) -> Transition | None:
    """Return the wipe that a frame is in; None if it is in none.

    Args:
        images: successive small frames, uint8 RGB (N, 54, 96, 3).
        seconds: their times, (N,).
        place: which of them is the frame.
    """
    points = points_of(images)
    width, height = GRID
    steps = np.abs(np.diff(points, axis=0)).reshape(-1, height * width, 3).mean(axis=2)
    times = (seconds[1:] + seconds[:-1]) / 2

    best: _Sweep | None = None
    for length in LENGTHS:
        for offset in OFFSETS:
            start = seconds[place] - offset * length
            inside = (times >= start) & (times <= start + length)
            if inside.sum() < 5:
                continue
            sweep = _sweep(steps[inside], times[inside])
            if sweep is None or not sweep.start < seconds[place] < sweep.end:
                continue
            passing = steps[(times >= sweep.start) & (times <= sweep.end)]
            if not _goes_on(passing):
                continue
            if best is None or sweep.fit > best.fit:
                best = sweep
    if best is None:
        return None
    first = max(0, np.searchsorted(seconds, best.start) - 2)
    last = min(len(seconds) - 1, np.searchsorted(seconds, best.end) + 1)
    if not differ(images[first], images[last]):
        return None
    return Transition(best.start, best.end)


def _goes_on(steps: np.ndarray) -> bool:
    """Return whether the picture, (T, 14 * 24) changes, changes without a pause."""
    if len(steps) <= PAUSE:
        return True
    changes = steps.mean(axis=1)
    means = np.convolve(changes, np.full(PAUSE, 1 / PAUSE), "valid")
    return bool(means.min() >= MIN_PACE * changes.mean())


def _sweep(steps: np.ndarray, times: np.ndarray) -> _Sweep | None:
    """Return how an edge passes in a stretch; None if none does.

    Args:
        steps: how much each place changes from frame to frame, (T, 14 * 24).
        times: when, (T,).
    """
    weights = np.square(steps)
    power = weights.sum(axis=0)
    moments = (times[:, None] * weights).sum(axis=0) / np.maximum(power, 1e-6)
    spreads = np.square(times[:, None] - moments) * weights
    variance = spreads.sum(axis=0) / np.maximum(power, 1e-6)
    deviation = np.sqrt(variance)
    changes = steps.max(axis=0)

    length = times[-1] - times[0]
    typical = float(np.median(changes))
    counts = changes > max(MIN_CHANGE, MIN_RELATIVE_CHANGE * typical)
    if counts.mean() < MIN_PASSED:
        return None
    if np.median(deviation[counts]) > MAX_SPREAD * length:
        return None
    passed = moments[counts]
    early, late = np.percentile(passed, (10, 90))
    if late - early < MIN_COVERED * length:
        return None

    trust = np.minimum(changes[counts], MAX_TRUST)
    fit = _fit(passed, _BASIS[counts], trust)
    if fit < MIN_FIT:
        return None
    start, end = np.percentile(passed, (2, 98))
    return _Sweep(fit, float(start), float(end))


def _fit(moments: np.ndarray, basis: np.ndarray, trust: np.ndarray) -> float:
    """Return the share of the variance of times that the places explain.

    Args:
        moments: when the edge passes each place, (P,).
        basis: what they are fitted with, (P, 7).
        trust: the weight of each place, (P,).
    """
    weighted_basis = basis * trust[:, None]
    weighted = moments * trust
    solution, *_ = np.linalg.lstsq(weighted_basis, weighted, rcond=None)
    unexplained = moments - basis @ solution
    rest = np.square(unexplained * trust)

    weights = trust**2
    mean = np.average(moments, weights=weights)
    deviation = moments - mean
    total = np.square(deviation * trust)
    variance = max(float(total.sum()), 1e-9)
    fit = 1 - rest.sum() / variance
    return float(fit)


def _basis() -> np.ndarray:
    """Return, for each place, the functions that times are fitted with, (336, 7)."""
    width, height = GRID
    places = np.mgrid[0:height, 0:width]
    places = places.reshape(2, -1).astype(np.float64)
    rows, columns = places
    x = columns / (width - 1) - 0.5
    y = rows / (height - 1) - 0.5
    radius = np.hypot(x * 16, y * 9) / 16

    constant = np.ones_like(x)
    linear = (constant, x, y, radius)
    quadratic = (x * x, y * y, x * y)
    functions = linear + quadratic
    return np.stack(functions, axis=1)


_BASIS = _basis()
