"""Tickers: bands of one color with straight edges, in which text changes or scrolls."""

from collections.abc import Sequence

import cv2
import numpy as np

from realesrgan_paddle.data.footage.screen.borders import leading_count
from realesrgan_paddle.data.footage.screen.evidence import MIN_FRAMES
from realesrgan_paddle.utils.crops import Crop

MIN_HEIGHT_SHARE = 0.025
MAX_HEIGHT_SHARE = 0.2
"""Height of a ticker, as a share of the frame's."""

MIN_WIDTH_SHARE = 0.3
"""Width of a ticker, as a share of the frame's."""

SAME_COLOR = 10
"""Luma [8-bit levels] by which the background of a ticker may vary."""

MIN_FREQUENCY = 0.7
"""Share of the frames in which a pixel of the strips beside the text has one value."""

STRIP = (61, 2)
"""Width and height of a piece of such a strip; smaller pieces are chance."""

MIN_BACKGROUND = 0.15
"""Share of the pixels of a row of text, in all frames, that is background."""

MIN_STRIP = 0.85
"""The same in the first and the last rows of a ticker, which have no text."""

MIN_EDGE = 8
"""Difference [8-bit levels] of the band and what is above and below, in the mean."""

MAX_FRAMES = 9
"""Frames that are compared; more only cost time."""

MIN_TEXT = 0.02
MAX_TEXT = 0.5
"""Share of a ticker's pixels that is text, in the mean of all frames."""

MIN_CONTRAST = 40
"""Difference of text and background [8-bit levels]."""


def ticker_boxes(samples: Sequence[np.ndarray]) -> list[Crop]:
    """Return the boxes of tickers.

    In the median of frames of different views, text that differs in each frame is gone
    and a band of one color remains.

    Args:
        samples: frames of different views, uint8 (H, W), all of one size.
    """
    if len(samples) < MIN_FRAMES:
        return []
    step = -(-len(samples) // MAX_FRAMES)
    stack = np.stack(samples[::step])
    boxes: list[Crop] = []
    for strip in _strips(stack):
        band, color = _band_around(strip, stack)
        is_known = any(band.touches(box) for box in boxes)
        if not is_known and _is_ticker(band, stack, color):
            boxes.append(band)
    return boxes


def _strips(stack: np.ndarray) -> list[Crop]:
    """Return long flat strips whose color stays the same in most frames."""
    median = np.median(stack, axis=0).astype(np.uint8)
    steady = []
    for luma in stack:
        difference = cv2.absdiff(luma, median)
        steady.append(difference <= SAME_COLOR)
    frequency = np.mean(steady, axis=0)
    is_flat = frequency >= MIN_FREQUENCY

    step_across = cv2.absdiff(median[:, 1:], median[:, :-1])
    step_down = cv2.absdiff(median[1:], median[:-1])
    is_flat[:, 1:] &= step_across <= SAME_COLOR // 2
    is_flat[1:] &= step_down <= SAME_COLOR // 2

    width, height = STRIP
    kernel = np.ones((height, width), np.uint8)
    flat = is_flat.astype(np.uint8)
    opened = cv2.morphologyEx(flat, cv2.MORPH_OPEN, kernel)
    _, _, components, _ = cv2.connectedComponentsWithStats(opened)

    rows, columns = median.shape
    min_width = MIN_WIDTH_SHARE * columns
    max_height = MAX_HEIGHT_SHARE * rows
    strips = []
    for x, y, width, height, _pixels in components[1:].tolist():
        if width >= min_width and height < max_height:
            strips.append(Crop(x, y, width, height))
    return strips


def _band_around(strip: Crop, stack: np.ndarray) -> tuple[Crop, int]:
    """Return the rows around a strip that have its color behind text, and the color."""
    first_frame = stack[0]
    color = int(np.median(strip.of(first_frame)))
    columns = stack[:, :, strip.x : strip.right]
    is_background = _background(columns, color)
    share = is_background.mean(axis=(0, 2))
    in_band = share >= MIN_BACKGROUND

    middle = strip.y + strip.height // 2
    downwards = in_band[middle:]
    upwards = in_band[: middle + 1][::-1]
    rows_above = leading_count(upwards)
    rows_below = leading_count(downwards)
    top = middle + 1 - rows_above
    bottom = middle + rows_below

    # The first and the last rows have no text.
    while top < bottom and share[top] < MIN_STRIP:
        top += 1
    while bottom > top and share[bottom - 1] < MIN_STRIP:
        bottom -= 1
    band = Crop(strip.x, top, strip.width, bottom - top)
    return band, color


def _background(stack: np.ndarray, color: int) -> np.ndarray:
    """Return where frames show the background of a ticker, bool (N, H, W)."""
    lowest = max(0, color - SAME_COLOR)
    highest = min(255, color + SAME_COLOR)
    is_light_enough = stack >= lowest
    is_dark_enough = stack <= highest
    return is_light_enough & is_dark_enough


def _is_ticker(band: Crop, stack: np.ndarray, color: int) -> bool:
    """Return whether a band has the height, the edges and the text of a ticker."""
    rows = stack.shape[1]
    if not MIN_HEIGHT_SHARE <= band.height / rows <= MAX_HEIGHT_SHARE:
        return False
    if not _has_edges(band, stack, color):
        return False

    frames = stack[:, band.y : band.bottom, band.x : band.right]
    contrast = abs(frames.astype(np.int16) - color)
    is_text = contrast >= MIN_CONTRAST
    share = is_text.mean()
    return bool(MIN_TEXT <= share <= MAX_TEXT)


def _has_edges(band: Crop, stack: np.ndarray, color: int) -> bool:
    """Return whether the frames differ from the band's color above and below it."""
    rows = stack.shape[1]
    for row in (band.y - 4, band.bottom + 3):
        if 0 <= row < rows:
            beside = stack[:, row, band.x : band.right].astype(np.int16)
            if abs(beside - color).mean() < MIN_EDGE:
                return False
    return True
