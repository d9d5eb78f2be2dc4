"""Side fill: the picture in the middle, its blurred and enlarged copy beside it."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.data.footage.screen.gradients import shrunken
from realesrgan_paddle.utils.crops import Crop

# Where no source is named, the value was chosen on the synthetic clips of
# tests/footage/screen/test_side_fill.py and on photographs with side fill made from
# them.

MIN_ANALYZED = 32
"""Pixels; a smaller frame has no sides to tell from its middle."""

ANALYSIS_SIDE = 240
"""Length [pixels] of the shorter side of the image that is analyzed."""

MIN_SIDE_SHARE = 0.06
"""Width of each side, as a share of the frame's, below which it is left alone."""

MAX_SIDE_SHARE = 0.42
"""The same above which the middle is too narrow to be the picture."""

MAX_OFFSET_SHARE = 0.03
"""By how much the two sides may differ in width, as a share of the frame's."""

MIN_EDGE = 4.0
"""Difference of neighboring pixels [8-bit levels] that counts as an edge."""

EDGE_REACH = 5
"""Pixels to each side that an edge must exceed in the same row."""

MIN_EDGE_SHARE = 0.35
"""Share of the rows that must have an edge in the same column.

Measured: 0.4 to 0.95 for side fill, up to 0.25 for trees and posts.
"""

MAX_PAIRS = 5
"""Pairs of edges that are looked at, those with the largest shares."""

MAX_SHARPNESS = 0.45
"""Detail of the sides, relative to that of the middle."""

MIN_CORRELATION = 0.4
"""Correlation of the sides with the enlarged middle, in the mean of both sides."""

THUMB = (64, 36)
"""Width and height at which the sides are compared with the enlarged middle."""

THUMB_BLUR = 1.5
"""Sigma of the blur of these, so that only light and shade are compared."""

MIN_CHANGE = 4.0
"""Mean change of the middle [8-bit levels] between frames that show still sides."""

MAX_STILL_CHANGE = 1.5
"""Mean change of sides that are a still graphic."""

SOFT_EDGE = 2
"""Pixels of the frame that are cut off inside the edges: compression blends them."""


@dataclass(frozen=True)
class Sides:
    """What a frame tells about the sides of a picture in the middle."""

    left: int
    """Columns of the frame left of the middle; rows above it, if `is_below`."""
    right: int
    is_below: bool
    """Whether the sides are above and below the middle."""
    correlation: float
    """Of the sides with the enlarged middle."""


def side_fill(luma: np.ndarray, previous: np.ndarray | None) -> Sides | None:
    """Return the sides of the picture in the middle of a frame; None if it fills it.

    The sides are less sharp than the middle, end at a straight edge from top to bottom,
    and show the middle enlarged, or do not change while the middle does. Soft
    backgrounds have no such edges.

    Args:
        luma: uint8 (H, W), inside its black bars.
        previous: `analyzed` of an earlier frame of the same size.
    """
    small = analyzed(luma)
    for is_below in (False, True):
        picture = np.ascontiguousarray(small.T) if is_below else small
        before = previous.T if is_below and previous is not None else previous
        found = _sides(picture, before)
        if found:
            left, right, correlation = found
            whole = luma.T if is_below else luma
            scale = whole.shape[1] / picture.shape[1]
            return Sides(
                _refined(whole, left * scale, scale),
                _refined(whole[:, ::-1], right * scale, scale),
                is_below,
                correlation,
            )
    return None


def analyzed(luma: np.ndarray) -> np.ndarray:
    """Return a frame at the size at which side fill is looked for, uint8."""
    rows, columns = luma.shape
    factor = min(1.0, ANALYSIS_SIDE / min(rows, columns))
    width = max(1, round(columns * factor))
    height = max(1, round(rows * factor))
    size = (width, height)
    return shrunken(luma, size)


def middle_of(sides: Sides, content: Crop) -> Crop:
    """Return the middle, without its soft edges, of the content that it was found in."""
    before = sides.left + SOFT_EDGE
    behind = sides.right + SOFT_EDGE
    if sides.is_below:
        top = content.y + before
        height = content.height - before - behind
        return Crop(content.x, top, content.width, height)

    left = content.x + before
    width = content.width - before - behind
    return Crop(left, content.y, width, content.height)


def _sides(
    luma: np.ndarray, before: np.ndarray | None
) -> tuple[int, int, float] | None:
    """Return the widths of the sides and their correlation; None if there are none."""
    if min(luma.shape) < MIN_ANALYZED:
        return None
    width = luma.shape[1]
    first = max(EDGE_REACH, int(MIN_SIDE_SHARE * width))
    last = int(MAX_SIDE_SHARE * width)
    offset = max(2, round(MAX_OFFSET_SHARE * width))
    shares = edge_shares(luma)
    pairs: list[tuple[float, int, int]] = []
    is_edge = shares[first:last] >= MIN_EDGE_SHARE
    for column in (np.flatnonzero(is_edge) + first).tolist():
        start = max(first, column - offset)
        opposite = shares[::-1][start : column + offset + 1]
        right = start + int(np.argmax(opposite))
        weaker = min(float(shares[column]), float(opposite.max()))
        if weaker >= MIN_EDGE_SHARE:
            pairs.append((weaker, column, right))

    for _, left, right in sorted(pairs, reverse=True)[:MAX_PAIRS]:
        if before is not None and _are_still(luma, before, left, right):
            return left, right, 1.0
        if not _are_blurred(luma, left, right):
            continue
        correlation = _correlation(luma, left, right)
        if correlation >= MIN_CORRELATION:
            return left, right, correlation
    return None


