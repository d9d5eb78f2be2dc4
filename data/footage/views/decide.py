"""Decide over all videos of a set: which copies stay, and what is for validation."""

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.split import (
    TRAIN,
    VAL,
    SplitOptions,
    assign_parts,
    earlier_parts,
    remark,
)
from realesrgan_paddle.data.footage.views.candidates import Pair, compare_all
from realesrgan_paddle.data.footage.views.copies import (
    find_copies,
    find_lesser_frames,
    partners_of,
    rank_copies,
)
from realesrgan_paddle.data.footage.views.decisions import (
    Decisions,
    read_decisions,
    write_decisions,
)
from realesrgan_paddle.data.footage.views.features import Corners
from realesrgan_paddle.data.footage.views.set_images import (
    LONG_SIDE,
    Miniatures,
    find_image,
    move_image,
    remove_image,
)
from realesrgan_paddle.data.footage.views.views import (
    find_sift_corners,
    find_views,
    keep_unseen,
)
from realesrgan_paddle.data.sets.manifest import (
    EXTRACTED,
    Record,
    all_lists,
    is_kept,
    read_records,
)
from realesrgan_paddle.utils.crops import Crop

VERSION = b"4"
"""Of the rules below; with another one, earlier decisions are made anew."""

MAX_COMPARED = 3000
"""Frames that are compared; memory grows with the square: 100 MB.

Of more, those that are last in their shots are left out: they go where their shot goes.
"""


def decide(output: Path, selection: Selection, split: SplitOptions) -> Decisions:
    """Decide over all videos of a set, note it, and move or remove images accordingly.

    Nothing is decided anew while the records of the videos are the same. Otherwise
    groups keep the part that they were in, see `earlier_parts`, and dropped copies stay
    dropped: their images are gone.

    Raises:
        UserError: the records or the decisions are damaged.
    """
    decisions = read_decisions(output)
    fingerprint = _fingerprint(output)
    frames = _kept_frames(output)
    if fingerprint != decisions.fingerprint:
        earlier, decisions = decisions, Decisions()
        wants_copies = not selection.keep_all and selection.min_difference > 0
        if frames and (wants_copies or split.val_share):
            undecided = _Undecided(output, frames, earlier, split)
            decisions = undecided.decisions(wants_copies=wants_copies)
        decisions.fingerprint = fingerprint
        write_decisions(output, decisions)

    for frame in frames:
        if frame.name in decisions.copies:
            remove_image(output, frame.name)
        else:
            move_image(output, frame.name, decisions.place(frame.name))
    return decisions


def _fingerprint(output: Path) -> str:
    """Return a SHA-256 of the records of all videos."""
    digest = hashlib.sha256(VERSION)
    for path in all_lists(output):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Frame:
    """A frame that its video alone would keep."""

    name: str
    source: str
    """The video's name in the set."""
    record: Record

    @property
    def shot(self) -> tuple[str, int]:
        """The video and the number of the shot in it."""
        return self.source, self.record["shot"]

    @property
    def overlays(self) -> list[Crop]:
        """Boxes in a miniature."""
        factor = min(1.0, LONG_SIDE / max(self.record["size"]))
        boxes = []
        for box in self.record["overlays"]:
            left, top = (int(value * factor) for value in box[:2])
            width, height = (int(value * factor) + 2 for value in box[2:])
            boxes.append(Crop(left, top, width, height))
        return boxes


def _kept_frames(output: Path) -> list[_Frame]:
    """Return the frames that the videos alone would keep, video by video."""
    frames = []
    for path in all_lists(output):
        source = path.name.partition(".jsonl")[0]
        for record in filter(is_kept, read_records(path, EXTRACTED)):
            frames.append(_Frame(Path(record["file"]).name, source, record))
    return frames


