"""Which frames are worth training on: each alone, then the best of each time window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from realesrgan_paddle.data.footage.views.features import HashIndex, hash_distance
from realesrgan_paddle.data.sets.manifest import DROPPED, KEPT, Record
from realesrgan_paddle.data.statistics.image_scores import Scores
from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.crops import Crop

BLACK_BRIGHTNESS = 48
WHITE_BRIGHTNESS = 208
"""Mean luma [8-bit levels] below, or above, which a frame without contrast is called
black, or white, instead of faded. Only the reason in the manifest depends on it."""

BEATEN = "others of its time are better"
"""Why a good frame is dropped."""

SPARES = 2
"""Frames that are held beyond those to keep, so that there are some apart in time."""


@dataclass(frozen=True)
class Selection:
    """What a frame must be like to be kept.

    The default thresholds were chosen on the synthetic frames of
    tests/footage/test_frame_detectors.py, where each finds its frames with a precision
    and a recall of at least 0.95. Measured on 49 frames of soccer broadcasts in full HD:
    sharpness 0.55 to 0.68, 0.27 to 0.33 after a Gaussian blur of sigma 2.5; blockiness
    0.22 to 0.77, 0.50 to 1.5 as JPEG of quality 30; contrast 137 to 250.
    """

    min_size: int = setting(
        64,
        "drop frames whose shorter side, without black bars, is less",
        int_range(1),
        heading="what is dropped",
    )
    min_sharpness: float = setting(
        0.38,
        "drop blurred frames; sharp footage has 0.45 to 0.66; 0: keep all",
        float_range(0, 1),
    )
    max_blockiness: float = setting(
        0.95,
        "drop frames with compression blocks; JPEG of quality 30 has 0.5 to 2",
        float_range(0),
    )
    min_contrast: float = setting(
        80.0,
        "drop black, white, faded and empty frames: 1st to 99th percentile of luma, in "
        "8-bit levels",
        float_range(0),
    )
    min_difference: float = setting(
        0.1,
        "drop near-duplicates in all videos of the set: share of differing bits of the "
        "perceptual hash; higher drops more",
        float_range(0, 1),
    )
    window: float = setting(
        10.0,
        "of each shot, keep the --per_window best frames of every so many seconds; "
        "0: keep all",
        float_range(0),
    )
    per_window: int = setting(
        3, "frames to keep of each --window of a shot", int_range(1, 100)
    )
    borders: Literal["crop", "keep"] = setting("crop", "what to do with black bars")
    true_size: bool = setting(
        False, "downscale frames of videos that were enlarged to their true size"
    )
    keep_all: bool = setting(
        False, "drop and crop nothing; scores are still written to the manifest"
    )
    trust_sources: bool = setting(
        False, "keep the frames of sources whose passport says: do not train on it"
    )

    def of_short_video(self, seconds: float, frames: int) -> "Selection":
        """Return what is kept of a video that is to give about so many frames.

        Its windows are shorter; others than the default stay as they were asked for.
        """
        if self.window != Selection.window or not frames:
            return self
        window = self.per_window * seconds / frames
        return replace(self, window=min(self.window, window))


@dataclass
class Candidate:
    """A frame with everything that is known about it."""

    file: str
    """The name of its PNG file, should it be kept."""
    seconds: float
    image: np.ndarray | None
    """uint8 RGB (H, W, 3), without black bars; None once the frame is dropped."""
    scores: Scores
    hash: np.ndarray
    """Perceptual hash, uint8 (32,)."""
    crop: Crop
    """The image's place in the video's frame."""
    shot: int
    reason: str = ""
    """Why it is dropped; "" if it is kept."""
    is_key: bool = False
    """Whether it is a key frame, among others that are not."""

    @property
    def worth(self) -> tuple[bool, float]:
        """What frames are compared by.

        Key frames come first: of a still camera's grass 21 % of the blocks have no fine
        detail in them, 43 % in the frames between, whose score is higher for less grain.
        """
        return self.is_key, self.scores.total

    def drop(self, reason: str) -> "Candidate":
        """Free the image, note the reason and return the candidate."""
        self.image, self.reason = None, reason
        return self


def rejection_reason(scores: Scores, crop: Crop, selection: Selection) -> str:
    """Return why a frame alone is not worth training on; "" if it is."""
    if min(crop.width, crop.height) < selection.min_size:
        return "too small"
    if scores.contrast < selection.min_contrast:
        return _low_contrast_reason(scores.brightness)
    if scores.blockiness > selection.max_blockiness:
        return "blocky"
    if scores.sharpness < selection.min_sharpness:
        return "blurred"
    return ""


def _low_contrast_reason(brightness: float) -> str:
    if brightness < BLACK_BRIGHTNESS:
        return "black"
    if brightness > WHITE_BRIGHTNESS:
        return "white"
    return "faded or empty"


def spread_best(frames: list[Candidate], limit: int, min_gap: float) -> list[Candidate]:
    """Return up to `limit` of `frames`, best first, that are spread over their time.

    The best frame that is at least `min_gap` seconds from all taken ones is taken next;
    if there is none, the best of the others. The earlier of equals is the better.
    """
    in_time = sorted(frames, key=lambda frame: frame.seconds)
    left = sorted(in_time, key=lambda frame: frame.worth, reverse=True)
    taken: list[Candidate] = []
    while left and len(taken) < limit:
        apart = [frame for frame in left if _distance(frame, taken) >= min_gap]
        candidates = apart or left
        chosen = candidates[0]
        left.remove(chosen)
        taken.append(chosen)
    return taken


def _distance(frame: Candidate, others: list[Candidate]) -> float:
    """Return the seconds from a frame to the nearest of others; infinite for none."""
    nearest = float("inf")
    for other in others:
        distance = abs(frame.seconds - other.seconds)
        nearest = min(nearest, distance)
    return nearest


class Picker:
    """Picks the best frames of each time window of a shot, without near-duplicates.

    Frames are offered in the order of time, and at most `per_window` + `SPARES` images
    are held in memory. So a long shot does not fill the set, and a short one keeps its
    best frames even if others are better. Of a window, the best frame is taken, then
    the best of those that are not near it in time, and so on; neighbors are only taken
    if there are no others.

    Args:
        selection: how many to pick, and what counts as a near-duplicate.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._index = HashIndex()
        self._keys = HashIndex()
        self._window = (0.0, 0)
        self._best: list[Candidate] = []

    def offer(self, frame: Candidate) -> list[Candidate]:
        """Return the frames that are kept or dropped now that `frame` is known."""
        if self._selection.keep_all:
            return [frame]

        decided = []
        window = self._window_of(frame)
        if window != self._window:
            decided += self.finish()
            self._window = window

        if frame.reason:
            decided.append(frame.drop(frame.reason))
        else:
            decided += self._compare(frame)
        return decided

    def finish(self) -> list[Candidate]:
        """Return the held frames, kept or dropped; add those that are kept to the index."""
        held, self._best = self._best, []
        limit = self._selection.per_window if self._selection.window else len(held)
        kept = spread_best(held, limit, self._min_gap)
        for frame in held:
            if frame in kept:
                self._index.add(frame.file, frame.hash)
                if frame.is_key:
                    self._keys.add(frame.file, frame.hash)
            else:
                frame.drop(BEATEN)
        return sorted(held, key=lambda frame: frame.seconds)

    @property
    def _min_gap(self) -> float:
        """Return the seconds below which frames of a window are neighbors."""
        return self._selection.window / (2 * self._selection.per_window)

    def _window_of(self, frame: Candidate) -> tuple[float, int]:
        """Return the time window and the shot of a frame."""
        length = self._selection.window
        if not length:
            return frame.seconds, frame.shot  # each frame has a window of its own
        return frame.seconds // length, frame.shot

    def _compare(self, frame: Candidate) -> list[Candidate]:
        """Hold `frame` if it is good enough; return the frames that are dropped."""
        nearest = (self._keys if frame.is_key else self._index).nearest(frame.hash)
        if nearest:
            name, distance = nearest
            if distance < self._selection.min_difference:
                return [frame.drop(f"like {name}")]

        duplicates = [held for held in self._best if self._are_alike(held, frame)]
        for held in duplicates:
            if held.worth >= frame.worth:
                return [frame.drop(f"like {held.file}")]

        self._best = [held for held in self._best if held not in duplicates]
        self._best.append(frame)
        dropped = [held.drop(f"like {frame.file}") for held in duplicates]
        return dropped + self._drop_surplus()

    def _drop_surplus(self) -> list[Candidate]:
        """Drop the worst of the held frames if the window has more than it may keep."""
        if not self._selection.window:
            return []
        limit = self._selection.per_window + SPARES
        if len(self._best) <= limit:
            return []
        held = spread_best(self._best, limit, self._min_gap)
        surplus = [frame for frame in self._best if frame not in held]
        self._best = held
        return [frame.drop(BEATEN) for frame in surplus]

    def _are_alike(self, one: Candidate, other: Candidate) -> bool:
        distance = hash_distance(one.hash, other.hash)
        return distance < self._selection.min_difference