def edge_shares(luma: np.ndarray) -> np.ndarray:
    """Return the share of rows that have an edge in each column, float32 (W,)."""
    steps = np.zeros_like(luma)
    before = luma[:, :-2]
    behind = luma[:, 2:]
    steps[:, 1:-1] = cv2.absdiff(behind, before)

    width = 2 * EDGE_REACH + 1
    around = np.ones((1, width), np.uint8)
    highest = cv2.dilate(steps, around)
    is_highest = cv2.compare(steps, highest, cv2.CMP_GE)
    is_high = cv2.compare(steps, MIN_EDGE, cv2.CMP_GE)
    is_edge = is_highest & is_high

    # An edge may lie between two columns, so neighbors count together.
    mean = cv2.reduce(is_edge, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    shares = mean / 255
    together = cv2.boxFilter(shares, -1, (3, 1), normalize=False)
    return together[0]


def _are_blurred(luma: np.ndarray, left: int, right: int) -> bool:
    """Return whether both sides have much less detail than the middle."""
    edges = abs(cv2.Laplacian(luma, cv2.CV_32F))
    detail = edges.mean(axis=0)
    end = len(detail) - right
    margin = EDGE_REACH // 2

    left_side = detail[: left - margin]
    middle = detail[left + margin : end - margin]
    right_side = detail[end + margin :]
    on_left = float(left_side.mean())
    in_middle = float(middle.mean())
    on_right = float(right_side.mean())
    return max(on_left, on_right) <= MAX_SHARPNESS * in_middle


def _are_still(luma: np.ndarray, before: np.ndarray, left: int, right: int) -> bool:
    """Return whether the sides are as in another frame, whose middle differs."""
    change = cv2.absdiff(luma, before).mean(axis=0)
    end = len(change) - right
    margin = EDGE_REACH // 2

    left_side = change[: left - margin]
    middle = change[left:end]
    right_side = change[end + margin :]
    most = max(left_side.mean(), right_side.mean())
    are_still = most <= MAX_STILL_CHANGE
    return are_still and middle.mean() >= MIN_CHANGE


def _correlation(luma: np.ndarray, left: int, right: int) -> float:
    """Return how well the sides are explained by the enlarged middle.

    The middle fills the frame either in its proportions or stretched, and either as it
    is or mirrored; the best of these counts.
    """
    height, width = luma.shape
    middle = luma[:, left : width - right]
    part = round(height * middle.shape[1] / width)
    top = (height - part) // 2
    in_proportion = middle[top : top + max(1, part)]

    columns, _ = THUMB
    left_in_thumb = left * columns // width
    right_in_thumb = right * columns // width
    end_of_left = max(1, left_in_thumb - 1)
    start_of_right = min(columns - 1, columns - right_in_thumb + 1)

    whole = _thumb(luma)
    best = 0.0
    for fill in (in_proportion, middle):
        copy = _thumb(fill)
        mirrored = copy[:, ::-1]
        for enlarged in (copy, mirrored):
            on_left = _match(whole[:, :end_of_left], enlarged[:, :end_of_left])
            on_right = _match(whole[:, start_of_right:], enlarged[:, start_of_right:])
            best = max(best, (on_left + on_right) / 2)
    return best


def _thumb(luma: np.ndarray) -> np.ndarray:
    """Return a blurred thumbnail, float32 of the size `THUMB`."""
    rounded = cv2.resize(luma, THUMB, interpolation=cv2.INTER_AREA)
    small = rounded.astype(np.float32)
    size_by_sigma = (0, 0)
    return cv2.GaussianBlur(small, size_by_sigma, THUMB_BLUR)


def _match(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two images; 0 if one of them is flat."""
    first = one - one.mean()
    second = other - other.mean()
    first_energy = (first**2).sum()
    second_energy = (second**2).sum()
    energy = float(first_energy * second_energy)
    if energy <= 1:
        return 0.0

    together = float((first * second).sum())
    return together / energy**0.5


def _refined(luma: np.ndarray, place: float, scale: float) -> int:
    """Return the column of the frame at which the edge near `place` is."""
    reach = max(2, round(2 * scale))
    column = round(place)
    first = max(1, column - reach)
    end = column + reach + 2
    near = luma[:, first - 1 : end]

    differences = np.diff(near.astype(np.int16), axis=1)
    steps = abs(differences).mean(axis=0)
    highest = int(np.argmax(steps))
    return first + highest
