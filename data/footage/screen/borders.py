"""Black bars: letterbox, pillarbox, dark columns at the edges of old recordings."""

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop

# Where no source is named, the value was chosen on the synthetic clips of
# tests/footage/test_frame_detectors.py, whose bars are known to the pixel.

BLACK_LEVEL = 24
"""Luma [8-bit levels] up to which a sample is black.

16 is the black of limited-range video that is tagged as full range; compression lifts
it by a few levels.
"""

NOISE_WINDOW = (3, 3)
"""Width and height of the mean filter that keeps noise in a bar below `BLACK_LEVEL`."""

MIN_BLACK_SHARE = 0.99
"""Share of a row that must be black for the row to belong to a bar."""

MAX_BAR_SHARE = 0.45
"""Height of one bar, as a share of the image, above which the image is just dark."""

MAX_DIFFERENCE_SHARE = 0.02
MAX_DIFFERENCE_PIXELS = 2
"""Two bars of an image may differ in height by the sum of this share and these pixels.

A larger difference is a dark part of the scene, unless text interrupts the shorter bar.
"""

TEXT_BLACK_SHARE = 0.5
TEXT_PERCENTILE = 5
"""A bar may hold text: all but 5 % of its rows must still be black for one half."""

SOFT_EDGE = 2
"""Pixels inside a bar's edge that are cut too: scaling and compression blend them."""


def content_box(luma: np.ndarray) -> Crop:
    """Return the part of an image that lies inside its black bars.

    Bars lie on two opposite sides and are equally high; one of them may show a logo or
    subtitles. An image that is black nearly everywhere has no bars.

    Args:
        luma: uint8 (H, W).

    Returns:
        The content; all of the image if it has no bars.
    """
    height, width = luma.shape
    without_noise = cv2.blur(luma, NOISE_WINDOW)
    is_black = without_noise <= BLACK_LEVEL

    top, bottom = _bar_heights(is_black)
    content_height = height - top - bottom
    between_bars = is_black[top : top + content_height]

    left, right = _bar_heights(between_bars.T)
    content_width = width - left - right
    return Crop(left, top, content_width, content_height)


def _bar_heights(is_black: np.ndarray) -> tuple[int, int]:
    """Return the heights of the upper and the lower bar, soft edge included; else 0, 0.

    Args:
        is_black: bool (H, W).
    """
    height = len(is_black)
    black_share = is_black.mean(axis=1)
    in_bar = black_share > MIN_BLACK_SHARE
    top, bottom = _leading_count(in_bar), _leading_count(in_bar[::-1])

    higher = max(top, bottom)
    if higher > MAX_BAR_SHARE * height:
        return 0, 0

    allowed = MAX_DIFFERENCE_PIXELS + MAX_DIFFERENCE_SHARE * height
    if abs(top - bottom) <= allowed:
        return _with_soft_edge(top), _with_soft_edge(bottom)

    # Text ends the run of black rows early, so look at all rows of the shorter bar.
    opposite = black_share[-higher:] if top > bottom else black_share[:higher]
    if np.percentile(opposite, TEXT_PERCENTILE) > TEXT_BLACK_SHARE:
        return _with_soft_edge(higher), _with_soft_edge(higher)
    return 0, 0


def _with_soft_edge(bar_height: int) -> int:
    return bar_height + SOFT_EDGE if bar_height else 0


def _leading_count(flags: np.ndarray) -> int:
    """Return how many flags are set before the first one that is not."""
    if flags.all():
        return len(flags)
    return int(np.argmin(flags))
