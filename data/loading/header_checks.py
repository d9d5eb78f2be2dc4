"""Check image files by their headers: unreadable files, sizes that do not fit.

Used before training, and by tools/preflight.py, to report every problem at once. A file
may still change, or be damaged behind its header; so data/loading/datasets.py checks
again whatever it reads, and data/loading/loader.py replaces images that turn out bad.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.data.sets.meta_info import check_image
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.jobs import run_each

Size = tuple[int, int]
"""(width, height) of an image after its EXIF rotation [pixels]."""

THREADS = 8
"""Files read at a time: disks and network drives serve several requests in parallel."""


@dataclass(frozen=True)
class HeaderReport:
    """The sizes of image files, and the problems of those that cannot be read."""

    sizes: dict[Path, Size]
    """Sizes of the readable files."""
    problems: list[str]
    """One line for each other file, with the reason."""

    @property
    def count(self) -> int:
        """Number of files that were checked."""
        return len(self.sizes) + len(self.problems)


def check_headers(paths: Sequence[Path], *, decode: bool = False) -> HeaderReport:
    """Return the sizes of image files and the problems of unreadable ones.

    Args:
        paths: files; repeated ones are checked once.
        decode: decode every image, which also finds damage behind the header.
    """
    distinct = list(dict.fromkeys(paths))
    read = _size_of_decoded if decode else _size
    found, problems = run_each(read, distinct, threads=THREADS)
    return HeaderReport(dict(found), problems)


def too_small(
    paths: Sequence[Path], sizes: dict[Path, Size], least: int, name: str
) -> list[str]:
    """Return a line for each file with a side shorter than `least`.

    `name` says in that line what `least` is. Files that are not in `sizes` are ignored.
    """
    problems = []
    for path in dict.fromkeys(paths):
        if path in sizes and min(sizes[path]) < least:
            found = size_text(sizes[path])
            problems.append(f"{path}: {found} is smaller than {name} {least}")
    return problems


def pair_problems(
    pairs: Sequence[tuple[Path, Path]],
    sizes: dict[Path, Size],
    scale: int,
    gt_size: int,
    remainder: int = 0,
) -> list[str]:
    """Return a line for each (gt, lq) pair that cannot be used.

    That is, their sizes do not agree (see `sizes_agree`), or the ground truth is
    smaller than `gt_size`. Pairs with a file that is not in `sizes` are ignored.
    """
    problems = []
    for gt, lq in dict.fromkeys(pairs):
        if gt not in sizes or lq not in sizes:
            continue
        if not sizes_agree(sizes[gt], sizes[lq], scale, remainder):
            problems.append(size_mismatch(gt, sizes[gt], lq, sizes[lq], scale))
        elif min(sizes[gt]) < gt_size:
            found = size_text(sizes[gt])
            problems.append(f"{gt}: {found} is smaller than gt_size {gt_size}")
    return problems


def sizes_agree(gt: Size, lq: Size, scale: int, remainder: int = 0) -> bool:
    """Return whether a ground truth is `scale` times as large as a low-quality image.

    Each side may have up to `remainder` pixels more.
    """
    for gt_side, lq_side in zip(gt, lq, strict=True):
        more = gt_side - scale * lq_side
        if not 0 <= more <= remainder:
            return False
    return True


def size_mismatch(gt: Path, gt_size: Size, lq: Path, lq_size: Size, scale: int) -> str:
    """Return the message for a pair whose sizes do not agree."""
    return (
        f"{gt} is {size_text(gt_size)} but {lq} is {size_text(lq_size)}: "
        f"not {scale} times as large"
    )


def size_text(size: Size) -> str:
    """Return a size for a message, such as "64x48"."""
    width, height = size
    return f"{width}x{height}"


def _size_of_decoded(path: Path) -> tuple[Path, Size]:
    return _size(check_image(path))


def _size(path: Path) -> tuple[Path, Size]:
    header = read_checked_header(path)
    return path, (header.width, header.height)
