"""All files of a run looked at before it begins, by their headers: unreadable ones, pairs that do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.data.sets.meta_info import check_image
from realesrgan_paddle.utils.image_headers import read_checked_header
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

    @property
    def count(self) -> int:
        """How many files were looked at."""
        return len(self.sizes) + len(self.problems)


def look_at(paths: Sequence[Path], *, decode: bool = False) -> Looked:
    """Return the sizes of image files; one whose header Pillow cannot read is decoded, with `decode` all are."""
    distinct = list(dict.fromkeys(paths))
    found, problems = run_each(
        _size_of_decoded if decode else _size, distinct, threads=THREADS
    )
    return Looked(dict(found), problems)


def too_small(
    paths: Sequence[Path], sizes: dict[Path, Size], least: int, name: str
) -> list[str]:
    """Return a line for each file of which a side is shorter than `least`; `name` says what that is."""
    return [
        f"{path}: {sizes[path][0]}x{sizes[path][1]} is smaller than {name} {least}"
        for path in dict.fromkeys(paths)
        if path in sizes and min(sizes[path]) < least
    ]


def unfit_pairs(
    pairs: Sequence[tuple[Path, Path]],
    sizes: dict[Path, Size],
    scale: int,
    gt_size: int,
) -> list[str]:
    """Return a line for each pair whose ground truth is not `scale` times as large, or smaller than `gt_size`.

    Pairs with a file that is not in `sizes` are left out.
    """
    problems = []
    for gt, lq in dict.fromkeys(pairs):
        if gt not in sizes or lq not in sizes:
            continue
        (width, height), (lq_width, lq_height) = sizes[gt], sizes[lq]
        if (width, height) != (lq_width * scale, lq_height * scale):
            problems.append(
                f"{gt} is {width}x{height} but {lq} is {lq_width}x{lq_height}: not {scale} times as large"
            )
        elif min(width, height) < gt_size:
            problems.append(f"{gt}: {width}x{height} is smaller than gt_size {gt_size}")
    return problems


def _size_of_decoded(path: Path) -> tuple[Path, Size]:
    return _size(check_image(path))


def _size(path: Path) -> tuple[Path, Size]:
    header = read_checked_header(path)
    if header is not None:
        return path, (header.width, header.height)
    height, width = read_image(path).shape[:2]
    return path, (width, height)
