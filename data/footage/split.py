"""The split into training and validation frames, by shot or by video."""

from dataclasses import dataclass
from typing import Literal

from realesrgan_paddle.data.sets.made_folders import TRAIN, VAL
from realesrgan_paddle.utils.cli import float_range, setting


@dataclass(frozen=True)
class SplitOptions:
    """How a set is split."""

    val_share: float = setting(
        0.0,
        "share of the frames to keep for validation: they go to OUTPUT/val, the others "
        "to OUTPUT/train; 0: no split",
        float_range(0, 0.9),
    )
    split_by: Literal["shot", "source"] = setting(
        "shot", "keep all frames of a shot, or of a whole video, in the same part"
    )


class Split:
    """Assigns groups of frames (the shots, or the videos) to training or validation.

    The first group is for training, the second for validation; from then on a group
    goes to validation while that has less than its share.

    Args:
        options: how to split.
        kept: how many frames are in the set already.
        val: how many of them are for validation.
    """

    def __init__(self, options: SplitOptions, kept: int, val: int) -> None:
        self._options = options
        self._kept = kept
        self._val = val
        self._parts: dict[tuple[str, int], str] = {}

    def remember(self, part: str, source: str, shot: int) -> None:
        """Keep a group in the part that an earlier run assigned it to."""
        group = self._group(source, shot)
        self._parts[group] = part

    def place(self, file: str, source: str, shot: int) -> str:
        """Return a frame's path in the set: "train/a.png", or "a.png" without a split.

        Args:
            file: name of the frame.
            source: name of its video.
            shot: number of its shot in that video.
        """
        if not self._options.val_share:
            return file
        group = self._group(source, shot)
        if group not in self._parts:
            self._parts[group] = self._next_part()

        part = self._parts[group]
        self._kept += 1
        self._val += part == VAL
        return f"{part}/{file}"

    def _next_part(self) -> str:
        """Return the part of a new group."""
        is_second_group = self._kept and not self._val
        wanted = self._options.val_share * (self._kept + 1)
        if is_second_group or self._val + 0.5 < wanted:
            return VAL
        return TRAIN

    def _group(self, source: str, shot: int) -> tuple[str, int]:
        if self._options.split_by == "shot":
            return source, shot
        return source, 0
