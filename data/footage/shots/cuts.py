"""Shot boundaries, found by the change of colors from frame to frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.likeness import likeness, shrink

MIN_CUT_DISTANCE = 0.35
"""Distance of the histograms of successive frames above which there is a cut.

Measured on soccer, street and animated footage: frames of one shot that are seconds
apart have 0.03 to 0.33, frames of two shots 0.4 to 0.8.
"""

MIN_SAME_LIKENESS = 0.85
"""Correlation, after moving, above which frames are of one shot in spite of colors.

A flash, a lamp or the exposure changes colors, not places. Measured on the setting
sources: flashes and fades within a shot 0.9 to 1, frames of two shots 0.4 to 0.8.
"""

EMPTY_DEVIATION = 6.0
"""Standard deviation of luma [8-bit levels] below which a frame shows no shot at all:
black, white, or the peak of a flash."""

REMEMBERED = 3
"""Shots that a frame is compared with; after a flash, that before is met again."""

MAX_AWAY = 3.0
"""Seconds after which a shot that is met again counts as a new one."""

HISTOGRAM_SIZE = (160, 90)
"""Width and height to which frames are downscaled; enough for colors, and fast."""

HISTOGRAM_BINS = (16, 4, 4)
"""Bins of hue, saturation and value.

Few for the latter two, which vary with light and exposure within a shot.
"""

HSV_RANGES = (0, 180, 0, 256, 0, 256)
"""OpenCV's 8-bit HSV: hue below 180, saturation and value below 256."""


@dataclass
class _View:
    """What the last frame of a shot looked like."""

    shot: int
    seconds: float
    small: np.ndarray
    histogram: np.ndarray


class ShotCounter:
    """Numbers the shots of one video, from its frames in the order of time."""

    def __init__(self) -> None:
        self.count = 0
        """Shots so far."""
        self._views: list[_View] = []

    @property
    def current(self) -> int:
        """The number of the last frame's shot; 0 before the first."""
        return self._views[-1].shot if self._views else 0

    def shot_of_next(
        self, image: np.ndarray, seconds: float, *, starts_shot: bool = False
    ) -> int:
        """Return the number of the shot that the next frame belongs to, from 0 on.

        A frame that shows nothing belongs to the shot before it. A flash does not end a
        shot, as the picture is the same but for its brightness, or comes back.

        Args:
            image: uint8 RGB (H, W, 3).
            seconds: its time.
            starts_shot: the frame is known to be the first of a new shot.
        """
        view = _View(0, seconds, shrink(image), _color_histogram(image))
        if self._views and not starts_shot and _is_empty(view.small):
            return self.current

        known = None if starts_shot else self._known(view)
        if known:
            view.shot = known.shot
            self._views.remove(known)
        else:
            view.shot = self.count
            self.count += 1
        self._views = [*self._views, view][-REMEMBERED:]
        return view.shot

    def _known(self, view: _View) -> _View | None:
        """Return the remembered view of the shot that a frame is of, if any."""
        if not self._views:
            return None
        *earlier, last = self._views
        distance = cv2.compareHist(
            last.histogram, view.histogram, cv2.HISTCMP_BHATTACHARYYA
        )
        if distance <= MIN_CUT_DISTANCE or _are_alike(last, view):
            return last
        for other in reversed(earlier):
            is_recent = view.seconds - other.seconds <= MAX_AWAY
            if is_recent and _are_alike(other, view):
                return other
        return None


def _are_alike(one: _View, other: _View) -> bool:
    """Return whether two frames show the same from the same place, both ways."""
    forth = likeness(one.small, other.small)
    back = likeness(other.small, one.small)
    return min(forth, back) >= MIN_SAME_LIKENESS


def _is_empty(small: np.ndarray) -> bool:
    """Return whether a small frame, uint8 RGB, is all black, white or one color."""
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    deviation = luma.std()
    return bool(deviation < EMPTY_DEVIATION)


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
