"""Training images that are held out for validation.

They are chosen once by their names and degraded once. Neighboring images of a shot look
alike, so all images of a source stay on the same side where possible: all frames of a
video (tools/extract_keyframes.py writes `match_000012.480.png`), all images of a folder
whose names differ only in their numbers, all crops and downscaled versions of an image
(`name_s001.png`, `nameT0_s001.png`).
"""

from collections.abc import Iterator, Sequence
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
from realesrgan_paddle.data.sets.naming import source_and_frame
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.options.schema.validation import HELD_OUT
from realesrgan_paddle.utils.images import read_rgb, to_uint8

LARGEST_SHARE = 10
"""At most one tenth of the images is held out, but always one of `FEWEST`."""
FEWEST = 3
"""Of at least so many images one is held out: no run should be blind."""
LARGEST_SIDE = 512
"""Validated crops have at most this side [pixels]: whole frames would take long."""
SMALLEST_SIDE = 64
"""Smaller images are not validated [pixels]: DISTS halves an image five times."""
SEED = 0
"""Seed of their degradation, whatever the run's: so the metrics of runs compare."""

Frame = list[Path]
"""The files of one image: itself, or its crops and downscaled versions."""


@dataclass(frozen=True)
class HeldOut:
    """The images that training leaves out.

    Attributes:
        excluded: ground truths to exclude from training: whole sources, so possibly
            more than are validated.
        validated: those of them to validate on.
    """

    excluded: frozenset[Path] = frozenset()
    validated: tuple[Path, ...] = ()


@checked_dataclass(config=ConfigDict(extra="forbid"))
class HeldOutNames:
    """The images held out of a run, by name, so that a resumed run holds out the same.

    Attributes:
        count: the option `val.hold_out` by which they were chosen.
        excluded: ground truths that are never in a batch, below `dataroot_gt`.
        validated: those of them to validate on.
    """

    count: StrictInt
    excluded: list[StrictStr]
    validated: list[StrictStr]


@dataclass(frozen=True)
class HeldOutSet:
    """The crops to validate on, made once and kept in memory."""

    name: str
    scale: int
    images: list[ValidationImage]

    def __iter__(self) -> Iterator[ValidationImage]:
        return iter(self.images)


ValidationSet = ValidationDataset | HeldOutSet


def hold_out(paths: Sequence[Path], count: int) -> HeldOut:
    """Return `count` images to validate on, and all that must be excluded with them.

    At most a tenth of `paths` is excluded; if that is less than one image, the last one
    of at least `FEWEST`. Sources are taken from the end of the sorted
    list: whole ones that fit into the tenth, then the last frames of the last one that
    does not fit. The result depends on the paths only.
    """
    room = len(set(paths)) // LARGEST_SHARE
    wanted = min(count, room)
    held: list[Frame] = []
    too_large: list[list[Frame]] = []
    sources = _sources(paths)
    for frames in reversed(sources):
        size = sum(map(len, frames))
        if len(held) < wanted and size <= room:
            held += frames
            room -= size
        else:
            too_large.append(frames)

    last_frames = reversed(too_large[0]) if too_large else ()
    for frame in last_frames:
        if len(held) >= wanted or len(frame) > room:
            break
        held.append(frame)
        room -= len(frame)

    if count and not held and sum(map(len, sources)) >= FEWEST:
        held = [sources[-1][-1]]
        wanted = 1

    excluded = [path for frame in sorted(held) for path in frame]
    validated = _evenly_spaced(excluded, min(wanted, len(excluded)))
    return HeldOut(frozenset(excluded), tuple(validated))


def choose_held_out(
    paths: Sequence[Path], count: int, root: Path, before: HeldOutNames | None
) -> tuple[HeldOut, list[str]]:
    """Return what to hold out, the same images as before where they are there, and remarks.

    Chosen anew from files that have changed since, they would be other images, some of
    which were trained on.
    """
    if before is None or not before.validated:
        return hold_out(paths, count), []
    if count != before.count:
        remark = (
            f"val.hold_out was {before.count}: images held out now may be trained on"
        )
        return hold_out(paths, count), [remark]

    by_name = {path_below(root, path): path for path in paths}
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
    return HeldOut(excluded, validated), remarks


def path_below(root: Path, path: Path) -> str:
    """Return an image's path below `root`; its name where it lies elsewhere."""
    inside = path.is_relative_to(root)
    relative = path.relative_to(root) if inside else Path(path.name)
    return relative.as_posix()


def open_held_out(cfg: Config, files: Sequence[Source]) -> HeldOutSet:
    """Return the crops to validate on: the center of each image.

    Crops have at most `LARGEST_SIDE` pixels a side; images below `SMALLEST_SIDE` are
    left out.

    Args:
        cfg: options of the run. Its degradation makes missing low-quality images.
        files: ground truth and low-quality image, if any, of each.

    Raises:
        UserError: an image cannot be read.
    """
    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    root = Path(cfg.datasets.train.dataroot_gt)
    images = []
    for gt_path, lq_path in files:
        lq = None
        if lq_path is None:
            gt = read_rgb(gt_path)
        else:
            gt, lq = read_pair(gt_path, lq_path, cfg.scale)
        if min(gt.shape[:2]) >= SMALLEST_SIDE:
            name = Path(path_below(root, gt_path)).with_suffix("")
            flat = "_".join(name.parts)
            images.append(_center(flat, gt, lq, options))
    return HeldOutSet(HELD_OUT, cfg.scale, images)


def _center(
    name: str, gt: np.ndarray, lq: np.ndarray | None, options: LQConfig
) -> ValidationImage:
    """Return the center crop of `gt`, and of `lq` or, without one, of `gt` degraded.

    `gt` and `lq` are float32 RGB (H, W, 3) in [0, 1].
    """
    scale = options.scale
    height, width = gt.shape[:2]
    top, bottom = _centered(height, scale)
    left, right = _centered(width, scale)

    gt = gt[top * scale : bottom * scale]
    gt = gt[:, left * scale : right * scale]
    if lq is None:
        return ValidationImage(name, make_lq(gt, name, options), to_uint8(gt))
    lq = lq[top:bottom, left:right]
    return ValidationImage(name, to_uint8(lq), to_uint8(gt))


def _centered(length: int, scale: int) -> tuple[int, int]:
    """Return start and end of the central crop of a side [low-quality pixels]."""
    whole = length // scale
    cropped = min(length, LARGEST_SIDE) // scale
    start = (whole - cropped) // 2
    return start, start + cropped


def _sources(paths: Sequence[Path]) -> list[list[Frame]]:
    """Return the sources, each as its frames, all sorted by name."""
    sources: dict[str, dict[str, Frame]] = {}
    distinct = set(paths)
    for path in sorted(distinct):
        source, name = source_and_frame(path)
        frames = sources.setdefault(source, {})
        frame = frames.setdefault(name, [])
        frame.append(path)
    by_name = [sources[name] for name in sorted(sources)]
    return [list(frames.values()) for frames in by_name]


def _evenly_spaced(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of the paths, each from the middle of an equal part of the list.

    From the middle, because the start would be the first crop of a frame each time.
    """
    spaced = []
    for part in range(count):
        middle = (2 * part + 1) * len(paths) // (2 * count)
        spaced.append(paths[middle])
    return spaced
