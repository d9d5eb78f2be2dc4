"""Training images that are held out for validation, planned for the verdict.

What the verdict can tell depends on the number of independent units: other moments of
the clips, or other clips (`realesrgan_paddle/judging/comparison.py`). So as many are held
out as the footage can spare, and several crops of each are measured. They are chosen by
the names of the files alone.
"""

import itertools
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field, StrictInt, StrictStr
from pydantic.dataclasses import dataclass as checked_dataclass

from realesrgan_paddle.data.sets.image_list import ImageList, name_below
from realesrgan_paddle.data.sets.naming import (
    MOMENT_SECONDS,
    image_name,
    one_of_each_clip,
    seconds_of_frame,
    source_and_frame,
    source_and_frame_in,
)
from realesrgan_paddle.utils.paired import FEWEST_UNITS

UNITS = 12
"""Moments, clips or images that are held out where nothing else is asked for.

With so many the gain of five minutes was told in all of 2,000 sets of three clips
(docs/measurements.md, "What the verdict's intervals hold").
"""
LARGEST_SHARE = 3
"""At most one third of the frames is held out, with those next to them; half of them where
a third is too few for a verdict. A few less to train on cost little: eight frames of five
clips gained as much as 82 (docs/domain_gain/)."""
LARGEST_CLIP_SHARE = 5
"""Whole clips are held out if one of so many is enough of them, otherwise moments."""
FEWEST_CLIPS = 5
"""With fewer whole clips, other moments of all clips tell more."""
FEWEST = 3
"""Of at least so many frames one is held out: no run should be blind."""
UNTIMED_GAP = 20
"""In a series without times, 1 / (UNTIMED_GAP * moments) of it is left out on each side
of a moment: a tenth of the series in all."""

CROPS = 24
"""Crops that are measured, of all units together; of 256 pixels they take as long as the
eight of 512 pixels that were held out in earlier versions."""
MOST_CROPS = 4
"""Crops of one file."""
Frame = list[str]
"""The files of one image: itself, or its crops and downscaled versions."""
Clip = list[Frame]
"""The frames of a video, a series or a single image, by time."""


@dataclass(frozen=True)
class HeldOut:
    """The images that training leaves out.

    Attributes:
        excluded: ground truths to exclude from training: those of whole frames, and of
            others nearer than `MOMENT_SECONDS`, so possibly more than are validated.
        validated: those of them to validate on.
        crops: how many crops of each of these.
    """

    excluded: frozenset[Path] = frozenset()
    validated: tuple[Path, ...] = ()
    crops: int = 1


@checked_dataclass(config=ConfigDict(extra="forbid"))
class HeldOutNames:
    """The images held out of a run, by name, so that a resumed run holds out the same.

    Attributes:
        count: the option `val.hold_out` by which they were chosen.
        excluded: ground truths that are never in a batch, see `name_below`.
        validated: those of them to validate on.
        crops: how many crops of each.
    """

    count: StrictInt | None
    excluded: list[StrictStr]
    validated: list[StrictStr]
    crops: Annotated[StrictInt, Field(ge=1)]


