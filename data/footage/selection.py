"""Which frames are worth training on: each frame is judged alone, then the best of each stretch of time are picked."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from realesrgan_paddle.data.footage.duplicates import HashIndex, distance
from realesrgan_paddle.data.footage.frame_scores import Scores
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.crops import Crop


@dataclass(frozen=True)
class Selection:
    """What a frame must be to be kept."""

    min_size: int = setting(
        64, "shorter side that a frame must have, within black bars", int_range(1)
    )
    min_sharpness: float = setting(
        0.42, "drop blurred frames: sharp footage has 0.6 to 0.75", float_range(0, 1)
    )
    max_blockiness: float = setting(
        0.95, "drop blocky frames: JPEG of quality 30 has 0.5 to 2", float_range(0)
    )
    min_contrast: float = setting(
        80.0,
        "drop black, white, faded and empty frames: levels from the darkest to the brightest hundredth",
        float_range(0),
    )
    min_difference: float = setting(
        0.1,
        "drop a frame that differs from a kept one, of any video, in less of its hash",
        float_range(0, 1),
    )
    window: float = setting(
        10.0,
        "seconds of a shot of which the --per_window best are kept; 0: keep all",
        float_range(0),
    )
    per_window: int = setting(
        3, "how many frames to keep of each --window of a shot", int_range(1, 100)
    )
    borders: Literal["crop", "keep"] = setting(
        "crop", "what to do with black bars around the picture"
    )
    keep_all: bool = setting(
        False,
        "drop nothing and crop nothing; everything is measured and listed all the same",
    )


@dataclass
class Candidate:
    """A frame with all that is known of it."""

    file: str
    """The name that its PNG file has, or would have."""
    seconds: float
    image: np.ndarray | None
    """uint8 RGB (H, W, 3), without black bars; None once it is dropped."""
    scores: Scores
    hash: np.ndarray
    crop: Crop
    """Where the image lies in the video's frame."""
    shot: int
    reason: str = ""
    """Why it is dropped; empty if it is kept."""

    def drop(self, reason: str) -> "Candidate":
        """Let the picture go and return the candidate."""
        self.image, self.reason = None, reason
        return self


def flaw(scores: Scores, crop: Crop, selection: Selection) -> str:
    """Return why a frame is not worth training on by itself, or ""."""
    if min(crop.width, crop.height) < selection.min_size:
        return "too small"
    if scores.contrast < selection.min_contrast:
        return (
            "black"
            if scores.brightness < 48
            else "white"
            if scores.brightness > 208
            else "faded or empty"
        )
    if scores.sharpness < selection.min_sharpness:
        return "blurred"
    if scores.blockiness > selection.max_blockiness:
        return "blocky"
    return ""


class Picker:
    """Picks the best frames of each window of time of a shot, none of them like one that is kept already.

    Frames are offered in the order of time. At most `per_window` pictures are held. So
    a long shot does not fill the set, and a short one is not lost among better ones.
    """

    def __init__(self, selection: Selection, index: HashIndex) -> None:
        self._selection = selection
        self._index = index
        self._window = (0.0, 0)
        self._best: list[Candidate] = []

    def offer(self, frame: Candidate) -> list[Candidate]:
        """Return the frames that are decided on by the coming of `frame`."""
        if self._selection.keep_all:
            return [frame]
        decided = []
        length = self._selection.window
        window = (frame.seconds // length if length else frame.seconds, frame.shot)
        if window != self._window:
            decided, self._window = self.finish(), window
        decided += [frame.drop(frame.reason)] if frame.reason else self._compare(frame)
        return decided

    def finish(self) -> list[Candidate]:
        """Return the frames of the window that are kept; they are known to the index from now on."""
        kept, self._best = sorted(self._best, key=lambda frame: frame.seconds), []
        for frame in kept:
            self._index.add(frame.file, frame.hash)
        return kept

    def _compare(self, frame: Candidate) -> list[Candidate]:
        """Hold `frame` if it is new or better than those like it; return the frames that are dropped."""
        least = self._selection.min_difference
        nearest = self._index.nearest(frame.hash)
        if nearest and nearest[1] < least:
            return [frame.drop(f"like {nearest[0]}")]
        alike = [held for held in self._best if distance(held.hash, frame.hash) < least]
        for held in alike:
            if held.scores.total >= frame.scores.total:
                return [frame.drop(f"like {held.file}")]
        self._best = [held for held in self._best if held not in alike] + [frame]
        dropped = [held.drop(f"like {frame.file}") for held in alike]
        if self._selection.window and len(self._best) > self._selection.per_window:
            worst = min(self._best, key=lambda held: held.scores.total)
            self._best.remove(worst)
            dropped.append(worst.drop("others of its time are better"))
        return dropped
