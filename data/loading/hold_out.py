"""Training images that are held out for validation, planned for the verdict.

What the verdict can tell depends on the number of independent units: other moments of
the clips, or other clips (`realesrgan_paddle/judging/comparison.py`). So as many are held
out as the footage can spare, and several crops of each are measured. They are chosen by
the names of the files alone, and their degradation is drawn once.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import ConfigDict, StrictInt, StrictStr
from pydantic.dataclasses import dataclass as checked_dataclass

from realesrgan_paddle.data.loading.clips import clip_around, read_frames, runs_of
from realesrgan_paddle.data.loading.datasets import (
    Source,
    ValidationDataset,
    ValidationImage,
    read_pair,
)
from realesrgan_paddle.data.lq.folder import lq_options, make_lq_clip
from realesrgan_paddle.data.sets.naming import (
    MOMENT_SECONDS,
    image_name,
    seconds_of_frame,
    source_and_frame,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.options.schema.validation import HELD_OUT
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.images import eight_bits, read_samples, to_float
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
CLIP_FRAMES = 8
"""Frames of a clip that is validated, at most: a choice, because each of them is measured."""
SEED = 0
"""Seed of their degradation, whatever the run's: so the metrics of runs compare."""

Frame = list[Path]
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
        units = [clips[-1][-num_frame:]]
    validated = []
    for number, unit in enumerate(units):
        share = crops * (number + 1) // len(units) - crops * number // len(units)
        files = [path for frame in unit for path in frame]
        validated += _evenly_spaced(files, min(share, len(files)))

    excluded = [path for unit in (*units, gaps) for frame in unit for path in frame]
    each = 1
    if validated:
        each = max(1, min(MOST_CROPS, crops // len(validated)))
    return HeldOut(frozenset(excluded), tuple(validated), each)


def choose_held_out(
    paths: Sequence[Path],
    count: int | None,
    root: Path,
    before: HeldOutNames | None,
    num_frame: int = 1,
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

    by_name = {path_below(root, path): path for path in paths}
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
    excluded = frozenset(by_name[name] for name in before.excluded if name in by_name)
    validated = tuple(by_name[name] for name in before.validated if name in by_name)
    return HeldOut(excluded, validated, before.crops), remarks


def path_below(root: Path, path: Path) -> str:
    """Return an image's path below `root`; its name where it lies elsewhere."""
    inside = path.is_relative_to(root)
    relative = path.relative_to(root) if inside else Path(path.name)
    return relative.as_posix()


def open_held_out(
    cfg: Config, files: Sequence[Source], crops: int, excluded: Collection[Path] = ()
) -> HeldOutSet:
    """Return the crops to validate on: the most detailed ones of each image.

    Or of the clip around each, once, in training on clips. Images below `SMALLEST_SIDE`
    are left out.

    Args:
        cfg: options of the run. Its degradation makes missing low-quality images.
        files: ground truth and low-quality image, if any, of each.
        crops: of each; 0: its center of up to `LARGEST_SIDE` pixels.
        excluded: what is not trained on, of which the clips are.

    Raises:
        UserError: an image cannot be read.
    """
    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    root = Path(cfg.datasets.train.dataroot_gt)
    runs = runs_of([*excluded]) if cfg.datasets.train.num_frame > 1 else []
    around: set[Path] = set()
    images = []
    for gt_path, lq_path in files:
        if gt_path in around:
            continue
        clip: list[np.ndarray] = []
        if runs:
            clip_paths = clip_around(gt_path, runs, CLIP_FRAMES)
            clip = read_frames(clip_paths)
            around.update(clip_paths)
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
            frames = clip or [gt]
            images.append(_cut(crop_name, frames, lq, crop, options))
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
    name: str,
    frames: Sequence[np.ndarray],
    lq: np.ndarray | None,
    crop: Crop,
    options: LQConfig,
) -> ValidationImage:
    """Return a crop of an image, or of the last of the `frames` of a clip.

    And of `lq` or, without one, of the frames degraded as one. All RGB (H, W, 3) as
    `read_samples`.
    """
    gt = np.stack([crop.of(frame, options.scale) for frame in frames])
    if lq is None:
        small = make_lq_clip(to_float(gt), name, options)
    else:
        small = eight_bits(crop.of(lq))[None]
    *before, last = map(partial(ValidationImage, name), small, eight_bits(gt))
    return replace(last, before=tuple(before))


def _clips(paths: Sequence[Path]) -> list[Clip]:
    """Return the clips, each as its frames, all sorted by name, which is by time."""
    clips: dict[str, dict[str, Frame]] = {}
    for path in sorted(set(paths)):
        clip, name = source_and_frame(path)
        clips.setdefault(clip, {}).setdefault(name, []).append(path)
    return [list(clips[clip].values()) for clip in sorted(clips)]


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


def _moments(clips: Sequence[Clip], wanted: int, reach: int) -> tuple[list[Clip], Clip]:
    """Return single frames of all clips to hold out, and the frames next to them.

    Of a series without times `reach` on each side, if it is long enough. Each clip keeps
    at least half of its frames.
    """
    room = _room(sum(map(len, clips)))
    counts = [0] * len(clips)
    plans: list[tuple[Clip, Clip]] = [([], []) for _ in clips]
    open_clips = set(range(len(clips)))
    while sum(counts) < wanted and open_clips:
        # Of the clips with the fewest moments the one with most frames.
        number = min(open_clips, key=lambda n: (counts[n], -len(clips[n]), n))
        held, gap = _spread(clips[number], counts[number] + 1, reach)
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


def _spread(clip: Clip, count: int, reach: int) -> tuple[Clip, Clip]:
    """Return `count` frames, each in the middle of an equal part, and their neighbors."""
    places = [(2 * part + 1) * len(clip) // (2 * count) for part in range(count)]
    times = [seconds_of_frame(frame[0].stem) for frame in clip]
    few = max(min(reach, len(clip) // (4 * count)), len(clip) // (UNTIMED_GAP * count))
    gap = []
    for number, frame in enumerate(clip):
        if number in places:
            continue
        for place in places:
            time, middle = times[number], times[place]
            if time is None or middle is None:
                is_near = abs(number - place) <= few
            else:
                is_near = abs(time - middle) < MOMENT_SECONDS
            if is_near:
                gap.append(frame)
                break
    return [clip[place] for place in places], gap


def _evenly_spaced(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of the paths, each from the middle of an equal part of the list.

    From the middle, because the start would be the first crop of a frame each time.
    """
    spaced = []
    for part in range(count):
        middle = (2 * part + 1) * len(paths) // (2 * count)
        spaced.append(paths[middle])
    return spaced
