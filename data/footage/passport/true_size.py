"""The size that the frames of a source had before somebody enlarged them."""

from contextlib import closing
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.data.footage.passport.enlargement import (
    Enlargement,
    Kind,
    find_enlargement,
)
from realesrgan_paddle.data.footage.passport.resampling import GRID, Trace, bandwidth
from realesrgan_paddle.data.footage.screen.borders import content_box
from realesrgan_paddle.data.footage.video import Sampling, SourceVideo, frames
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.images import Size

MAX_FRAMES = 8
"""Frames of a source that are looked at; from 8 on the answers hardly change."""

MIN_SIDE = 192
"""Shorter axes have too few bins to tell one factor from another."""

BAR_EDGE = 4
"""Pixels inside black bars that are left out: the edge does not move."""


@dataclass(frozen=True)
class TrueSize:
    """What a source was enlarged from."""

    width: int
    height: int
    factor_x: float
    factor_y: float
    how: Kind

    def __str__(self) -> str:
        factor = f"x{self.factor_x:.3g}"
        if self.factor_x != self.factor_y:
            factor = f"{factor} across, x{self.factor_y:.3g} down"
        return f"enlarged {factor} from {self.width}x{self.height} ({self.how})"

    def size_of(self, width: int, height: int) -> Size:
        """Return the size at which a part of a frame is not enlarged, in its shape.

        Both sides shrink by the larger factor, so nothing is distorted.
        """
        factor = max(self.factor_x, self.factor_y)
        true_width = round(width / factor)
        true_height = round(height / factor)
        return max(1, true_width), max(1, true_height)


class TrueSizeFinder:
    """Looks at a few frames of a source; memory does not grow with their number.

    Args:
        every_frame: look at the first frames, and not at fewer the later they come.
    """

    def __init__(self, *, every_frame: bool = False) -> None:
        self._every_frame = every_frame
        self._size: Size | None = None
        self._offered = 0
        self._taken = 0
        self._across = Trace(GRID)
        self._down = Trace(GRID)

    def add(self, luma: np.ndarray, content: Crop) -> None:
        """Look at a frame if it is its turn; one of another size is passed over.

        Args:
            luma: uint8 (H, W).
            content: its part inside the black bars.
        """
        height, width = luma.shape
        if self._size is None:
            self._size = (width, height)
            self._across = Trace(max(width // GRID, 1) * GRID)
            self._down = Trace(max(height // GRID, 1) * GRID)
        if self._size != (width, height) or min(width, height) < MIN_SIDE:
            return

        if not self._is_its_turn():
            return
        inside = _without_bars(luma, content)
        self._across.add(inside)
        self._down.add(np.ascontiguousarray(inside.T))

    def _is_its_turn(self) -> bool:
        """Return whether the next frame is looked at: the 1st, 2nd, 4th, 7th, ..."""
        turn = self._taken * (self._taken + 1) // 2
        is_turn = self._every_frame or self._offered >= turn
        self._offered += 1
        if not is_turn or self._taken == MAX_FRAMES:
            return False
        self._taken += 1
        return True

    @property
    def is_full(self) -> bool:
        """Whether no more frames are looked at."""
        return self._taken == MAX_FRAMES

    def find(self) -> TrueSize | None:
        """Return what the source was enlarged from; None if nothing tells of it."""
        found = find_enlargement(self._across, self._down)
        if found is None or self._size is None:
            return None
        return _true_size(found, self._size)

    def bandwidth(self) -> tuple[float, float] | None:
        """Return where detail ends across and down [cycles/pixel]; None: no texture."""
        if not self._across.frames or not self._down.frames:
            return None
        return bandwidth(self._across), bandwidth(self._down)


def _without_bars(luma: np.ndarray, content: Crop) -> np.ndarray:
    """Return float32 (H, W): black bars and their edges are made flat."""
    height, width = luma.shape
    whole = luma.astype(np.float32)
    if content == Crop(0, 0, width, height):
        return whole

    top = content.y + BAR_EDGE if content.y else 0
    left = content.x + BAR_EDGE if content.x else 0
    bottom, right = height, width
    if content.bottom < height:
        bottom = content.bottom - BAR_EDGE
    if content.right < width:
        right = content.right - BAR_EDGE
    inside = whole[top:bottom, left:right]
    if not inside.size:
        return whole
    above_below = (top, height - bottom)
    left_right = (left, width - right)
    return np.pad(inside, (above_below, left_right), mode="edge")


def _true_size(found: Enlargement, size: Size) -> TrueSize:
    across, down, kind = found
    width, height = size
    true_width = round(width / across)
    true_height = round(height / down)
    return TrueSize(true_width, true_height, across, down, kind)


def find_true_size(video: SourceVideo, sampling: Sampling) -> TrueSize | None:
    """Return what a video was enlarged from, as its first 29 frames tell.

    They are the ones that `TrueSizeFinder` would look at while all are extracted.

    Args:
        video: the video.
        sampling: which frames will be extracted.

    Raises:
        UserError: as `frames` does.
    """
    finder = TrueSizeFinder()
    with closing(frames(video.path, video.info, sampling, video.order)) as decoded:
        for frame in decoded:
            luma = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
            finder.add(luma, content_box(luma))
            if finder.is_full:
                break
    return finder.find()


def at_true_size(image: np.ndarray, true_size: TrueSize) -> np.ndarray:
    """Return a frame, uint8 RGB (H, W, 3), at its true size, by antialiased Lanczos."""
    height, width = image.shape[:2]
    size = true_size.size_of(width, height)
    full = Image.fromarray(image)
    small = full.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small)
