"""Flicker that needs no ground truth: what changes where the input stands still."""

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import sobel_magnitude
from realesrgan_paddle.utils.temporal.steps import Frame, change, inner

STILL_WINDOW = 5
"""Side of the window around a pixel of the input that must stand still [pixels].

The kernel of two convolutions in a row: a network sees at least that much.
"""
STILL_CHANGE = 1.0
"""A window stands still if it changes by at most this, on average [8-bit levels].

What rounding makes of a window that does not change: each frame is off by half a level.
"""
LEAST_STILL = 0.01
"""Share of a frame that must stand still; less says nothing about the frame."""


def still_part(before: Frame, after: Frame, size: tuple[int, int]) -> np.ndarray:
    """Return where the input stands still, bool (h, w), in the inner part of a result.

    Args:
        before: a frame of the input.
        after: its next frame.
        size: width and height of the result's frames.
    """
    window = (STILL_WINDOW, STILL_WINDOW)
    changes = cv2.absdiff(before, after)
    levels = changes.mean(axis=2)
    means = cv2.blur(levels, window)

    still = np.uint8(means <= STILL_CHANGE)
    enlarged = cv2.resize(still, size, interpolation=cv2.INTER_NEAREST)
    return inner(enlarged) > 0


def still_flicker(before: Frame, after: Frame, still: np.ndarray) -> float:
    """Return the mean absolute change of a result where the input stands still.

    In 8-bit levels; NaN if too little of the input stands still.

    Args:
        before: a frame of the result.
        after: its next frame.
        still: see `still_part`.
    """
    if still.mean() < LEAST_STILL:
        return np.nan
    changes = change(before, after)[still]
    return float(np.abs(changes).mean())


def sharpness(frame: Frame) -> float:
    """Return the mean Sobel gradient magnitude of the inner part's luma."""
    return float(inner(sobel_magnitude(frame)).mean())
