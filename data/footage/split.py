"""The split into training and validation frames, by view, by shot or by video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from realesrgan_paddle.data.sets.made_folders import TRAIN, VAL
from realesrgan_paddle.utils.cli import float_range, setting

MAX_ONLY_SHARE = 0.5
"""Share of the frames up to which one group is all of the validation.

Where every group is larger than asked for, the smallest one is taken.
"""

SCATTER = 2654435761
"""2^32 divided by the golden ratio: multiples of it are spread evenly modulo 2^32.

Knuth 1998, "The Art of Computer Programming", volume 3, section 6.4.
"""


@dataclass(frozen=True)
class SplitOptions:
    """How a set is split."""

    val_share: float = setting(
        0.0,
        "share of the frames to keep for validation: they go to OUTPUT/val, the others "
        "to OUTPUT/train; 0: no split",
        float_range(0, 0.9),
        heading="validation",
    )
    split_by: Literal["view", "shot", "source"] = setting(
        "view",
        "keep all frames of a view (what shows the same place, in all videos, mirrored "
        "too), of a shot, or of a whole video, in the same part",
    )


def earlier_parts(groups: Sequence[int], parts: Sequence[str]) -> dict[int, str]:
    """Return the parts of the groups that an earlier run has assigned.

    A group that holds frames of both parts, because a new video shows that they are of
    one view, is for training from now on: nothing that was trained on may validate.

    Args:
        groups: the group of each frame.
        parts: the part that it was in, or "".
    """
    known: dict[int, str] = {}
    for group, part in zip(groups, parts, strict=True):
        is_for_training = known.get(group) == TRAIN
        if part and not is_for_training:
            known[group] = part
    return known


def assign_parts(
    sizes: Mapping[int, int], known: Mapping[int, str], share: float
) -> dict[int, str]:
    """Return the part of each group, so that validation has about its share of frames.

    There is always a group for training, and one for validation if there are two,
    unless that takes more than `MAX_ONLY_SHARE`.

    Args:
        sizes: frames of each group.
        known: of `earlier_parts`; they stay.
        share: of the frames, for validation.
    """
    parts = dict(known)
    total = sum(sizes.values())
    in_val = sum(sizes.get(group, 0) for group in known if known[group] == VAL)
    free = {group: sizes[group] for group in sizes if group not in known}
    most = sum(free.values())
    if most == total:
        most -= max(free.values(), default=0)  # that one stays for training

    wanted = share * total - in_val
    chosen = _closest_sum(free, wanted, most)
    if not chosen and not in_val and len(sizes) > 1 and free:
        smallest = min(free, key=lambda group: (free[group], group))
        if free[smallest] <= MAX_ONLY_SHARE * total:
            chosen = {smallest}
    for group in free:
        parts[group] = VAL if group in chosen else TRAIN
    return parts


def _closest_sum(sizes: Mapping[int, int], wanted: float, most: int) -> set[int]:
    """Return the groups whose sizes add up to about `wanted`, and to at most `most`.

    Of several choices that with most groups: more different images to validate on.
    """

    def order(group: int) -> tuple[int, int]:
        """Return what groups are sorted by: the small ones first."""
        # Of groups of one size, not the first ones, which are of the first video.
        scattered = group * SCATTER % 2**32
        return sizes[group], scattered

    twice = int(2 * max(0.0, wanted))
    limit = min(most, twice + 1)
    groups = sorted(sizes, key=order)
    ordered_sizes = [sizes[group] for group in groups]
    counts = _group_counts(ordered_sizes, limit)

    is_possible = np.isfinite(counts[-1])
    sums = np.flatnonzero(is_possible)
    misses = np.abs(sums - wanted)
    left = int(sums[misses.argmin()])
    chosen = set()
    for row in range(len(groups) - 1, -1, -1):
        without, with_it = counts[row : row + 2, left]
        if with_it != without:
            chosen.add(groups[row])
            left -= ordered_sizes[row]
    return chosen


def _group_counts(sizes: Sequence[int], limit: int) -> np.ndarray:
    """Return the most groups that add up to each sum up to `limit`.

    Row n is of the first n groups; -inf where none add up to the sum.
    """
    shape = (len(sizes) + 1, limit + 1)
    counts = np.full(shape, -np.inf)
    counts[0, 0] = 0
    for row, size in enumerate(sizes):
        without = counts[row]
        counts[row + 1] = without
        if size <= limit:
            with_it = without[: limit + 1 - size] + 1
            reached = counts[row + 1, size:]
            np.maximum(reached, with_it, out=reached)
    return counts


def remark(options: SplitOptions, sizes: Mapping[int, int], val: int) -> str:
    """Return why validation has another share than was asked for; "" if it has that.

    Args:
        options: what was asked for.
        sizes: frames of each group.
        val: frames for validation.
    """
    total = sum(sizes.values())
    wanted = options.val_share * total
    kind = {"view": "view", "shot": "shot", "source": "video"}[options.split_by]
    if len(sizes) == 1 and not val:
        return f"no frame is for validation: the footage has 1 {kind}"
    if abs(val - wanted) <= max(1.0, wanted / 4):
        return ""
    return (
        f"{val / total:.0%} of the frames are for validation, not "
        f"{options.val_share:.0%}: the footage has {len(sizes)} {kind}s, the largest "
        f"with {max(sizes.values())} of {total} frames, and none is divided"
    )