class _Undecided:
    """A set that is to be decided on.

    Args:
        output: its folder.
        frames: all frames that the videos alone would keep; at least one.
        earlier: what was decided before videos were added.
        split: how it is split.
    """

    def __init__(
        self,
        output: Path,
        frames: list[_Frame],
        earlier: Decisions,
        split: SplitOptions,
    ) -> None:
        self._output = output
        self._frames = frames
        self._earlier = earlier
        self._split = split
        self._small = Miniatures(output)
        self._compared = _compared(frames, self._small)

    def decisions(self, *, wants_copies: bool) -> Decisions:
        """Return the decisions."""
        shots = [frame.shot for frame in self._compared]
        comparisons = compare_all(len(self._compared), self._miniature, self._overlays)
        pairs: list[Pair] = []
        if wants_copies:
            pairs = find_copies(comparisons, shots, self._miniature)
        views = find_views(comparisons, shots, pairs)
        copies = _worse_copies(self._output, self._compared, pairs, self._earlier)

        if self._split.val_share and self._split.split_by == "view":
            parts_of = partial(self._parts_of, copies)
            views = keep_unseen(views, comparisons, parts_of, self._sift_corners)
        return self._with_views(copies, views)

    def _miniature(self, number: int) -> np.ndarray:
        return self._small.read(self._compared[number].name)

    def _overlays(self, number: int) -> list[Crop]:
        return self._compared[number].overlays

    def _sift_corners(self, number: int) -> Corners:
        return find_sift_corners(self._miniature(number), self._overlays(number))

    def _parts_of(self, copies: dict[str, str], views: Sequence[int]) -> list[str]:
        """Return the part of each compared frame, or "", for given views."""
        parts = self._with_views(copies, views).parts
        return [parts.get(frame.name, "") for frame in self._compared]

    def _with_views(self, copies: dict[str, str], views: Sequence[int]) -> Decisions:
        """Return the decisions that copies and the views of compared frames lead to."""
        groups = _groups(self._frames, self._compared, views, self._split)
        decisions = Decisions(copies=copies, views=groups)
        if not self._split.val_share:
            return decisions

        known = earlier_parts(
            [groups[frame.name] for frame in self._frames],
            [_earlier_part(frame, self._earlier) for frame in self._frames],
        )
        kept = [frame.name for frame in self._frames if frame.name not in copies]
        sizes = Counter(groups[name] for name in kept)
        assigned = assign_parts(sizes, known, self._split.val_share)
        decisions.parts = {name: assigned[groups[name]] for name in kept}
        val = list(decisions.parts.values()).count(VAL)
        decisions.remark = remark(self._split, sizes, val)
        return decisions


def _compared(frames: list[_Frame], small: Miniatures) -> list[_Frame]:
    """Return the frames that are compared: at most `MAX_COMPARED`, of all shots."""
    readable = [frame for frame in frames if small.make(frame.name)]
    if len(readable) <= MAX_COMPARED:
        return readable
    seen: Counter[tuple[str, int]] = Counter()
    ranks = []
    for number, frame in enumerate(readable):
        ranks.append((seen[frame.shot], number))
        seen[frame.shot] += 1
    first = sorted(ranks)[:MAX_COMPARED]
    return [readable[number] for _, number in sorted(first, key=lambda rank: rank[1])]


def _groups(
    frames: list[_Frame],
    compared: list[_Frame],
    views: Sequence[int],
    split: SplitOptions,
) -> dict[str, int]:
    """Return the number of the group of each frame, by its name, counted from 0.

    Args:
        frames: all frames.
        compared: those that were compared.
        views: the view of each of these.
        split: what the groups are.
    """
    by_shot: dict[Hashable, Hashable] = {}
    for frame, view in zip(compared, views, strict=True):
        by_shot[frame.shot] = view

    numbers: dict[Hashable, int] = {}
    groups = {}
    for frame in frames:
        group: Hashable = frame.shot
        if split.split_by == "view":
            group = by_shot.get(frame.shot, frame.shot)
        elif split.split_by == "source":
            group = frame.source
        groups[frame.name] = numbers.setdefault(group, len(numbers))
    return groups


def _worse_copies(
    output: Path, frames: list[_Frame], pairs: Sequence[Pair], earlier: Decisions
) -> dict[str, str]:
    """Return the better copy of each frame that is dropped, by their names.

    The best frames are decided on first; each that is a copy of a kept one is dropped, and
    of two videos of one recording the frames of the lesser one.
    """
    copies: dict[str, str] = {}
    names = {frame.name for frame in frames}
    for worse, better in earlier.copies.items():
        if {worse, better} <= names and find_image(output, worse) is None:
            copies[worse] = better

    partners = partners_of(pairs)
    ranks = rank_copies([frame.record for frame in frames], partners)
    sources = [frame.source for frame in frames]
    seconds = [frame.record["seconds"] for frame in frames]
    for number, copy in find_lesser_frames(sources, seconds, pairs, ranks).items():
        if frames[copy].name not in copies:
            copies.setdefault(frames[number].name, frames[copy].name)

    kept: set[int] = set()
    for _, _, number in sorted(ranks):
        name = frames[number].name
        if name in copies:
            continue
        better_ones = kept.intersection(partners.get(number, []))
        if better_ones:
            best = min(better_ones, key=ranks.__getitem__)
            copies[name] = frames[best].name
        else:
            kept.add(number)
    return copies


def _earlier_part(frame: _Frame, earlier: Decisions) -> str:
    """Return the part that a frame was in, or ""."""
    part = earlier.parts.get(frame.name, "")
    # Older versions noted it in the path of the file.
    folder = Path(frame.record["file"]).parent.name
    return part or (folder if folder in (TRAIN, VAL) else "")