def frame_record(frame: Candidate, source: Path, overlays: Sequence[Crop]) -> Record:
    """Return the record of a frame.

    Args:
        frame: the frame, kept or dropped.
        source: its video.
        overlays: boxes in the video's frame.
    """
    scores, crop = frame.scores, frame.crop
    boxes = [_box_in_crop(overlay, crop) for overlay in overlays]

    return {
        "source": str(source),
        "decision": DROPPED if frame.reason else KEPT,
        "reason": frame.reason,
        "file": frame.file,
        "seconds": round(frame.seconds, 6),
        "shot": frame.shot,
        "score": round(scores.total, 4),
        "sharpness": round(scores.sharpness, 4),
        "detail": round(scores.detail, 4),
        "blockiness": round(scores.blockiness, 4),
        "contrast": round(scores.contrast, 1),
        "noise": round(scores.noise, 2),
        "brightness": round(scores.brightness, 1),
        "hash": frame.hash.tobytes().hex(),
        "size": [crop.width, crop.height],
        "crop": [crop.x, crop.y, crop.width, crop.height],
        "overlays": [box for box in boxes if box],
    }


def _box_in_crop(box: Crop, crop: Crop) -> list[int]:
    """Return the part of a box inside `crop`, in the crop's pixels; [] for none."""
    if not box.touches(crop):
        return []
    left = max(box.x, crop.x)
    right = min(box.right, crop.right)
    top = max(box.y, crop.y)
    bottom = min(box.bottom, crop.bottom)
    width = right - left
    height = bottom - top
    return [left - crop.x, top - crop.y, width, height]
