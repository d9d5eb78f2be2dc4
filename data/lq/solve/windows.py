"""Windows of real images and of ground truth, matched by what they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.lq.solve.real import Picture
from realesrgan_paddle.data.lq.solve.statistics import content
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.images import read_rgb, to_uint8

SIDES = (96, 64)
"""Sides of a window [low-quality pixels]: multiples of the largest common block."""
GRID = 16
"""Windows of real images start at multiples of this [pixels], as blocks do."""
REAL_WINDOWS = 64
GT_WINDOWS = 200
GT_IMAGES = 48
"""Ground truth that is read, spread over all of it."""
DARKEST, BRIGHTEST = 0.12, 1.88
"""Windows outside are not used [128 levels]: black bars, clipped skies."""
LEAST_CONTRAST = 1.1
"""Smallest logarithm of contrast + 1 of a window: 2 levels of 255."""
REUSE = 0.5
"""Added to the distance of a window for each time it was matched before."""


@dataclass(frozen=True)
class RealWindows:
    """Windows of the real images."""

    pixels: np.ndarray
    """uint8 RGB (N, S, S, 3)."""
    content: np.ndarray
    """What they show, float64 (N, 4)."""
    sources: np.ndarray
    """Number of the source of each, int (N,)."""


@dataclass(frozen=True)
class GtWindows:
    """Windows of the ground truth, larger by the scale."""

    pixels: np.ndarray
    content: np.ndarray
    sources: np.ndarray

    def matched(
        self, wanted: np.ndarray, allowed: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return for each row of `wanted` the window that is most like it: int (n,).

        Args:
            wanted: contents, float64 (n, 4).
            allowed: which windows may be taken, bool (N,).
            rng: draws the order, for a window is taken reluctantly again.
        """
        spread = self.content.std(axis=0) + 0.05
        penalty = np.where(allowed, 0.0, np.inf)
        chosen = np.empty(len(wanted), int)
        for row in rng.permutation(len(wanted)):
            distance = np.abs((self.content - wanted[row]) / spread).mean(axis=1)
            chosen[row] = np.argmin(distance + penalty)
            penalty[chosen[row]] += REUSE
        return chosen


def window_side(pictures: Sequence[Picture], gt: Sequence[Path], scale: int) -> int:
    """Return the largest side that most real images and ground truth have room for.

    Raises:
        UserError: half of them are smaller than the smallest window.
    """
    room = np.median([min(picture.pixels.shape[:2]) for picture in pictures])
    sizes = [min(read_rgb(path).shape[:2]) for path in gt[: min(5, len(gt))]]
    room = min(room, np.median(sizes) / scale)
    for side in SIDES:
        if side <= room:
            return side
    least = SIDES[-1]
    raise UserError(
        f"--fit: half of the real images, or of the ground truth, are too small; sides "
        f"must be at least {least} pixels, and {least * scale} of the ground truth"
    )


def real_windows(
    pictures: Sequence[Picture], side: int, rng: np.random.Generator
) -> RealWindows:
    """Return windows of the real images, on the grid of their blocks.

    Raises:
        UserError: nothing is large enough, or all of it is black, white or flat.
    """
    pixels, shown, sources = [], [], []
    names = sorted({picture.source for picture in pictures})
    each = -(-3 * REAL_WINDOWS // len(pictures))
    for picture in pictures:
        windows = _cut(picture.pixels, side, GRID, each, rng)
        if not len(windows):
            continue
        pixels.append(windows)
        shown.append(content(windows))
        sources += [names.index(picture.source)] * len(windows)
    if not pixels:
        raise UserError(f"--fit: no real image is larger than {side}x{side} pixels")
    return RealWindows(*_chosen(pixels, shown, sources, REAL_WINDOWS, rng))


def gt_windows(
    paths: Sequence[Path], side: int, scale: int, rng: np.random.Generator
) -> tuple[GtWindows, list[str]]:
    """Return windows of the ground truth, and a line for each unreadable image.

    Raises:
        UserError: nothing is large enough, or all of it is black, white or flat.
    """
    places = np.linspace(0, len(paths) - 1, min(GT_IMAGES, len(paths)))
    chosen = [paths[round(place)] for place in places]
    pixels, shown, sources = [], [], []
    failures: list[str] = []
    for number, path in enumerate(chosen):
        try:
            image = to_uint8(read_rgb(path))
        except UserError as error:
            failures.append(printable(str(error)))
            continue
        each = -(-2 * GT_WINDOWS // len(chosen))
        windows = _cut(image, side * scale, scale, each, rng)
        if len(windows):
            pixels.append(windows)
            shown.append(content(_smaller(windows, scale)))
            sources += [number] * len(windows)
    if not pixels:
        least = side * scale
        raise UserError(f"--hr: no ground truth is larger than {least}x{least} pixels")
    return GtWindows(*_chosen(pixels, shown, sources, GT_WINDOWS, rng)), failures


def _chosen(
    pixels: Sequence[np.ndarray],
    shown: Sequence[np.ndarray],
    sources: Sequence[int],
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return at most `count` of the windows that are neither dark nor flat."""
    contents = np.concatenate(shown)
    brightness = contents[:, 3]
    lit = (brightness > DARKEST) & (brightness < BRIGHTEST)
    useful = np.flatnonzero(lit & (contents[:, 0] > LEAST_CONTRAST))
    if not len(useful):
        raise UserError(
            "--fit: the real images, or the ground truth, show nothing but flat, black "
            "or white areas"
        )
    kept = np.sort(rng.permutation(useful)[:count])
    return np.concatenate(pixels)[kept], contents[kept], np.array(sources)[kept]


def _cut(
    image: np.ndarray, side: int, grid: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return up to `count` random windows of an image, at multiples of `grid`."""
    height, width = image.shape[:2]
    rows = (height - side) // grid + 1
    columns = (width - side) // grid + 1
    if rows < 1 or columns < 1:
        return np.empty((0, side, side, 3), np.uint8)
    count = min(count, rows * columns)
    windows = []
    for place in rng.choice(rows * columns, count, replace=False):
        top = place // columns * grid
        left = place % columns * grid
        windows.append(image[top : top + side, left : left + side])
    return np.stack(windows)


def _smaller(windows: np.ndarray, scale: int) -> np.ndarray:
    side = windows.shape[1] // scale
    small = [
        cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
        for window in windows
    ]
    return np.stack(small)
