"""Moments that clips are cut from, and those that two videos of one recording share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.video import Frame
from realesrgan_paddle.data.footage.views.candidates import compare_all
from realesrgan_paddle.data.footage.views.copies import (
    find_copies,
    find_lesser_frames,
    partners_of,
    rank_copies,
)
from realesrgan_paddle.data.footage.views.set_images import miniature
from realesrgan_paddle.data.sets.manifest import Record
from realesrgan_paddle.data.statistics.image_scores import measure

EVERY = 5
"""Frames of a moment from one that is compared to the next: those of another encoding
may begin in between, and 0.1 to 0.2 s hardly change a picture."""

MAX_COMPARED = 3000
"""Frames that are compared: 17 minutes of footage, 400 MB. Of more every second moment
is, or every fourth ..."""


@dataclass(frozen=True)
class Moment:
    """A moment of a video."""

    video: str
    number: int
    """In the video, from 0."""
    clips: Sequence[Sequence[Path]]
    """The files of each clip that was cut out of it."""


@dataclass(frozen=True)
class _Seen:
    """A frame of a moment."""

    moment: Moment
    seconds: float
    record: Record
    """What copies are ranked by."""


class Moments:
    """The moments of several videos."""

    def __init__(self) -> None:
        self._frames: list[_Seen] = []
        self._lumas: dict[int, np.ndarray] = {}  # miniatures of those to compare
        self._step = 1

    def add(self, moment: Moment, frames: Sequence[Frame]) -> None:
        """Note what is seen in a moment's frames."""
        lumas = [
            cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames[::EVERY]
        ]
        scores = measure(lumas[0])
        record = {
            "score": scores.total,
            "sharpness": scores.sharpness,
            "size": lumas[0].shape[::-1],
        }
        if len(self._lumas) >= MAX_COMPARED:
            self._step *= 2
            self._lumas = {
                number: luma
                for number, luma in self._lumas.items()
                if self._frames[number].moment.number % self._step == 0
            }
        has_room = len(self._lumas) < MAX_COMPARED  # not if a thousand videos have one

        for frame, luma in zip(frames[::EVERY], lumas, strict=True):
            if has_room and moment.number % self._step == 0:
                self._lumas[len(self._frames)] = miniature(luma)
            self._frames.append(_Seen(moment, frame.seconds, record))

    def lesser(self) -> list[tuple[Moment, str]]:
        """Return the moments that another video shows better, each with its name.

        Those of the lesser one of two videos that run in step; see `find_lesser_frames`.
        """
        frames = self._frames
        videos = [frame.moment.video for frame in frames]
        if len(set(videos)) < 2:
            return []

        compared, lumas = list(self._lumas), list(self._lumas.values())
        read = lumas.__getitem__
        shots = [videos[number] for number in compared]
        copies = find_copies(compare_all(len(lumas), read), shots, read)
        pairs = [(compared[one], compared[other]) for one, other in copies]
        ranks = rank_copies([frame.record for frame in frames], partners_of(pairs))
        seconds = [frame.seconds for frame in frames]
        found = find_lesser_frames(videos, seconds, pairs, ranks)
        moments: dict[tuple[str, int], tuple[Moment, str]] = {}
        for number, better in found.items():
            moment = frames[number].moment
            moments[moment.video, moment.number] = moment, videos[better]
        return list(moments.values())
