"""Transitions from shot to shot that take time: dissolves, wipes, fades.

A frame inside one is a mixture of what is before and after. Over a transition each
place of the picture goes straight from the old picture to the new one, whether slowly
(dissolve, fade, soft edge) or at once (wipe, where a place is passed by the edge), so
the way it goes is as long as the distance. Movement wanders, and what moves is found
again at another place.
"""

from typing import NamedTuple

import cv2
import numpy as np

from realesrgan_paddle.utils.likeness import compared_luma, likeness

GRID = (24, 14)
"""Width and height to which small frames are downscaled again, against movement."""

BLUR = 1.5
"""Sigma [pixels of a small frame] of the blur before."""

MAX_SECONDS = 2.6
"""Longest stretch that is looked at as one transition."""

MIN_SECONDS = 0.16
"""Shortest transition; a flash, or a cut between two frames that were blended, is not
one."""

MIN_STEPS = 3
"""Fewest steps from frame to frame of a transition."""

MIN_CHANGE = 8.0
"""Least mean difference [8-bit levels] of the frames before and after a transition."""

MIN_STRAIGHTNESS = 0.6
"""Least ratio of the distance from the old picture to the new one to the way taken.

Measured on the setting sources: transitions between moving shots have 0.66 to 1;
running, riding and panning 0.2 to 0.6.
"""

MAX_RESIDUAL = 0.15
"""Most of the distance that may not be explained as a mixture of both pictures, at the
middle of a transition. Measured: 0.01 to 0.13 in transitions; pans 0.1 to 0.3."""

MAX_BEND = 0.2
"""Most that the progress of a transition may differ from an even one."""

MAX_JUMP = 0.5
"""Share of the way that one step may take; that of a cut takes more."""

MIN_PACE = 0.3
"""Least pace at any time of a transition, of its mean: a transition does not pause."""

MAX_LIKENESS = 0.93
"""Correlation, after moving, of the pictures before and after; more is one shot."""

FLAT = 5.0
"""Standard deviation [8-bit levels] below which a picture is black, white or empty."""

TAIL = 0.4
"""Length of each end of a transition, of its middle three fifths; a third if it went
steadily, but soft edges set in slowly."""

OLD_SHARE, NEW_SHARE = 0.15, 0.85
"""Shares of the new picture up to which, and from which, a place counts as wholly old
or new."""

MIN_WIPED = 0.04
"""Least share of the changed places that are wholly old, and wholly new, in a wipe."""


class Transition(NamedTuple):
    """A stretch of a video in which one shot becomes another."""

    start: float
    """Time [s] of the last frame of the old shot, or earlier where that was not seen.
    """
    end: float
    """Time [s] of the first frame of the new shot."""

    def holds(self, seconds: float) -> bool:
        """Return whether a frame of this time is a mixture."""
        return self.start < seconds < self.end


def transition_at(
    images: np.ndarray, seconds: np.ndarray, place: int
) -> Transition | None:
    """Return the transition that a frame is in; None if it is in none.

    Args:
        images: successive small frames, uint8 RGB (N, 54, 96, 3).
        seconds: their times, (N,).
        place: which of them is the frame.
    """
    if not 0 < place < len(images) - 1:
        return None
    points = _points_of(images)
    for longest in (MAX_SECONDS, MAX_SECONDS / 2):
        span = _straightest_span(points, seconds, place, longest)
        if span is None:
            return None
        first, last = span
        stretch, times = points[first : last + 1], seconds[first : last + 1]
        # Two transitions, one soon after the other, look like one with a bend.
        if _bend(stretch, times) <= MAX_BEND:
            if not _differ(images[first], images[last]):
                return None
            return _transition_of_span(stretch, times, place - first)
    return None


def _transition_of_span(
    points: np.ndarray, seconds: np.ndarray, place: int
) -> Transition | None:
    """Return the transition that a span is, if a frame of it is a mixture."""
    if not _is_mixed(points):
        return None
    transition = _trimmed(points, seconds)
    if transition.end - transition.start < MIN_SECONDS:
        return None
    if transition.holds(seconds[place]):
        return transition
    if _is_part_wiped(points, place):
        return Transition(float(seconds[0]), float(seconds[-1]))
    return None


def change_of(images: np.ndarray) -> tuple[float, float]:
    """Return how far small frames go from the first to the last, and how straight.

    Args:
        images: uint8 RGB (N, 54, 96, 3), at least two.

    Returns:
        The mean difference [8-bit levels], and its ratio to the way taken, 0 to 1.
    """
    points = _points_of(images)
    way = float(_step_lengths(points).sum())
    change = points[-1] - points[0]
    distance = float(np.abs(change).mean())
    straightness = distance / max(way, 0.3)
    return distance, straightness


def _step_lengths(points: np.ndarray) -> np.ndarray:
    """Return how far each point is from the one before, float32 (N - 1,)."""
    steps = np.diff(points, axis=0)
    return np.abs(steps).mean(axis=1)


def _points_of(images: np.ndarray) -> np.ndarray:
    """Return small frames as points, float32 (N, 14 * 24 * 3)."""
    rows = []
    for image in images:
        soft = cv2.GaussianBlur(image, (0, 0), BLUR)
        rows.append(cv2.resize(soft, GRID, interpolation=cv2.INTER_AREA).ravel())
    return np.array(rows, np.float32)


