"""Which frames are kept for validation: whole shots, or whole videos, never single frames of them."""

from dataclasses import dataclass
from typing import Literal

from realesrgan_paddle.utils.cli import float_range, setting

TRAIN, VAL = "train", "val"
"""Folders of the two parts."""


@dataclass(frozen=True)
class SplitOptions:
    """How a set is split."""

    val_share: float = setting(
        0.0,
        "share of the frames for validation: they go into OUTPUT/val, others into OUTPUT/train; 0 does not split",
        float_range(0, 0.9),
    )
    split_by: Literal["shot", "source"] = setting(
        "shot", "what is never split: a shot, or all of a video"
    )


class Split:
    """Deals groups of frames (the shots, or the videos) out to training and validation.

    The first group is trained on, the second one validated on, and from then on a group
    goes where the share is short of.

    Args:
        options: how to split.
        kept: how many frames are in the set.
        val: how many of them are for validation.
    """

    def __init__(self, options: SplitOptions, kept: int, val: int) -> None:
        self._options = options
        self._kept = kept
        self._val = val
        self._parts: dict[tuple[str, int], str] = {}

    def remember(self, part: str, source: str, shot: int) -> None:
        """Keep a group in the part where it was in an earlier run."""
        self._parts[self._group(source, shot)] = part

    def place(self, file: str, source: str, shot: int) -> str:
        """Return where a frame goes, relative to the output: "train/a.png", or "a.png" if nothing is split.

        Args:
            file: its name.
            source: the name of its video.
            shot: the number of its shot in that video.
        """
        share = self._options.val_share
        if not share:
            return file
        group = self._group(source, shot)
        if group not in self._parts:
            second = self._kept and not self._val
            self._parts[group] = (
                VAL if second or self._val + 0.5 < share * (self._kept + 1) else TRAIN
            )
        self._kept += 1
        self._val += self._parts[group] == VAL
        return f"{self._parts[group]}/{file}"

    def _group(self, source: str, shot: int) -> tuple[str, int]:
        return (source, shot if self._options.split_by == "shot" else 0)
