"""Training images that are kept back to validate on: chosen once by their names, degraded once.

Neighbours of one shot look alike, so pictures of one source stay on one side where that
can be: all frames of a video (tools/extract_keyframes.py writes
`match_000012.480.png`), all images of a folder that are numbered alike, all pieces and
smaller versions of one image (`name_s001.png`, `nameT0_s001.png`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.loading.datasets import (
    ValidationDataset,
    ValidationImage,
    read_pair,
)
from realesrgan_paddle.data.lq.folder import lq_options, make_lq
from realesrgan_paddle.options.schema.config import HELD_OUT, Config, LQConfig
from realesrgan_paddle.utils.images import read_rgb, to_uint8

LARGEST_SHARE = 10
"""At most one image in so many is held out."""
LARGEST_SIDE = (
    512  # [pixels] of the piece that is validated on: whole frames would take long
)
SMALLEST_SIDE = 64  # [pixels] LPIPS and DISTS shrink a picture four and five times
SEED = 0
"""Of the degradation, whatever the run's is: so figures of several runs compare."""

_PIECE = re.compile(r"_s\d{3,}$")  # of tools/extract_subimages.py
_SMALLER = re.compile(r"T[0-3]$")  # of tools/generate_multiscale.py
_TIME = re.compile(r"_\d{6,}\.\d{3}$")  # of tools/extract_keyframes.py
_NUMBER = re.compile(r"[-_. ]*\d+$")


@dataclass(frozen=True)
class HeldOut:
    """What training leaves out.

    Attributes:
        apart: ground truths that are not trained on: whole sources, so perhaps more
            than are validated on.
        chosen: those of them to validate on.
    """

    apart: frozenset[Path] = frozenset()
    chosen: tuple[Path, ...] = ()


@dataclass(frozen=True)
class HeldOutSet:
    """The pieces to validate on: made once, then always the same."""

    name: str
    scale: int
    images: list[ValidationImage]

    def __iter__(self) -> Iterator[ValidationImage]:
        return iter(self.images)


ValidationSet = ValidationDataset | HeldOutSet


def hold_out(paths: Sequence[Path], count: int) -> HeldOut:
    """Return `count` images to validate on, at most a tenth of `paths`, and what must not be trained on beside them.

    From the end of the sorted list: whole sources while they fit into a tenth, then the
    last frames of the last source that does not. Depends on the paths alone.
    """
    room = len(set(paths)) // LARGEST_SHARE
    wanted = min(count, room)
    held: list[list[Path]] = []  # the images of each frame
    others: list[list[list[Path]]] = []
    for frames in reversed(_sources(paths)):
        images = sum(map(len, frames))
        if len(held) < wanted and images <= room:
            held += frames
            room -= images
        else:
            others.append(frames)
    for frame in reversed(others[0]) if others else ():
        if len(held) >= wanted or len(frame) > room:
            break
        held.append(frame)
        room -= len(frame)
    apart = [path for frame in sorted(held) for path in frame]
    return HeldOut(frozenset(apart), tuple(_spread(apart, min(wanted, len(apart)))))


def origin(path: Path) -> tuple[str, str]:
    """Return what `path` is a picture of: the source (video, series, folder) and the one image of it, as keys.

    A name that one of the tools gave counts in whatever folder it lies: pieces and
    smaller versions of one image may be in two.
    """
    image = _SMALLER.sub("", _PIECE.sub("", path.stem))
    if _TIME.search(image):
        return _TIME.sub("", image), image
    series = _NUMBER.sub("", image)
    if image != path.stem:
        return series, image
    folder = path.parent.as_posix()
    return f"{folder}/{series}", f"{folder}/{image}"


def open_held_out(cfg: Config, files: Sequence[tuple[Path, Path | None]]) -> HeldOutSet:
    """Return the pieces to validate on: the middle of each image, `LARGEST_SIDE` pixels wide and high at most.

    Too small ones are left out.

    Args:
        cfg: options of the run; without a low-quality image, its degradation makes one.
        files: ground truth and low-quality image of each.

    Raises:
        UserError: an image cannot be read.
    """
    options = lq_options(cfg).model_copy(update={"manual_seed": SEED})
    root = Path(cfg.datasets.train.dataroot_gt)
    images = []
    for gt_path, lq_path in files:
        relative = (
            gt_path.relative_to(root)
            if gt_path.is_relative_to(root)
            else Path(gt_path.name)
        )
        gt, lq = (
            read_pair(gt_path, lq_path, cfg.scale)
            if lq_path
            else (read_rgb(gt_path), None)
        )
        if min(gt.shape[:2]) >= SMALLEST_SIDE:
            images.append(
                _piece("_".join(relative.with_suffix("").parts), gt, lq, options)
            )
    return HeldOutSet(HELD_OUT, cfg.scale, images)


def _piece(
    name: str, gt: np.ndarray, lq: np.ndarray | None, options: LQConfig
) -> ValidationImage:
    """Return the middle of `gt`, and of `lq` or the middle degraded; float32 (H, W, 3) RGB in [0, 1] comes in."""
    scale = options.scale
    sides = [min(length, LARGEST_SIDE) // scale for length in gt.shape[:2]]
    top, left = (
        (length // scale - side) // 2
        for length, side in zip(gt.shape[:2], sides, strict=True)
    )
    height, width = sides
    piece = gt[
        top * scale : (top + height) * scale, left * scale : (left + width) * scale
    ]
    if lq is None:
        return ValidationImage(name, make_lq(piece, name, options), to_uint8(piece))
    return ValidationImage(
        name, to_uint8(lq[top : top + height, left : left + width]), to_uint8(piece)
    )


def _sources(paths: Sequence[Path]) -> list[list[list[Path]]]:
    """Return the images of each frame of each source, all in order of their names."""
    sources: dict[str, dict[str, list[Path]]] = {}
    for path in sorted(set(paths)):
        source, frame = origin(path)
        sources.setdefault(source, {}).setdefault(frame, []).append(path)
    return [list(sources[name].values()) for name in sorted(sources)]


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of the paths, each from the middle of an equal part: not always a frame's first piece."""
    return [
        paths[(2 * number + 1) * len(paths) // (2 * count)] for number in range(count)
    ]