def hold_out(
    paths: Sequence[Path], count: int | None = None, num_frame: int = 1
) -> HeldOut:
    """Return the images to validate on, and all that must be excluded with them.

    Where there are many clips, whole ones; otherwise moments of all clips, spread over
    each, without the frames next to them. The result depends on the paths only.

    Args:
        paths: the ground truths.
        count: how many crops to validate on, of as many moments as can be spared; None:
            `CROPS` of `UNITS`, or as many clips as `UNITS`.
        num_frame: frames of the clips that are trained on; 1: it is images.
    """
    if count == 0:
        return HeldOut()
    crops = count or (CROPS if num_frame == 1 else UNITS)
    wanted = min(crops, max(UNITS, crops // 2))
    clips = _clips(paths)
    units, gaps = _whole_clips(clips, wanted) or _moments(clips, wanted, num_frame - 1)

    total = sum(map(len, clips))
    if not units and total >= FEWEST:
        units, gaps = _the_end(clips[-1], num_frame)
    validated = []
    for number, unit in enumerate(units):
        share = crops * (number + 1) // len(units) - crops * number // len(units)
        files = [path for frame in unit for path in frame]
        validated += _middles(files, min(share, len(files)))

    excluded = {path for unit in (*units, gaps) for frame in unit for path in frame}
    each = 1
    if validated:
        each = max(1, min(MOST_CROPS, crops // len(validated)))
    return HeldOut(frozenset(map(Path, excluded)), tuple(map(Path, validated)), each)


def choose_held_out(
    paths: Sequence[Path],
    count: int | None,
    root: Path,
    before: HeldOutNames | None,
    num_frame: int,
) -> tuple[HeldOut, list[str]]:
    """Return what to hold out, the same images as before where they are there, and remarks.

    Chosen anew from files that have changed since, they would be other images, some of
    which were trained on.
    """
    if before is None or not before.validated:
        return hold_out(paths, count, num_frame), []
    if count is not None and count != before.count:
        remark = (
            f"val.hold_out was {before.count}: images held out now may be trained on"
        )
        return hold_out(paths, count, num_frame), [remark]

    by_name = _found(paths, {*before.excluded, *before.validated}, root)
    gone = [name for name in before.validated if name not in by_name]
    if len(gone) == len(before.validated):
        remark = (
            "none of the images validated before is there: others are held out, which may "
            "have been trained on"
        )
        return hold_out(paths, count, num_frame), [remark]

    remarks = []
    if gone:
        remarks.append(
            f"{len(gone)} of the {len(before.validated)} images validated before are gone "
            f"({gone[0]}, ...); metrics are those of the others"
        )
    known = {by_name[name] for name in before.excluded if name in by_name}
    excluded = _with_all_crops(known, paths)
    if added := len(excluded) - len(known):
        remarks.append(
            f"new crops of held-out images are not trained on, either: {added}"
        )
    validated = tuple(by_name[name] for name in before.validated if name in by_name)
    return HeldOut(excluded, validated, before.crops), remarks


def _with_all_crops(chosen: Set[Path], paths: Sequence[Path]) -> frozenset[Path]:
    """Return these paths, and those of other crops and sizes of the same frames."""
    names = {path.as_posix() for path in chosen}
    files = set(names)
    for frame in itertools.chain.from_iterable(_clips(paths)):
        if not names.isdisjoint(frame):
            files.update(frame)
    return frozenset(map(Path, files))


def _found(paths: Sequence[Path], names: Set[str], root: Path) -> dict[str, Path]:
    """Return those of the paths that have such names, by name."""
    if not isinstance(paths, ImageList):
        below = ((name_below(root, path), path) for path in paths)
        return {name: path for name, path in below if name in names}
    listed = enumerate(paths.plain_names())
    return {name: paths[number] for number, name in listed if name in names}


def path_below(root: Path, path: Path) -> str:
    """Return an image's path below `root`; its name where it lies elsewhere."""
    inside = path.is_relative_to(root)
    relative = path.relative_to(root) if inside else Path(path.name)
    return relative.as_posix()


def clips_of_names(names: Iterable[str], root: Path) -> frozenset[str]:
    """Return the clips that images are of, as the verdict names them.

    Args:
        names: of the images, below `root`.
        root: `datasets.train.dataroot_gt`.
    """
    some = one_of_each_clip(names)
    found = [image_name(Path(path_below(root, root / name))) for name in some]
    return frozenset(source_and_frame(Path(f"{name}.png"))[0] for name in found)


def _clips(paths: Sequence[Path]) -> list[Clip]:
    """Return the clips, each as its frames, all sorted by name, which is by time.

    As text: a million paths take a gigabyte.
    """
    files: Iterable[str] = (path.as_posix() for path in paths)
    if isinstance(paths, ImageList):
        folder = (paths.root / "_").as_posix()[:-1]  # "" for "."
        files = (
            name if name.startswith("/") else f"{folder}{name}"
            for name in paths.plain_names()
        )
    clips: dict[str, dict[str, Frame]] = {}
    folders: dict[str, str] = {}
    for file in sorted(set(files), key=_parts):
        folder, _, file_name = file.rpartition("/")
        if folder not in folders:
            folders[folder] = Path(file).parent.as_posix()
        clip, name = source_and_frame_in(folders[folder], _stem(file_name))
        clips.setdefault(clip, {}).setdefault(name, []).append(file)
    return [_by_time(clips[clip]) for clip in sorted(clips)]


def _by_time(frames: dict[str, Frame]) -> Clip:
    """Return the frames in the order of their numbers, also those without leading zeros."""
    return [frames[name] for name in sorted(frames, key=lambda name: (len(name), name))]


def _parts(file: str) -> str:
    """Return what orders paths as `Path` does: by folder, then by name."""
    return file.replace("/", "\0")


def _stem(name: str) -> str:
    """Return a file's name without suffix, as `Path.stem` does."""
    stem, _, suffix = name.rpartition(".")
    return stem if stem and suffix else name


def _whole_clips(clips: Sequence[Clip], wanted: int) -> tuple[list[Clip], Clip] | None:
    """Return whole clips to hold out, spread over all; None where they are too few."""
    are_images = all(len(clip) == 1 for clip in clips)
    room = _room(len(clips)) if are_images else len(clips) // LARGEST_CLIP_SHARE
    count = min(wanted, room)
    if count < (1 if are_images else FEWEST_CLIPS):
        return None

    # The smaller ones: what is left should be as much and as varied as it can be.
    chosen = []
    for part in range(count):
        start, end = (len(clips) * number // count for number in (part, part + 1))
        chosen.append(min(clips[start:end], key=len))
    return chosen, []


def _room(frames: int) -> int:
    """Return how many of so many images may be held out."""
    if frames < FEWEST:
        return 0
    few = min(FEWEST_UNITS, frames // 2)
    return max(few, frames // LARGEST_SHARE)


def _moments(clips: Sequence[Clip], wanted: int, reach: int) -> tuple[list[Clip], Clip]:
    """Return single frames of all clips to hold out, and the frames next to them.

    Of a series without times `reach` on each side, if it is long enough. Each clip keeps
    at least half of its frames.
    """
    frames = sum(map(len, clips))
    units, gaps = _moments_within(frames // LARGEST_SHARE, clips, wanted, reach)
    few = min(wanted, FEWEST_UNITS)
    if len(units) < few and frames >= FEWEST:
        units, gaps = _moments_within(frames // 2, clips, few, reach)
    return units, gaps


def _moments_within(
    room: int, clips: Sequence[Clip], wanted: int, reach: int
) -> tuple[list[Clip], Clip]:
    """Return as many moments as cost at most `room` frames, and the frames next to them."""
    counts = [0] * len(clips)
    times = [_times(clip) for clip in clips]
    plans: list[tuple[Clip, Clip]] = [([], []) for _ in clips]
    open_clips = set(range(len(clips)))
    while sum(counts) < wanted and open_clips:
        # Of the clips with the fewest moments the one with most frames.
        number = min(open_clips, key=lambda n: (counts[n], -len(clips[n]), n))
        held, gap = _spread(clips[number], times[number], counts[number] + 1, reach)
        before = sum(map(len, plans[number]))
        size = len(held) + len(gap)
        if size > len(clips[number]) // 2 or size - before > room:
            open_clips.remove(number)
            continue
        room -= size - before
        counts[number] += 1
        plans[number] = held, gap

    units = [[frame] for held, _ in plans for frame in held]
    return units, [frame for _, gap in plans for frame in gap]


def _the_end(clip: Clip, num_frame: int) -> tuple[list[Clip], Clip]:
    """Return the last frames of a clip to hold out, and those just before them.

    At least half of the frames of a clip of several stay.
    """
    most = max(1, len(clip) // 2)
    held = min(num_frame, most)
    times = _times(clip)
    is_near = times[-held] - times[:-held] < MOMENT_SECONDS
    near = min(int(is_near.sum()), most - held)
    return [clip[-held:]], clip[len(clip) - held - near : len(clip) - held]


def _times(clip: Clip) -> np.ndarray:
    """Return when the frames are shown [s]; NaN where their names do not tell."""
    times = (seconds_of_frame(_stem(frame[0].rpartition("/")[2])) for frame in clip)
    return np.array([np.nan if time is None else time for time in times])


def _spread(clip: Clip, times: np.ndarray, count: int, reach: int) -> tuple[Clip, Clip]:
    """Return `count` frames, each in the middle of an equal part, and their neighbors."""
    places = [(2 * part + 1) * len(clip) // (2 * count) for part in range(count)]
    few = max(min(reach, len(clip) // (4 * count)), len(clip) // (UNTIMED_GAP * count))
    numbers = np.arange(len(clip))

    is_near = np.zeros(len(clip), bool)
    for place in places:
        gaps = np.abs(times - times[place])
        by_number = np.abs(numbers - place) <= few
        by_time = gaps < MOMENT_SECONDS
        is_near |= np.where(np.isnan(gaps), by_number, by_time)
    is_near[places] = False

    held = [clip[place] for place in places]
    near = [clip[number] for number in np.flatnonzero(is_near)]
    return held, near


def _middles(paths: Sequence[str], count: int) -> list[str]:
    """Return `count` of the paths, each from the middle of an equal part of the list.

    From the middle, because the start would be the first crop of a frame each time.
    """
    spaced = []
    for part in range(count):
        middle = (2 * part + 1) * len(paths) // (2 * count)
        spaced.append(paths[middle])
    return spaced
