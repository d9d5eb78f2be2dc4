"""The frames of several clips of the same footage, taken together and checked."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.temporal.steps import Frame

GT, LQ = "ground truth", "input"
"""Names of the two clips that the others are measured with."""

Moment = Mapping[str, Frame]
"""The frames of one time, by the clips' names."""


def moments(clips: Mapping[str, Iterable[Frame]]) -> Iterator[Moment]:
    """Yield the frames of all clips, one of each at a time.

    Raises:
        UserError: a frame is not uint8 RGB (H, W, 3), its size differs from that of its
            clip's first frame or, except for the input, of the other clips, or a clip
            ends before another.
    """
    sizes: dict[str, str] = {}
    for frames in _in_step(clips):
        for name, frame in frames.items():
            size = _size(name, frame)
            if sizes.setdefault(name, size) != size:
                raise UserError(
                    f"{name}: has frames of {sizes[name]} and of {size} pixels; "
                    "steadiness is measured between frames of one size"
                )
        _check_equal_sizes(sizes)
        yield frames


def _in_step(clips: Mapping[str, Iterable[Frame]]) -> Iterator[Moment]:
    """Yield a frame of each clip; UserError if one ends before another."""
    iterators = {name: iter(clip) for name, clip in clips.items()}
    for number in count():
        frames = {}
        for name, iterator in iterators.items():
            frame = next(iterator, None)
            if frame is not None:
                frames[name] = frame

        if not frames:
            return
        ended = [name for name in clips if name not in frames]
        if ended:
            raise UserError(
                f"{ended[0]}: ends after {number} frames, but {next(iter(frames))} goes "
                "on; compare clips of the same frames"
            )
        yield frames


def _check_equal_sizes(sizes: Mapping[str, str]) -> None:
    """Raise a UserError if clips other than the input differ in size."""
    compared = [name for name in sizes if name != LQ]
    first = compared[0]
    for name in compared:
        if sizes[name] != sizes[first]:
            raise UserError(
                f"{name}: has {sizes[name]} pixels, but {first} has {sizes[first]}; "
                "compare clips of one size"
            )


def _size(name: str, frame: Frame) -> str:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UserError(
            f"{name}: steadiness is measured on 8-bit RGB frames, not on {frame.dtype} "
            f"of shape {frame.shape}"
        )
    return f"{frame.shape[1]}x{frame.shape[0]}"
