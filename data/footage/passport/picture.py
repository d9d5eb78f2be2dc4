"""What sharpening and compression have left in the pictures of a video."""

from dataclasses import dataclass

import cv2
import numpy as np

EDGE_ROWS = 4
"""Edges are looked for in every so many rows."""

PLATEAU = 8
"""Samples on each side of an edge that must be level from the sixth on."""

MIN_STEP = 50
"""Least step [8-bit levels] of an edge at which overshoot is measured."""

MAX_RIPPLE = 0.1
"""A plateau's last three samples differ by at most this share of the step."""

MIN_EDGES = 50
"""With fewer edges in all frames, no halo is told."""

MAX_EDGES = 4000
"""Of one frame."""

BLOCK = 8
"""Side [pixels] of the blocks that are textured or wiped."""

MIN_TEXTURE = 2.0
"""Mean difference of a block's mean from its neighborhood [8-bit levels] where there is
texture: blurring and quantizing leave the means."""

WIPED = 0.8
"""Fine detail of a block [8-bit levels, RMS] below which it was wiped flat.

Camera noise of sigma 1 alone has 0.9.
"""

DARK, BRIGHT = 24, 232
"""Limits of a block's mean [8-bit levels]: dark and clipped places are flat by nature."""

MIN_TEXTURED_BLOCKS = 100
"""With fewer in all frames, no wiped share is told."""


@dataclass(frozen=True)
class PictureFigures:
    """Figures of a video's pictures; None: too little to measure them on."""

    halo: float | None = None
    """Overshoot and undershoot beside strong edges, mean of both [share of the step]."""
    wiped: float | None = None
    """Share of the blocks in textured places that have no fine detail."""


class PictureMeter:
    """Measures halos and wiped texture over some frames of a video."""

    def __init__(self) -> None:
        self._overshoots: list[np.ndarray] = []
        self._offered = 0
        self._textured = 0
        self._wiped = 0

    def offer(self, luma: np.ndarray) -> None:
        """Measure a frame if it is its turn: fewer, the more were offered before."""
        number = self._offered
        self._offered += 1
        # Of frames 4 to 7 every second, of 8 to 15 every fourth, ...: 20 of 1000.
        interval = 1 << max(0, number.bit_length() - 2)
        if number % interval == 0:
            self.add(luma)

    def add(self, luma: np.ndarray) -> None:
        """Measure a frame, uint8 luma (H, W)."""
        if min(luma.shape) < 3 * PLATEAU:
            return
        self._overshoots.append(overshoots(edge_profiles(luma)))

        textured, wiped = wiped_blocks(luma)
        self._textured += textured
        self._wiped += wiped

    def figures(self) -> PictureFigures:
        """Return what was measured so far."""
        halo = wiped = None
        edges = np.concatenate([np.zeros(0), *self._overshoots])
        if len(edges) >= MIN_EDGES:
            halo = max(0.0, round(float(np.median(edges)), 3))
        if self._textured >= MIN_TEXTURED_BLOCKS:
            wiped = round(self._wiped / self._textured, 3)
        return PictureFigures(halo, wiped)


def edge_profiles(luma: np.ndarray) -> np.ndarray:
    """Return the samples across isolated vertical edges, from 0 to 1.

    Args:
        luma: uint8 (H, W), W at least 24.

    Returns:
        float64 (edges, 17); the steepest place in the middle, 0 and 1 are the plateaus.
    """
    rows = luma[::EDGE_ROWS]
    rows = rows.astype(np.int16)
    y, x = _steepest_places(rows)
    offsets = np.arange(-PLATEAU, PLATEAU + 1)
    columns = x[:, None] + offsets
    samples = rows[y[:, None], columns]
    profiles = samples.astype(np.float64)

    left = profiles[:, :3]
    right = profiles[:, -3:]
    low = left.mean(axis=1)
    step = right.mean(axis=1) - low
    size = np.abs(step)
    left_ripple = np.ptp(left, axis=1)
    right_ripple = np.ptp(right, axis=1)
    ripple = np.maximum(left_ripple, right_ripple)
    isolated = (size >= MIN_STEP) & (ripple <= MAX_RIPPLE * size)

    chosen = profiles[isolated] - low[isolated, None]
    scale = step[isolated, None]
    return chosen[:MAX_EDGES] / scale[:MAX_EDGES]


def _steepest_places(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the places that may be edges; fewer, if there are many.

    Args:
        rows: int16 (H, W).
    """
    right = rows[:, 1:]
    left = rows[:, :-1]
    steps = np.abs(right - left)
    window = np.ones((1, 7), np.uint8)
    steepest = cv2.dilate(steps, window)
    inside = slice(PLATEAU, -PLATEAU - 1)
    steps = steps[:, inside]
    steepest = steepest[:, inside]
    is_steepest = steps == steepest
    is_edge = is_steepest & (steps >= MIN_STEP // 5)

    y, x = np.nonzero(is_edge)
    most = 10 * MAX_EDGES
    every = max(1, len(y) // most)
    y = y[::every]
    x = x[::every] + PLATEAU
    return y, x


def overshoots(profiles: np.ndarray) -> np.ndarray:
    """Return how far each of `edge_profiles` goes beyond its plateaus, mean of both.

    Beyond the outermost sample of a plateau, which noise moves about as far as it does
    the samples beside the edge. Negative for an edge that reaches its plateau late.
    """
    middle = PLATEAU
    before = profiles[:, middle - 5 : middle + 1]
    after = profiles[:, middle + 1 : middle + 6]
    left = profiles[:, :3]
    right = profiles[:, -3:]
    highest = right.max(axis=1)
    lowest = left.min(axis=1)
    over = after.max(axis=1) - highest
    under = lowest - before.min(axis=1)
    return (over + under) / 2


def wiped_blocks(luma: np.ndarray) -> tuple[int, int]:
    """Return how many blocks are in textured places, and how many of them are flat.

    Compression takes fine detail first and leaves the means of blocks, so grass turns
    to paint: its means still vary.
    """
    height, width = luma.shape
    bottom = height // BLOCK * BLOCK
    right = width // BLOCK * BLOCK
    whole = luma[:bottom, :right]
    whole = whole.astype(np.float32)
    fine = whole - cv2.blur(whole, (3, 3))
    fine_power = _block_means(fine * fine)
    means = _block_means(whole)

    around = cv2.blur(means, (3, 3))
    differences = np.abs(means - around)
    variation = cv2.blur(differences, (5, 5))
    lit = (means > DARK) & (means < BRIGHT)
    textured = lit & (variation > MIN_TEXTURE)
    is_flat = fine_power < WIPED**2
    wiped = textured & is_flat
    return int(textured.sum()), int(wiped.sum())


def _block_means(values: np.ndarray) -> np.ndarray:
    """Return the means of the blocks of an image whose sides are multiples of them."""
    height, width = values.shape
    size = (width // BLOCK, height // BLOCK)
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)
