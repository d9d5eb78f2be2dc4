"""Bars around the picture: letterbox, pillarbox, old edges; black, gray or colored."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop

# Where no source is named, the value was chosen on the synthetic clips of
# tests/footage/screen/test_borders.py, whose bars are known to the pixel.

BLACK_LEVEL = 24
"""Luma [8-bit levels] up to which a sample is black.

16 is the black of limited-range video that is tagged as full range; compression lifts
it by a few levels.
"""

SAME_COLOR = 8
"""Luma [8-bit levels] by which a bar of another color may vary."""

MAX_EDGE_SPREAD = 4.0
"""Standard deviation of the outermost line [8-bit levels] of such a bar."""

NOISE_WINDOW = (3, 3)
"""Width and height of the mean filter that keeps noise in a bar below `BLACK_LEVEL`."""

STEP = 3
"""Every third column is looked at to judge a row, and every third row for a column."""

MIN_CLEAN_SHARE = 0.99
"""Share of a line that must have the bar's color, where there is no text in the bar."""

MIN_TEXT_SHARE = 0.3
"""The same where there is; two wide lines of subtitles leave a third to a half."""

MAX_BAR_SHARE = 0.45
"""Height of one bar, as a share of the image, above which the image is just dark."""

MAX_DIFFERENCE_SHARE = 0.02
MAX_DIFFERENCE_PIXELS = 2
"""Two bars of an image may differ in height by the sum of this share and these pixels.

With a larger difference, several frames must show the same bars.
"""

MAX_TEXT_LINES = 0.05
"""Share of the lines of a bar in which text may leave less than `MIN_TEXT_SHARE`."""

SOFT_EDGE = 2
"""Pixels inside a bar's edge that are cut too: scaling and compression blend them."""

MAX_SOFT_EDGE = 6
"""The same where a bar was enlarged with the picture, and its edge is a ramp."""

EDGE_LINES = 4
"""Lines on each side of a bar's edge that are compared."""

MIN_DROP = 0.3
"""By how much the share of the bar's color must fall at the edge of a bar."""

MIN_LONE_DROP = 0.6
"""The same for a bar with no other one opposite, or one of another height."""

MAX_LONE_SHARE = 0.2
"""Height of such a bar, as a share of the image, above which it is a black sky."""

VOTERS = 3
"""Frames that must show unequal or colored bars."""

MIN_AGREEING = 0.9
"""Share of the frames in which a line must belong to a bar."""

MAX_BORDER_SHARE = 0.9
"""Share of an image that has the color of bars above which it has no vote: a fade."""

MIN_BRIGHT = 56
"""98th percentile of luma below which an image has no vote: a fade, or a black scene."""


@dataclass(frozen=True)
class Lines:
    """How much of each row, or of each column, of a frame has the color of a bar."""

    share: np.ndarray
    """Share of each line, float32 (n,); lines of the first half are compared with the
    first line, others with the last one."""
    is_black: tuple[bool, bool]
    """Whether the first and the last line are black, rather than of another color."""


@dataclass(frozen=True)
class Profile:
    """What a frame tells about bars."""

    rows: Lines
    columns: Lines
    """Of the rows between the bars above and below."""
    may_vote: bool
    """Whether there is something to see."""


def profile(luma: np.ndarray) -> Profile:
    """Return what a frame tells about bars.

    Args:
        luma: uint8 (H, W).
    """
    without_noise = cv2.blur(luma, NOISE_WINDOW)
    rows = _lines(without_noise[:, ::STEP])
    top, bottom = bar_heights([rows])
    between = without_noise[top : len(luma) - bottom : STEP]
    columns = _lines(between.T)

    coarse_step = 4 * STEP
    coarse = luma[::coarse_step, ::coarse_step]
    brightest = float(np.percentile(coarse, 98))
    is_bright = brightest >= MIN_BRIGHT
    may_vote = is_bright and rows.share.mean() <= MAX_BORDER_SHARE
    return Profile(rows, columns, may_vote)


def content_box(luma: np.ndarray) -> Crop:
    """Return the part of an image that lies inside its black bars.

    Bars lie on two opposite sides and are equally high; they may show a logo or
    subtitles. An image that is black nearly everywhere has no bars.

    Args:
        luma: uint8 (H, W).

    Returns:
        The content; all of the image if it has no bars.
    """
    return content_of([profile(luma)])


def content_of(profiles: Sequence[Profile]) -> Crop:
    """Return the part inside the bars that frames of one shot have in common.

    From `VOTERS` frames on, bars may be gray or colored, unequal, or on one side only.

    Args:
        profiles: of one or more frames of the same size.
    """
    rows = [one.rows for one in profiles]
    columns = [one.columns for one in profiles]
    top, bottom = bar_heights(rows)
    left, right = bar_heights(columns)

    frame_height = len(rows[0].share)
    frame_width = len(columns[0].share)
    width = frame_width - left - right
    height = frame_height - top - bottom
    return Crop(left, top, width, height)


