"""Frames in transitions, told from their neighbors in time, which are decoded too."""

from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.shots.glances import (
    Glance,
    glances,
)
from realesrgan_paddle.data.footage.shots.transitions import (
    Transition,
    change_of,
    transition_at,
)
from realesrgan_paddle.data.footage.shots.wipes import wipe_at

REACH = 2.2
"""Seconds before and after a frame that are looked at; transitions take 0.5 to 2."""

FIRST_LOOK = 0.34
"""Seconds after a frame that are looked at first."""

MIN_FIRST_CHANGE = 1.0
MIN_FIRST_STRAIGHTNESS = 0.6
"""What changes less in that time [8-bit levels], or less straight, is in no transition.

On the setting sources 0.96 of the frames in transitions change more, 0.01 (a static
camera) to 0.6 (riding, cuts) of the others.
"""

MIN_SUSPECT_CHANGE = 4.0
"""Mean difference [8-bit levels] from a decoded frame to the one before or after it
below which there is no transition at it; those have 5 or more."""

MARGIN = 0.1
"""Seconds after a transition at which a frame of the new shot is taken."""


class BlendFinder:
    """Finds the transitions of one video that its decoded frames fall into.

    Args:
        path: the video.
    """

    def __init__(self, path: Path) -> None:
        self.transitions: list[Transition] = []
        """Those found, in the order of time."""
        self._path = path

    def transition_of(
        self, before: np.ndarray | None, frame: Glance, after: np.ndarray | None
    ) -> Transition | None:
        """Return the transition that a frame is in; None if it is in none.

        Decodes frames around it if they may matter.

        Args:
            before: the small frame that was decoded before, uint8 RGB (54, 96, 3); None
                if there is none.
            frame: the frame.
            after: like `before`.
        """
        if not _changes(frame.image, before) and not _changes(frame.image, after):
            return None
        for known in reversed(self.transitions):
            if known.holds(frame.seconds):
                return known
        if not self._moves_on(frame.seconds):
            return None

        found = self._look_around(frame.seconds)
        if found:
            self.transitions.append(found)
        return found

    def _moves_on(self, seconds: float) -> bool:
        """Return whether the picture changes steadily after a frame."""
        stretch = list(glances(self._path, seconds, seconds + FIRST_LOOK))
        if len(stretch) < 2:
            return False
        change, straightness = change_of(_images(stretch))
        return change >= MIN_FIRST_CHANGE and straightness >= MIN_FIRST_STRAIGHTNESS

    def _look_around(self, seconds: float) -> Transition | None:
        """Return the transition around a frame, up to where the next shot is clean."""
        stretch = list(glances(self._path, seconds - REACH, seconds + REACH))
        if len(stretch) < 2:
            return None
        times = np.array([glance.seconds for glance in stretch])
        images = _images(stretch)

        found = _transition_in(images, times, seconds)
        start, end = found or (0.0, 0.0)
        more = found
        while more and end + 2 * MARGIN < times[-1]:
            more = _transition_in(images, times, end + MARGIN)
            end = max(end + MARGIN, more.end) if more else end
        return Transition(start, end) if found else None


def _transition_in(
    images: np.ndarray, times: np.ndarray, seconds: float
) -> Transition | None:
    """Return the transition, of either kind, that the frame of a time is in."""
    place = int(np.abs(times - seconds).argmin())
    found = transition_at(images, times, place)
    return found or wipe_at(images, times, place)


def _images(stretch: list[Glance]) -> np.ndarray:
    """Return the small frames, uint8 RGB (N, 54, 96, 3)."""
    images = [glance.image for glance in stretch]
    return np.stack(images)


def _changes(image: np.ndarray, other: np.ndarray | None) -> bool:
    """Return whether two small frames may be of two shots; a missing one may not."""
    if other is None:
        return False
    change, _ = change_of(np.stack([image, other]))
    return change >= MIN_SUSPECT_CHANGE
