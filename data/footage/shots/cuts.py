"""Shot boundaries, found by the change of colors from frame to frame."""

import cv2
import numpy as np

MIN_CUT_DISTANCE = 0.35
"""Distance of the histograms of successive frames above which there is a cut.

Measured on soccer, street and animated footage: frames of one shot that are seconds
apart have 0.03 to 0.33, frames of two shots 0.4 to 0.8.
"""

HISTOGRAM_SIZE = (160, 90)
"""Width and height to which frames are downscaled; enough for colors, and fast."""

HISTOGRAM_BINS = (16, 4, 4)
"""Bins of hue, saturation and value.

Few for the latter two, which vary with light and exposure within a shot.
"""

HSV_RANGES = (0, 180, 0, 256, 0, 256)
"""OpenCV's 8-bit HSV: hue below 180, saturation and value below 256."""


class ShotCounter:
    """Numbers the shots of one video, from its frames in the order of time."""

    def __init__(self) -> None:
        self._shot = 0
        self._previous: np.ndarray | None = None

    def shot_of_next(self, image: np.ndarray, *, starts_shot: bool = False) -> int:
        """Return the number of the shot that the next frame belongs to, from 0 on.

        Args:
            image: uint8 RGB (H, W, 3).
            starts_shot: the frame is known to be the first of a new shot.
        """
        histogram = _color_histogram(image)
        if self._previous is not None:
            distance = cv2.compareHist(
                self._previous, histogram, cv2.HISTCMP_BHATTACHARYYA
            )
            if starts_shot or distance > MIN_CUT_DISTANCE:
                self._shot += 1
        self._previous = histogram
        return self._shot


def _color_histogram(image: np.ndarray) -> np.ndarray:
    """Return the HSV histogram, float32 of sum 1; camera movement hardly changes it."""
    small = cv2.resize(image, HISTOGRAM_SIZE, interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    counts = cv2.calcHist(
        images=[hsv],
        channels=(0, 1, 2),
        mask=None,
        histSize=HISTOGRAM_BINS,
        ranges=HSV_RANGES,
    )
    return cv2.normalize(counts, None, alpha=1, norm_type=cv2.NORM_L1)