def bar_heights(frames: Sequence[Lines]) -> tuple[int, int]:
    """Return the heights of the first and the last bar, soft edge included; else 0, 0.

    Args:
        frames: the lines of each frame, from one edge of the image to the other.
    """
    shares = np.stack([lines.share for lines in frames])
    count = shares.shape[1]
    reversed_shares = shares[:, ::-1]
    first = _bar(shares)
    second = _bar(reversed_shares)
    if max(first.height, second.height) > MAX_BAR_SHARE * count:
        return 0, 0

    is_black = np.all([lines.is_black for lines in frames])
    are_many = len(frames) >= VOTERS
    if not is_black and not are_many:
        return 0, 0

    allowed = MAX_DIFFERENCE_PIXELS + MAX_DIFFERENCE_SHARE * count
    if abs(first.height - second.height) <= allowed:
        return first.cut, second.cut
    is_pair = min(first.height, second.height) > 0
    drop = min(first.drop, second.drop)
    if are_many and is_pair and drop >= MIN_LONE_DROP:
        return first.cut, second.cut

    higher = max(first, second, key=lambda bar: bar.height)
    opposite = shares if higher is second else reversed_shares
    if _may_be_bar_with_text(opposite[:, : higher.height]):
        return higher.cut, higher.cut
    is_low = higher.height <= MAX_LONE_SHARE * count
    if are_many and is_black and is_low and higher.drop >= MIN_LONE_DROP:
        return (higher.cut, 0) if higher is first else (0, higher.cut)
    return 0, 0


@dataclass(frozen=True)
class _Bar:
    """A bar at the first line of an image."""

    height: int
    cut: int
    """Lines to cut off, with the soft edge."""
    drop: float
    """By how much the share of its color falls behind it."""


NO_BAR = _Bar(0, 0, 1.0)


def _bar(shares: np.ndarray) -> _Bar:
    """Return the bar that begins at the first line, in all frames; text may be in it.

    Args:
        shares: of each frame's lines that have the bar's color, float32 (N, n).
    """
    clean = np.mean(shares > MIN_CLEAN_SHARE, axis=0) >= MIN_AGREEING
    behind_text = np.mean(shares > MIN_TEXT_SHARE, axis=0) >= MIN_AGREEING
    mean = shares.mean(axis=0)

    # The picture begins behind the last line without text, if there is an edge.
    for run in (leading_count(behind_text), leading_count(clean)):
        lines = np.flatnonzero(mean[:run] > MIN_CLEAN_SHARE - 0.02)
        height = int(lines[-1]) + 1 if len(lines) else 0
        behind_edge = height + SOFT_EDGE
        inside = mean[behind_edge : behind_edge + EDGE_LINES]
        if not height or not clean[0] or not len(inside):
            continue
        drop = 1 - float(inside.mean())
        if drop >= MIN_DROP:
            soft_edge = _soft_edge(mean[height:])
            return _Bar(height, height + soft_edge, drop)

    height = leading_count(clean)
    if not height:
        return NO_BAR
    return _Bar(height, height + SOFT_EDGE, 0.0)


def _may_be_bar_with_text(shares: np.ndarray) -> bool:
    """Return whether lines have the color of a bar, but for text."""
    enough = shares.mean(axis=0) > MIN_TEXT_SHARE
    return bool(np.mean(~enough) <= MAX_TEXT_LINES)


def _soft_edge(mean: np.ndarray) -> int:
    """Return how many lines behind a bar are a ramp to the picture.

    Args:
        mean: share of the lines behind the bar that has its color.
    """
    ahead = mean[: MAX_SOFT_EDGE + 1]
    falling = np.diff(ahead) < -0.05
    return max(SOFT_EDGE, leading_count(falling) + 1)


def _lines(luma: np.ndarray) -> Lines:
    """Return how much of each row has the color of the bar at its side."""
    half = len(luma) // 2
    first_half = luma[:half]
    last_half = luma[half:]
    first, first_is_black = _share_like_edge(first_half)
    last, last_is_black = _share_like_edge(last_half[::-1])

    share = np.concatenate([first, last[::-1]])
    is_black = (first_is_black, last_is_black)
    return Lines(share, is_black)


def _share_like_edge(luma: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the share of each row that is like the first row, and if that is black."""
    if not len(luma):
        return np.zeros(0, np.float32), True
    edge = luma[0]
    color = float(np.median(edge))
    is_colored = color > BLACK_LEVEL and float(edge.std()) <= MAX_EDGE_SPREAD
    if is_colored:
        low = max(0.0, color - SAME_COLOR)
        high = min(255.0, color + SAME_COLOR)
    else:
        low = 0.0
        high = float(BLACK_LEVEL)

    has_color = cv2.inRange(np.ascontiguousarray(luma), low, high)
    share = cv2.reduce(has_color, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    return share[:, 0] / 255, not is_colored


def leading_count(flags: np.ndarray) -> int:
    """Return how many flags are set before the first one that is not."""
    if flags.all():
        return len(flags)
    return int(np.argmin(flags))