def _straightest_span(
    points: np.ndarray, seconds: np.ndarray, place: int, longest: float
) -> tuple[int, int] | None:
    """Return the first and last frame of the best span around `place`.

    That is the one of at most `longest` seconds that goes far and straight without a
    pause.
    """
    steps = _step_lengths(points)
    way_to = np.concatenate([[0.0], np.cumsum(steps)])

    # Rows are first frames, columns last ones.
    between = points[:place, None] - points[None, place + 1 :]
    distance = np.abs(between).mean(axis=2)
    way = _grown(way_to, place)
    counts = _grown(np.arange(len(points)), place)
    lengths = _grown(seconds, place)
    straightness = distance / np.maximum(way, 0.3)

    goes_on = _slowest(steps, place) >= MIN_PACE * way / counts
    fits = (lengths <= longest) & (counts >= MIN_STEPS)
    merit = np.where(goes_on & fits, distance * straightness**3, 0.0)
    best = np.unravel_index(np.argmax(merit), merit.shape)

    if distance[best] < MIN_CHANGE or not merit[best]:
        return None
    if straightness[best] < MIN_STRAIGHTNESS:
        return None
    first = int(best[0])
    last = int(best[1]) + place + 1
    largest = steps[first:last].max()
    if largest > MAX_JUMP * way[best]:
        return None
    return first, last


def _grown(values: np.ndarray, place: int) -> np.ndarray:
    """Return by how much a figure of frames grows in each span around `place`.

    Returns:
        By first frame, up to the one before `place`, and last frame, from the next on.
    """
    firsts = values[:place]
    lasts = values[place + 1 :]
    return lasts[None] - firsts[:, None]


def _slowest(steps: np.ndarray, place: int) -> np.ndarray:
    """Return the lowest pace in each span around `place`, arranged as by `_grown`."""
    padded = np.pad(steps, 1, mode="edge")
    window = [1 / 3] * 3
    pace = np.convolve(padded, window, "valid")

    backwards = pace[:place][::-1]
    onwards = pace[place:]
    slowest_before = np.minimum.accumulate(backwards)
    slowest_after = np.minimum.accumulate(onwards)
    before = slowest_before[::-1]
    return np.minimum(before[:, None], slowest_after[None])


def _differ(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether two small frames are of two shots, or one of them is empty."""
    for image in (before, after):
        luma = compared_luma(image)
        if luma.std() < FLAT:
            return True
    return likeness(before, after) < MAX_LIKENESS


def _progress(points: np.ndarray) -> np.ndarray:
    """Return how far each frame of a span is on the way, 0 to 1, never falling."""
    gone = np.abs(points - points[0])
    left = np.abs(points - points[-1])
    from_first = gone.sum(axis=1)
    to_last = left.sum(axis=1)
    way = from_first + to_last
    share = from_first / np.maximum(way, 1.0)
    return np.maximum.accumulate(share)


def _bend(points: np.ndarray, seconds: np.ndarray) -> float:
    """Return how far the progress of a span is from even, 0 to 1."""
    progress = _progress(points)
    shares = (0.1, 0.9)
    early, late = np.interp(shares, progress, seconds)
    inside = (seconds >= early) & (seconds <= late)
    times = seconds[inside]
    even = np.interp(times, (early, late), shares)
    bends = np.abs(progress[inside] - even)
    return float(bends.max(initial=0.0))


def _is_mixed(points: np.ndarray) -> bool:
    """Return whether the frames in the middle of a span are mixtures of its ends.

    Each neighborhood of 3x3 places may have a share of its own, as in a wipe.
    """
    change = _by_place(points[-1] - points[0])
    size = max(float(np.abs(change).mean()), 0.5)

    residuals = []
    progress = _progress(points)
    in_middle = (progress > 0.2) & (progress < 0.8)
    for point in points[in_middle]:
        moved = _by_place(point - points[0])
        share = _shares(points, point)
        rest = moved - share[..., None] * change
        residual = float(np.abs(rest).mean())
        residuals.append(residual / size)
    mean = np.mean(residuals or [0.0])
    return float(mean) < MAX_RESIDUAL


def _by_place(point: np.ndarray) -> np.ndarray:
    """Return a point as a picture again, float32 (14, 24, 3)."""
    width, height = GRID
    return point.reshape(height, width, 3)


def _shares(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the share of the new picture at each place, float32 (14, 24), 0 to 1.

    Args:
        points: a span; its first frame is the old picture, its last the new one.
        point: a frame of it.
    """
    change = _by_place(points[-1] - points[0])
    moved = _by_place(point - points[0])
    squares = np.square(change)
    products = moved * change
    power = _sum3(squares.sum(axis=2))
    along = _sum3(products.sum(axis=2))
    share = along / np.maximum(power, 1.0)
    return np.clip(share, 0, 1)


def _is_part_wiped(points: np.ndarray, place: int) -> bool:
    """Return whether a frame shows the old picture here and the new one there."""
    shares = _shares(points, points[place])
    difference = np.abs(points[-1] - points[0])
    change = _by_place(difference).mean(axis=2)
    has_changed = change > change.mean() / 2

    shares = shares[has_changed]
    is_old = shares < OLD_SHARE
    is_new = shares > NEW_SHARE
    least = min(is_old.mean(), is_new.mean())
    return bool(least > MIN_WIPED)


def _sum3(values: np.ndarray) -> np.ndarray:
    """Return the sum over 3x3 places, float32 (H, W)."""
    window = (3, 3)
    return cv2.boxFilter(values, -1, window, normalize=False)


def _trimmed(points: np.ndarray, seconds: np.ndarray) -> Transition:
    """Return when the span's frames begin and end to mix.

    Both pictures may move, which adds slow tails to a span; so the pace of its middle
    is extended to both ends.
    """
    progress = _progress(points)
    early, late = np.interp((0.2, 0.8), progress, seconds)
    middle = late - early
    tail = middle * TAIL
    start = max(early - tail, seconds[0])
    end = min(late + tail, seconds[-1])
    return Transition(float(start), float(end))
