"""Frames in transitions, told from their neighbors in time, which are decoded too."""

from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.shots.small_frames import (
    MIN_SPACING,
    SmallFrame,
    small_frames,
)
from realesrgan_paddle.data.footage.shots.transitions import (
    MAX_LIKENESS,
    Transition,
    change_of,
    transition_at,
)
from realesrgan_paddle.utils.likeness import likeness

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

MAX_MOVED_STRAIGHTNESS = 0.85
MAX_CONTRAST_CHANGE = 0.06
"""The picture has moved, and did not mix, if it is found again after that time (with
`MAX_LIKENESS`), with the same contrast, and has not gone as straight as a dissolve.

Saves decoding 4 seconds. In transitions of the setting sources, none of 22 frames is
taken for moved, of other sources none of 33 (with 0.9 it was one, so these are not quite
unseen); of the others that change enough, 40 of 180.
"""

MIN_SUSPECT_CHANGE = 4.0
"""Mean difference [8-bit levels] from a decoded frame to the one before or after it
below which there is no transition at it; those have 5 or more."""

TICK = 0.002
"""Seconds by which a time may be rounded; two frames are further apart."""

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
        self._seen: list[SmallFrame] = []
        self._seen_from = 0.0
        self._seen_to = 0.0

    def transition_of(
        self, before: np.ndarray | None, frame: SmallFrame, after: np.ndarray | None
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
        end = seconds + FIRST_LOOK
        if self._seen_from <= seconds and end <= self._seen_to:
            first, last = seconds - TICK, end + TICK
            stretch = [seen for seen in self._seen if first <= seen.seconds <= last]
        else:
            stretch = list(small_frames(self._path, seconds, end))
        if len(stretch) < 2:
            return False
        images = _images(stretch)
        change, straightness = change_of(images)
        if change < MIN_FIRST_CHANGE or straightness < MIN_FIRST_STRAIGHTNESS:
            return False
        is_straight = straightness >= MAX_MOVED_STRAIGHTNESS
        return is_straight or not _has_moved(images[0], images[-1])

    def _look_around(self, seconds: float) -> Transition | None:
        """Return the transition around a frame, up to where the next shot is clean."""
        stretch = self._around(seconds - REACH, seconds + REACH)
        if len(stretch) < 2:
            return None
        times = np.array([small.seconds for small in stretch])
        images = _images(stretch)

        found = _transition_in(images, times, seconds)
        start, end = found or (0.0, 0.0)
        more = found
        while more and end + 2 * MARGIN < times[-1]:
            more = _transition_in(images, times, end + MARGIN)
            end = max(end + MARGIN, more.end) if more else end
        return Transition(start, end) if found else None

    def _around(self, start: float, end: float) -> list[SmallFrame]:
        """Return the small frames of a stretch; what was seen is not decoded again.

        Only the last stretch is held, 2 MB: frames are looked around in order of time.
        """
        if not self._seen or not self._seen_from <= start <= self._seen_to:
            seen = list(small_frames(self._path, start, end))
        else:
            first = start - TICK
            seen = [small for small in self._seen if small.seconds >= first]
            first_new = self._seen[-1].seconds + MIN_SPACING
            for small in small_frames(self._path, self._seen_to, end):
                if small.seconds >= first_new - TICK:
                    seen.append(small)
        self._seen, self._seen_from, self._seen_to = seen, start, end
        return seen


def _transition_in(
    images: np.ndarray, times: np.ndarray, seconds: float
) -> Transition | None:
    """Return the transition that the frame of a time is in; None for none."""
    place = int(np.abs(times - seconds).argmin())
    return transition_at(images, times, place)


def _images(stretch: list[SmallFrame]) -> np.ndarray:
    """Return the small frames, uint8 RGB (N, 54, 96, 3)."""
    images = [small.image for small in stretch]
    return np.stack(images)


def _has_moved(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether a small frame shows the same as another, but at other places."""
    contrast, other_contrast = before.std(), after.std()
    difference = abs(contrast - other_contrast)
    if difference > MAX_CONTRAST_CHANGE * max(contrast, other_contrast):
        return False
    forth = likeness(before, after)
    back = likeness(after, before)
    return min(forth, back) >= MAX_LIKENESS


def _changes(image: np.ndarray, other: np.ndarray | None) -> bool:
    """Return whether two small frames may be of two shots; a missing one may not."""
    if other is None:
        return False
    change, _ = change_of(np.stack([image, other]))
    return change >= MIN_SUSPECT_CHANGE
