"""Training images that are held out for validation, planned for the verdict.

What the verdict can tell depends on the number of independent units: other moments of
the clips, or other clips (`realesrgan_paddle/judging/comparison.py`). So as many are held
out as the footage can spare, and several crops of each are measured. They are chosen by
the names of the files alone, and their degradation is drawn once.
"""

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ConfigDict, StrictInt, StrictStr
from pydantic.dataclasses import dataclass as checked_dataclass

from realesrgan_paddle.data.loading.datasets import (
    Source,
    ValidationDataset,
    ValidationImage,
    read_pair,
)
from realesrgan_paddle.data.lq.folder import lq_options, make_lq
from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.data.sets.naming import (
    MOMENT_SECONDS,
    image_name,
    seconds_of_frame,
    source_and_frame,
)
from realesrgan_paddle.data.sets.sources import read_samples
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.options.schema.validation import HELD_OUT
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.images import eight_bits, to_float
from realesrgan_paddle.utils.paired import FEWEST_UNITS

UNITS = 12
"""Moments, clips or images that are held out where nothing else is asked for.

With so many the gain of five minutes was told in all of 2,000 sets of three clips
(docs/measurements.md, "What the verdict's intervals hold").
"""
LARGEST_SHARE = 3
"""At most one third of the frames is held out; half of them where a third is too few for a
verdict. A few less to train on cost little: eight frames of five clips gained as much as
82 (docs/domain_gain/)."""
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
SIDE = 256
"""Of a crop [pixels]."""
LARGEST_SIDE = 512
"""The center crops of earlier versions have at most this side [pixels]."""
SMALLEST_SIDE = 64
"""Smaller images are not validated [pixels]: DISTS halves an image five times."""
SEED = 0
"""Seed of their degradation, whatever the run's: so the metrics of runs compare."""

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
        crops: how many crops of each of these; 0: its center, as in earlier versions.
    """

    excluded: frozenset[Path] = frozenset()
    validated: tuple[Path, ...] = ()
    crops: int = 1


@checked_dataclass(config=ConfigDict(extra="forbid"))
class HeldOutNames:
    """The images held out of a run, by name, so that a resumed run holds out the same.

    Attributes:
        count: the option `val.hold_out` by which they were chosen.
        excluded: ground truths that are never in a batch, below `dataroot_gt`.
        validated: those of them to validate on.
        crops: how many crops of each; 0, as in states of earlier versions: its center.
    """

    count: StrictInt | None
    excluded: list[StrictStr]
    validated: list[StrictStr]
    crops: StrictInt = 0


@dataclass(frozen=True)
class HeldOutSet:
    """The crops to validate on, made once and kept in memory."""

    name: str
    scale: int
    images: list[ValidationImage]

    def __iter__(self) -> Iterator[ValidationImage]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)


ValidationSet = ValidationDataset | HeldOutSet


def hold_out(paths: Sequence[Path], count: int | None = None) -> HeldOut:
    """Return the images to validate on, and all that must be excluded with them.

    Where there are many clips, whole ones; otherwise moments of all clips, spread over
    each, without the frames next to them. The result depends on the paths only.

    Args:
        paths: the ground truths.
        count: how many crops to validate on, of as many moments as can be spared; None:
            `CROPS` of `UNITS`.
    """
    if count == 0:
        return HeldOut()
    crops = count or CROPS
    wanted = min(crops, max(UNITS, crops // 2))
    clips = _clips(paths)
    units, gaps = _whole_clips(clips, wanted) or _moments(clips, wanted)

    total = sum(map(len, clips))
    if not units and total >= FEWEST:
        units = [[clips[-1][-1]]]
    validated = []
    for number, unit in enumerate(units):
        share = crops * (number + 1) // len(units) - crops * number // len(units)
        files = [path for frame in unit for path in frame]
        validated += _evenly_spaced(files, min(share, len(files)))

    excluded = {path for unit in (*units, gaps) for frame in unit for path in frame}
    each = 1
    if validated:
        each = max(1, min(MOST_CROPS, crops // len(validated)))
    return HeldOut(frozenset(map(Path, excluded)), tuple(map(Path, validated)), each)


def choose_held_out(
    paths: Sequence[Path], count: int | None, root: Path, before: HeldOutNames | None
) -> tuple[HeldOut, list[str]]:
    """Return what to hold out, the same images as before where they are there, and remarks.

    Chosen anew from files that have changed since, they would be other images, some of
    which were trained on.
    """
    if before is None or not before.validated:
        return hold_out(paths, count), []
    if count is not None and count != before.count:
        remark = (
            f"val.hold_out was {before.count}: images held out now may be trained on"
        )
        return hold_out(paths, count), [remark]

    by_name = _found(paths, {*before.excluded, *before.validated}, root)
    gone = [name for name in before.validated if name not in by_name]
    if len(gone) == len(before.validated):
        remark = (
            "none of the images validated before is there: others are held out, which may "
            "have been trained on"
        )
        return hold_out(paths, count), [remark]

    remarks = []
    if gone:
        remarks.append(
            f"{len(gone)} of the {len(before.validated)} images validated before are gone "
            f"({gone[0]}, ...); metrics are those of the others"
        )
    excluded = frozenset(by_name[name] for name in before.excluded if name in by_name)
    validated = tuple(by_name[name] for name in before.validated if name in by_name)
    return HeldOut(excluded, validated, before.crops), remarks


def _found(paths: Sequence[Path], names: Set[str], root: Path) -> dict[str, Path]:
    """Return those of the paths that have such names, by name."""
    if not isinstance(paths, ImageList):
        below = ((path_below(root, path), path) for path in paths)
        return {name: path for name, path in below if name in names}
    found = {}
    for number, name in enumerate(paths.names()):
        if not name[:1].isalnum():  # such as "./a.png" or "/data/a.png"
            name = path_below(root, root / name)
        if name in names:
            found[name] = paths[number]
    return found


def path_below(root: Path, path: Path) -> str:
    """Return an image's path below `root`; its name where it lies elsewhere."""
    inside = path.is_relative_to(root)
    relative = path.relative_to(root) if inside else Path(path.name)
    return relative.as_posix()


