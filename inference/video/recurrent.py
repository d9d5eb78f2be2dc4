"""Frames through a network that carries a state from each one to the next.

It sees the frames before and after a frame, and the state that it made of those before. At
a cut all of that begins anew, so that what follows is the same as if the video began there.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from realesrgan_paddle.inference.runners.runner import Run
from realesrgan_paddle.inference.tiles import Cut
from realesrgan_paddle.inference.tiling.array_upscaler import (
    ArrayUpscaler,
    OutOfMemoryError,
)
from realesrgan_paddle.inference.tiling.plan import TilePlan
from realesrgan_paddle.inference.tiling.tile_loop import MirroredImage
from realesrgan_paddle.inference.video.frame_upscaler import FrameUpscaler
from realesrgan_paddle.inference.video.writing.segments import Segment, SegmentFolder
from realesrgan_paddle.utils.likeness import is_cut

Frame = TypeVar("Frame")


def carries_state(run: Run) -> bool:
    """Return whether what runs a network carries a state; see runner.py."""
    return hasattr(run, "num_state")


def open_frame_upscaler(
    upscaler: ArrayUpscaler, size: tuple[int, int], *, reuse: bool
) -> FrameUpscaler:
    """Return what upscales the frames of a video with the network of `upscaler`.

    Args:
        upscaler: see `FrameUpscaler`, as the others.
        size: of the results.
        reuse: what is identical is not computed again.
    """
    kind = RecurrentUpscaler if carries_state(upscaler.run) else FrameUpscaler
    return kind(upscaler, size, reuse=reuse)


def upscale_clip(
    upscaler: ArrayUpscaler, frames: Sequence[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield the frames of a clip upscaled, as those of a video.

    Args:
        upscaler: has a network that carries a state.
        frames: uint8 RGB (H, W, 3), in order.
    """
    height, width = frames[0].shape[:2]
    size = (width * upscaler.scale, height * upscaler.scale)
    upscale = open_frame_upscaler(upscaler, size, reuse=True)
    for frame, after in with_next(iter(frames)):
        yield upscale(frame, after)


class RecurrentUpscaler(FrameUpscaler):
    """Upscales the frames of a video, in order, each whole; carries the state.

    A frame that is identical to the one before changes nothing, not the state either;
    without `reuse` it does.
    """

    reach = 1

    def __init__(
        self, upscaler: ArrayUpscaler, size: tuple[int, int], *, reuse: bool
    ) -> None:
        super().__init__(upscaler, size, reuse=reuse)
        self._step = _Step(upscaler.run)
        self._whole = ArrayUpscaler(
            self._step,
            upscaler.scale,
            pre_pad=upscaler.pre_pad,
            alpha_upsampler=upscaler.alpha_upsampler,
            log=upscaler.log,
        )

    def _upscale(self, image: np.ndarray, after: np.ndarray | None) -> np.ndarray:
        before = self._before
        if before is None or is_cut(before, image):
            before, self.state = image, None
        if after is None or is_cut(image, after):
            after = image

        step = self._step
        step.state = self._zeros(image) if self.state is None else self.state
        self._whole.before_tile = self._upscaler.before_tile
        result = self._whole.to_size(image, self._size, beside=(before, after))
        self.state = step.next_state
        self.repeats.tiles_computed += 1
        return result

    def _zeros(self, image: np.ndarray) -> np.ndarray:
        """Return the state of which nothing is known."""
        seen = MirroredImage(image, self._whole.pre_pad, self._whole.multiple)
        shape = (self._step.run.num_state, seen.height, seen.width)
        return np.zeros(shape, np.float32)


class _Step:
    """One step of a network with a state, called as `ArrayUpscaler` calls a network.

    Args:
        run: a runner that has `step`.

    Attributes:
        state: before the step, (num_state, H, W).
        next_state: after it.
    """

    def __init__(self, run: Any) -> None:
        self.run = run
        self.state = self.next_state = np.zeros((0, 0, 0), np.float32)
        if hasattr(run, "exact"):
            self.exact = self._in_float32

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return (1, 3, scale * H, scale * W), not clipped.

        Args:
            images: float32 RGB in [0, 1], a frame, that before it and that after it, (1,
                9, H, W); or alpha alone, as a picture, (1, 3, H, W).

        Raises:
            OutOfMemoryError: there is no room for a whole frame.
        """
        return self._run(self.run, images)

    def _in_float32(self) -> Run:
        exact = self.run.exact()
        return lambda images: self._run(exact, images)

    def _run(self, run: Any, images: np.ndarray) -> np.ndarray:
        _, height, width = self.state.shape
        try:
            if images.shape[2:] != (height, width):
                raise MemoryError("for what is made of the network's output")
            if images.shape[1] == 3:
                return run(images)
            frame, before, after = np.split(images[0], 3)
            result, self.next_state = run.step(frame, before, after, self.state)
            return result[None]
        except MemoryError as error:
            raise OutOfMemoryError(
                f"out of memory on {width}x{height} pixels; a network that carries a state "
                "upscales whole frames, so downscale the video first, or take a network "
                "without a state"
            ) from error


def whole_frame(image: np.ndarray) -> TilePlan:
    """Return how frames like `image` are cut: not at all."""
    height, width = image.shape[:2]
    return TilePlan(Cut(height, 0, 0, 1), Cut(width, 0, 0, 1))


def with_next(frames: Iterator[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """Yield each frame, and the one after it; None after the last."""
    before = next(frames, None)
    while before is not None:
        after = next(frames, None)
        yield before, after
        before = after


def kept_with_state(
    missing: Sequence[Segment], kept: Mapping[int, Path], parts: SegmentFolder
) -> dict[int, Path]:
    """Return those of the kept frames after which a run can go on.

    In each segment these are the frames up to the last one whose state is there, if none
    of them is missing.
    """
    usable = {}
    for segment in missing:
        whole = list(takewhile(kept.__contains__, range(segment.first, segment.last)))
        while whole and not parts.has_state(whole[-1]):
            whole.pop()
        usable.update({index: kept[index] for index in whole})
    return usable


def with_those_before(
    missing: Sequence[Segment],
    segments: Sequence[Segment],
    kept: Mapping[int, Path],
    parts: SegmentFolder,
) -> list[Segment]:
    """Return the missing segments, each behind those that lead to the state it begins with.

    Args:
        missing: in order.
        segments: all that the result has.
        kept: frames of missing segments that need not be computed.
        parts: has the states.
    """
    found: list[Segment] = []
    for segment in missing:
        wanted = [segment]
        while True:
            first = wanted[0].first
            follows = first == 0 or (bool(found) and found[-1].last == first)
            if follows or first in kept or parts.has_state(first - 1):
                break
            wanted.insert(0, segments[wanted[0].number - 1])
        found += wanted
    return found
