"""What changes from a frame of a video to the next, measured as TecoGAN's metrics do.

Chu et al. 2020, "Learning Temporal Coherence via Self-Supervision for GAN-based Video
Generation" (TecoGAN), section 5; parameters as in `metrics.py` of thunil/TecoGAN.
Flicker needs no ground truth: it is what changes where the input stands still.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.errors import UserError

BLOCK = 32
"""The measured part's sides are multiples of this [pixels]; TecoGAN's `crop_8x8`."""
MARGIN = 16
"""A side loses at least this much, half of it at each border [pixels]; `crop_8x8`."""
SMALLEST_SIDE = BLOCK + MARGIN
"""Sides of the smallest frames that can be measured [pixels]."""

# Farneback 2003, "Two-Frame Motion Estimation Based on Polynomial Expansion", as in
# OpenCV, with the arguments of TecoGAN's metrics.py.
PYRAMID_SCALE = 0.5
PYRAMID_LEVELS = 3
WINDOW = 15
ITERATIONS = 3
NEIGHBORHOOD = 5
SIGMA = 1.2

TLP_UNIT = 100.0
"""tLP is given times 100, as in TecoGAN's tables."""

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

Frame = np.ndarray
"""uint8 RGB (H, W, 3)."""
Distance = Callable[[Frame, Frame], float]
"""LPIPS of two frames, for tLP. It is passed in: networks are not known here."""


@dataclass(frozen=True)
class Step:
    """What changes from one frame to the next, in the measured part of both."""

    flow: np.ndarray
    """Optical flow, float32 (h, w, 2): right and down [pixels]."""
    change: np.ndarray
    """The frame minus the previous one, int16 RGB (h, w, 3) [8-bit levels]."""
    distance: float
    """LPIPS of the two frames; NaN if it is not measured."""

    @classmethod
    def between(cls, before: Frame, after: Frame, distance: Distance | None) -> "Step":
        """Return the step between two frames of one size."""
        lpips = np.nan
        if distance is not None:
            lpips = distance(inner(before), inner(after))
        return cls(optical_flow(before, after), change(before, after), lpips)

    def tof(self, gt: "Step") -> float:
        """Return tOF: the mean length of the difference of the two flows [pixels]."""
        difference = self.flow - gt.flow
        lengths = np.hypot(difference[..., 0], difference[..., 1])
        return float(lengths.mean())

    def tlp(self, gt: "Step") -> float:
        """Return tLP: the difference of the two LPIPS distances, times 100."""
        return abs(self.distance - gt.distance) * TLP_UNIT

    def change_error(self, gt: "Step") -> float:
        """Return the mean absolute difference of the two changes [8-bit levels].

        In other words, how much the error changes from frame to frame. With squares in
        place of absolute values it is the dtSSD of Erofeev et al. 2015, "Perceptually
        Motivated Benchmark for Video Matting".
        """
        difference = self.change - gt.change
        mean = np.abs(difference).mean()
        return float(mean)


def inner(image: np.ndarray) -> np.ndarray:
    """Return the part of an image (H, W, ...) that is measured, in its middle.

    Raises:
        UserError: a side is shorter than `SMALLEST_SIDE`.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"frames of {width}x{height} pixels are too small to measure temporal "
            f"consistency; at least {SMALLEST_SIDE}x{SMALLEST_SIDE} are needed"
        )
    return image[_middle(height), _middle(width)]


def optical_flow(before: Frame, after: Frame) -> np.ndarray:
    """Return the optical flow of the inner part, float32 (h, w, 2) [pixels].

    It is computed on the whole frames' luma, rounded to 8 bits (ITU-R BT.601).
    """
    flow = cv2.calcOpticalFlowFarneback(
        cv2.cvtColor(before, cv2.COLOR_RGB2GRAY),
        cv2.cvtColor(after, cv2.COLOR_RGB2GRAY),
        flow=None,
        pyr_scale=PYRAMID_SCALE,
        levels=PYRAMID_LEVELS,
        winsize=WINDOW,
        iterations=ITERATIONS,
        poly_n=NEIGHBORHOOD,
        poly_sigma=SIGMA,
        flags=0,
    )
    return inner(flow)


def change(before: Frame, after: Frame) -> np.ndarray:
    """Return `after` minus `before` in the inner part, int16 RGB (h, w, 3)."""
    earlier = inner(before).astype(np.int16)
    later = inner(after)
    return later - earlier


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


def _middle(side: int) -> slice:
    """Return the measured pixels of a side."""
    length = (side - MARGIN) // BLOCK * BLOCK
    start = (side - length) // 2
    return slice(start, start + length)