def open_held_out(cfg: Config, files: Sequence[Source], crops: int) -> HeldOutSet:
    """Return the crops to validate on: the most detailed ones of each image.

    Images below `SMALLEST_SIDE` are left out.

    Args:
        cfg: options of the run. Its degradation makes missing low-quality images.
        files: ground truth and low-quality image, if any, of each.
        crops: of each; 0: its center of up to `LARGEST_SIDE` pixels.

    Raises:
        UserError: an image cannot be read.
    """
    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    root = Path(cfg.datasets.train.dataroot_gt)
    images = []
    for gt_path, lq_path in files:
        lq = None
        if lq_path is None:
            gt = read_samples(gt_path)
        else:
            gt, lq = read_pair(gt_path, lq_path, cfg.scale)
        if min(gt.shape[:2]) < SMALLEST_SIDE:
            continue

        name = image_name(Path(path_below(root, gt_path)))
        chosen = _chosen_crops(gt, crops, cfg.scale)
        for number, crop in enumerate(chosen, start=1):
            crop_name = f"{name}_s{number:03d}" if len(chosen) > 1 else name
            images.append(_cut(crop_name, gt, lq, crop, options))
    return HeldOutSet(HELD_OUT, cfg.scale, images)


def _chosen_crops(gt: np.ndarray, count: int, scale: int) -> list[Crop]:
    """Return the most detailed crops of `gt` [low-quality pixels]; 0: the center."""
    height, width = (side // scale for side in gt.shape[:2])
    if count == 0:
        size = LARGEST_SIDE // scale
        crop_height, crop_width = min(height, size), min(width, size)
        top, left = (height - crop_height) // 2, (width - crop_width) // 2
        return [Crop(left, top, crop_width, crop_height)]

    # On the grid of low-quality pixels, over which detail is averaged.
    image = eight_bits(gt[: height * scale, : width * scale])
    found = most_detailed(image, SIDE // scale * scale, count)
    crops = []
    for crop in found:
        corner = crop.x // scale, crop.y // scale
        crops.append(Crop(*corner, crop.width // scale, crop.height // scale))
    return crops


def _cut(
    name: str, gt: np.ndarray, lq: np.ndarray | None, crop: Crop, options: LQConfig
) -> ValidationImage:
    """Return a crop of `gt`, and of `lq` or, without one, of `gt` degraded.

    `gt` and `lq` are RGB (H, W, 3) as `read_samples`.
    """
    gt = crop.of(gt, options.scale)
    if lq is None:
        lq = make_lq(to_float(gt), name, options)
    else:
        lq = eight_bits(crop.of(lq))
    return ValidationImage(name, lq, eight_bits(gt))


def _clips(paths: Sequence[Path]) -> list[Clip]:
    """Return the clips, each as its frames, all sorted by name, which is by time.

    As text: a million paths take a gigabyte.
    """
    files: Iterable[str] = map(str, paths)
    if isinstance(paths, ImageList):
        root = paths.root
        files = (
            f"{root}/{name}" if name[:1].isalnum() else str(root / name)
            for name in paths.names()
        )
    clips: dict[str, dict[str, Frame]] = {}
    for file in sorted(set(files), key=_parts):
        clip, name = source_and_frame(Path(file))
        clips.setdefault(clip, {}).setdefault(name, []).append(file)
    return [list(clips[clip].values()) for clip in sorted(clips)]


def _parts(file: str) -> str:
    """Return what orders paths as `Path` does: by folder, then by name."""
    return file.replace(os.sep, "\0").replace("/", "\0")


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
    """Return how many of so many frames may be held out."""
    if frames < FEWEST:
        return 0
    few = min(FEWEST_UNITS, frames // 2)
    return max(few, frames // LARGEST_SHARE)


def _moments(clips: Sequence[Clip], wanted: int) -> tuple[list[Clip], Clip]:
    """Return single frames of all clips to hold out, and the frames next to them.

    Each clip keeps at least half of its frames.
    """
    room = _room(sum(map(len, clips)))
    counts = [0] * len(clips)
    times = [_times(clip) for clip in clips]
    plans: list[tuple[Clip, Clip]] = [([], []) for _ in clips]
    open_clips = set(range(len(clips)))
    while sum(counts) < wanted and open_clips:
        # Of the clips with the fewest moments the one with most frames.
        number = min(open_clips, key=lambda n: (counts[n], -len(clips[n]), n))
        held, gap = _spread(clips[number], times[number], counts[number] + 1)
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


def _times(clip: Clip) -> np.ndarray:
    """Return when the frames are shown [s]; NaN where their names do not tell."""
    times = (seconds_of_frame(Path(frame[0]).stem) for frame in clip)
    return np.array([np.nan if time is None else time for time in times])


def _spread(clip: Clip, times: np.ndarray, count: int) -> tuple[Clip, Clip]:
    """Return `count` frames, each in the middle of an equal part, and their neighbors."""
    places = [(2 * part + 1) * len(clip) // (2 * count) for part in range(count)]
    few = len(clip) // (UNTIMED_GAP * count)
    numbers = np.arange(len(clip))
    is_near = np.zeros(len(clip), bool)
    for place in places:
        gaps = np.abs(times - times[place])
        by_number = np.abs(numbers - place) <= few
        is_near |= np.where(np.isnan(gaps), by_number, gaps < MOMENT_SECONDS)
    is_near[places] = False
    near = [clip[number] for number in np.flatnonzero(is_near)]
    return [clip[place] for place in places], near


def _evenly_spaced(paths: Sequence[str], count: int) -> list[str]:
    """Return `count` of the paths, each from the middle of an equal part of the list.

    From the middle, because the start would be the first crop of a frame each time.
    """
    spaced = []
    for part in range(count):
        middle = (2 * part + 1) * len(paths) // (2 * count)
        spaced.append(paths[middle])
    return spaced
