"""Check image files by their headers: unreadable files, sizes that do not fit.

Used before training, and by tools/preflight.py, to report every problem at once. A file
may still change, or be damaged behind its header; so data/loading/datasets.py checks
again whatever it reads, and data/loading/loader.py replaces images that turn out bad.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.data.sets.meta_info import check_image
from realesrgan_paddle.data.sets.sources import (
    cache_file,
    is_stored,
    key_of,
    read_samples,
    read_size,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import Size, size_text
from realesrgan_paddle.utils.jobs import failure_line, run_each

THREADS = 8
"""Files read at a time: disks and network drives serve several requests in parallel."""
WORTH_KEEPING = 1000
"""So many headers that had to be read are kept for the next start."""
PIECE = 10_000
"""Files whose headers are asked for at a time: a job for each takes memory."""

_KEPT = np.dtype([("key", "<u8"), ("size", "<i4", 2)])


@dataclass(frozen=True)
class HeaderReport:
    """The sizes of image files, and the problems of those that cannot be read."""

    paths: Sequence[Path]
    """All files, repeated ones too."""
    sides: np.ndarray
    """Their widths and heights (n, 2); 0 where a file cannot be read."""
    problems: list[str]
    """One line for each file that cannot be read, with the reason."""
    count: int
    """Number of different files that were checked."""

    @property
    def sizes(self) -> dict[Path, Size]:
        """Sizes of the readable files."""
        sides = self.sides.tolist()
        both = zip(self.paths, sides, strict=True)
        return {path: (size[0], size[1]) for path, size in both if size[0]}


def check_headers(paths: Sequence[Path], *, decode: bool = False) -> HeaderReport:
    """Return the sizes of image files and the problems of unreadable ones.

    The sizes of a set's images are kept in the user's cache folder, so that the next
    start only asks whether its files have changed.

    Args:
        paths: files; repeated ones are checked once.
        decode: decode every image, which also finds damage behind the header.
    """
    keys, problems = _keys(paths)
    distinct, first = np.unique(keys, return_index=True)
    first = first[distinct != 0]
    kept = np.empty(0, _KEPT) if decode else _kept(paths)

    known = np.isin(keys[first], kept["key"])
    unknown = np.sort(first[~known])
    found = np.zeros(len(unknown), _KEPT)
    found["key"] = keys[unknown]
    read = _size_of_decoded if decode else _size
    for start in range(0, len(unknown), PIECE):
        rows = unknown[start : start + PIECE].tolist()
        piece = [paths[row] for row in rows]
        results, failures = run_each(read, piece, threads=THREADS)
        sizes = dict(results)
        problems += failures
        for number, path in enumerate(piece, start):
            found["size"][number] = sizes.get(path, (0, 0))

    readable = found[found["size"][:, 0] > 0]
    if isinstance(paths, ImageList) and len(readable) >= WORTH_KEEPING:
        _keep(paths, np.concatenate([kept[np.isin(kept["key"], keys)], readable]))
    table = np.sort(np.concatenate([kept, readable]), order="key")
    gone = int(np.count_nonzero(keys == 0))
    return HeaderReport(paths, _sides(keys, table), problems, len(first) + gone)


def _sides(keys: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the sizes (n, 2) of the files of these keys; 0 of those not in the table."""
    sides = np.zeros((len(keys), 2), np.int32)
    if len(table):
        rows = np.minimum(np.searchsorted(table["key"], keys), len(table) - 1)
        is_there = table["key"][rows] == keys
        sides[is_there] = table["size"][rows[is_there]]
    return sides


def _keys(paths: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Return what tells files and their versions apart, 0 for those that are not there.

    And a line for each different one of these.
    """
    if isinstance(paths, ImageList) and paths.stamps is not None:
        return paths.stamps, []
    places = paths.names() if isinstance(paths, ImageList) else map(str, paths)
    root = str(paths.root) if isinstance(paths, ImageList) else ""
    below = os.path.join(root, "")  # noqa: PTH118

    keys = np.zeros(len(paths), np.uint64)
    problems: dict[str, str] = {}
    for number, name in enumerate(places):
        place = f"{below}{name}"
        if not name[:1].isalnum() or ":" in name:  # such as "/data/a.png"
            place = os.path.join(root, name)  # noqa: PTH118  (as a Path, but quicker)
        try:
            status = os.stat(place)  # noqa: PTH116
        except OSError as error:
            if is_stored(place):
                keys[number] = key_of(name, "")
            else:
                problems.setdefault(name, failure_line(Path(place), error))
            continue
        stamp = f"{status.st_size} {status.st_mtime_ns}"
        keys[number] = key_of(name, stamp)
    return keys, [*problems.values()]


def _kept_file(paths: ImageList) -> Path:
    place = paths.root if is_stored(paths.root) else paths.root.absolute()
    return cache_file("headers", str(place), ".npy")


def _kept(paths: Sequence[Path]) -> np.ndarray:
    """Return the sizes that were kept of the images of a set."""
    if isinstance(paths, ImageList):
        try:
            kept = np.load(_kept_file(paths))
            if kept.dtype == _KEPT and kept.ndim == 1:
                return kept
        except (OSError, ValueError, EOFError):
            pass  # none yet, or damaged: all are read
    return np.empty(0, _KEPT)


def _keep(paths: ImageList, table: np.ndarray) -> None:
    # A cache that cannot be written is no error: the headers are read again.
    with suppress(OSError, UserError), atomic_path(_kept_file(paths)) as temporary:
        np.save(temporary, table)


def too_small(report: HeaderReport, least: int, name: str) -> list[str]:
    """Return a line for each file with a side shorter than `least`.

    `name` says in that line what `least` is. Files that cannot be read are ignored.
    """
    short = report.sides.min(axis=1, initial=2**31 - 1)
    problems = {}
    for row in np.flatnonzero((short > 0) & (short < least)).tolist():
        width, height = report.sides[row].tolist()
        path = report.paths[row]
        found = size_text((width, height))
        problems[path] = f"{path}: {found} is smaller than {name} {least}"
    return [*problems.values()]


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


def sizes_agree(gt: Size, lq: Size, scale: int, remainder: int) -> bool:
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


def _size_of_decoded(path: Path) -> tuple[Path, Size]:
    if is_stored(path):
        height, width = read_samples(path).shape[:2]
        return path, (width, height)
    return _size(check_image(path))


def _size(path: Path) -> tuple[Path, Size]:
    return path, read_size(path)
