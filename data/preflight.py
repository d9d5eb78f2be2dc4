"""All files of a run looked at before it begins, by their headers: unreadable ones, pairs that do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.utils.image_headers import inspect
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.jobs import run_each

Size = tuple[int, int]
"""(width, height) of an upright picture [pixels]."""

THREADS = 8
"""Files looked at side by side: disks and network drives answer several questions at a time."""


@dataclass(frozen=True)
class Looked:
    """What the headers say."""

    sizes: dict[Path, Size]
    """Of the files that can be read."""
    problems: list[str]
    """One line for each other file, with the reason."""


def look_at(paths: Sequence[Path]) -> Looked:
    """Return the sizes of image files; one whose header Pillow cannot read is decoded."""
    distinct = list(dict.fromkeys(paths))
    found, problems = run_each(_size, distinct, threads=THREADS)
    return Looked(dict(found), problems)


def unfit_pairs(pairs: Sequence[tuple[Path, Path]], sizes: dict[Path, Size], scale: int, gt_size: int) -> list[str]:
    """Return a line for each pair whose ground truth is not `scale` times as large, or smaller than `gt_size`.

    Pairs with a file that is not in `sizes` are left out.
    """
    problems = []
    for gt, lq in dict.fromkeys(pairs):
        if gt not in sizes or lq not in sizes:
            continue
        (width, height), (lq_width, lq_height) = sizes[gt], sizes[lq]
        if (width, height) != (lq_width * scale, lq_height * scale):
            problems.append(f"{gt} is {width}x{height} but {lq} is {lq_width}x{lq_height}: not {scale} times as large")
        elif min(width, height) < gt_size:
            problems.append(f"{gt}: {width}x{height} is smaller than gt_size {gt_size}")
    return problems


def _size(path: Path) -> tuple[Path, Size]:
    header = inspect(path)
    if header is not None:
        return path, (header.width, header.height)
    height, width = read_image(path).shape[:2]
    return path, (width, height)
