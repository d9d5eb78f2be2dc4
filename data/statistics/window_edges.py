"""What edges tell of a degradation: those of the content, of fields, and of blocks.

Profiles of steep edges show blur and halos, lines show interlacing. Compression leaves
grids of blocks, missing frequencies and quantized coefficients.
"""

from functools import cache

import cv2
import numpy as np
from scipy.fft import dctn

from realesrgan_paddle.data.degradation.jpeg import LUMA_TABLE

REACH = 5
"""Pixels of a profile on either side of an edge."""
SHOWN = 3
"""Pixels of the profile on either side that are statistics."""
EDGE_SHARE = 0.02
"""Share of a window's pixels that count as edges: those with the steepest slope."""
SMALLEST_STEP = 8.0
"""Profiles with a smaller step are left out [8-bit levels]: they show noise."""
EDGE_FLOOR = 0.3
"""Added to mean differences before their logarithm [8-bit levels]."""

QUALITIES = (10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 93, 96)
"""JPEG qualities whose quantizers are looked for."""
MAX_STEP = 10.0
"""Differences of neighbors are clipped to this [8-bit levels]."""
BLOCK_FLOOR = 0.2
"""Added to mean differences before their logarithm [8-bit levels]."""
SMALLEST_QUANTIZER = 3.0
"""Quantizers below this are not told from rounding [8-bit levels]."""
SMALLEST_MULTIPLE = 0.6
"""Coefficients below this many steps are not counted: most of them are 0."""
FEWEST = 30
"""Added to the number of coefficients, so that a few of them prove nothing."""
COARSE = 6
"""Largest sum of frequencies at which quantizers are looked for: the rest is mostly 0."""
FREQUENCY_GROUPS = ((1, 3), (3, 6), (6, 9), (9, 12), (12, 15))
"""Sums of vertical and horizontal frequency that are put together."""
ZERO = 0.7
"""Coefficients below this count as missing [8-bit levels]: rounding makes about .3."""


def edge_statistics(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of edges, of lines and of flat parts, each float64 (N,).

    Args:
        luma: float32 (N, S, S).
    """
    profiles_across = []
    profiles_down = []
    for plane in luma:
        profiles_across.append(_profile(plane))
        profiles_down.append(_profile(plane.T))
    across = np.array(profiles_across)
    down = np.array(profiles_down)

    mean = (across + down) / 2
    found = {}
    for offset in range(-SHOWN, SHOWN + 1):
        place = REACH + offset
        found[f"edge {offset}"] = mean[:, place]
    found["edge direction"] = _steepness(across) - _steepness(down)
    return found | _lines(luma) | _flatness(luma)


def _steepness(profiles: np.ndarray) -> np.ndarray:
    before = profiles[:, REACH - 1]
    behind = profiles[:, REACH + 1]
    return behind - before


def _profile(plane: np.ndarray) -> np.ndarray:
    """Return the mean profile of the steepest edges across columns, float64 (11,).

    Scaled from 0, five pixels before the edge, to 1, five pixels behind it; 0 where
    there is no edge.
    """
    plane = np.ascontiguousarray(plane)
    rows, columns = _steepest(plane)
    offsets = np.arange(-REACH, REACH + 1)
    places = columns[:, None] + offsets
    profiles = plane[rows[:, None], places]

    before = profiles[:, :2].mean(axis=1)
    behind = profiles[:, -2:].mean(axis=1)
    step = behind - before
    strong = np.abs(step) >= SMALLEST_STEP
    if not strong.any():
        return np.zeros(2 * REACH + 1)

    strong_step = step[strong]
    from_zero = profiles[strong] - before[strong, None]
    signs = np.sign(strong_step)
    rising = from_zero * signs[:, None]
    total = np.abs(strong_step).sum()
    return rising.sum(axis=0) / total


def _steepest(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns of the steepest edges, each int (n,)."""
    smooth = cv2.GaussianBlur(plane, (0, 0), 1)
    before = smooth[:, :-2]
    behind = smooth[:, 2:]
    steep = np.abs(behind - before)
    steep[:, :REACH] = 0
    steep[:, -REACH:] = 0

    middle = steep[:, 1:-1]
    left = steep[:, :-2]
    right = steep[:, 2:]
    is_higher = (middle >= left) & (middle > right)
    is_peak = np.zeros(steep.shape, bool)
    is_peak[:, 1:-1] = is_higher

    peaks = np.where(is_peak, steep, 0)
    strengths = peaks.ravel()
    share = int(EDGE_SHARE * steep.size)
    count = max(8, share)
    order = np.argpartition(strengths, -count)
    strongest = order[-count:]
    chosen = strongest[strengths[strongest] > 0]  # a smooth window has few peaks
    rows, columns = np.unravel_index(chosen, steep.shape)
    return rows, columns + 1  # the slope has one column less on either side


def _lines(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return what tells woven, blended and interpolated fields."""
    next_line = _level(np.diff(luma, axis=1))
    second_line = _level(luma[:, 2:] - luma[:, :-2])
    next_column = _level(np.diff(luma, axis=2))
    second_column = _level(luma[:, :, 2:] - luma[:, :, :-2])
    lines = next_line - second_line
    columns = next_column - second_column
    return {
        "combing": lines - columns,
        "line parity": _line_parity(luma),
        "comb": _comb(luma),
    }


def _line_parity(luma: np.ndarray) -> np.ndarray:
    """Return how much more odd lines differ from the mean of their neighbors than even.

    Bob makes every other line that mean.
    """
    above = luma[:, :-2]
    below = luma[:, 2:]
    mean = (above + below) / 2
    lines = luma[:, 1:-1]
    between = np.abs(lines - mean)

    odd_lines = between[:, 0::2]
    even_lines = between[:, 1::2]
    odd = odd_lines.mean(axis=(1, 2))
    even = even_lines.mean(axis=(1, 2))
    return _log(odd) - _log(even)


def _comb(luma: np.ndarray) -> np.ndarray:
    """Return how much more detail of the highest frequency is vertical: weaving combs."""
    signs = np.array([1, -1, 1, -1])[:, None]
    side = luma.shape[1] - 3
    lines = []
    columns = []
    for start, sign in enumerate(signs):
        end = start + side
        lines.append(sign * luma[:, start:end])
        columns.append(sign * luma[:, :, start:end])
    comb = np.sum(lines, axis=0)
    rake = np.sum(columns, axis=0)
    comb_level = _level(comb)
    rake_level = _level(rake)
    return comb_level - rake_level


def _flatness(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the shares of nearly equal neighbors, and the tails of the detail."""
    levels = np.rint(luma)
    across = np.abs(np.diff(levels, axis=2))
    down = np.abs(np.diff(levels, axis=1))
    detail = across[:, :-1] + down[:, :, :-1]
    square = (detail**2).mean(axis=(1, 2))
    fourth = (detail**4).mean(axis=(1, 2))
    tails = np.log(fourth + 1) - 2 * np.log(square + 1)
    is_flat = detail == 0
    is_nearly_flat = detail <= 2
    return {
        "flat": is_flat.mean(axis=(1, 2)),
        "nearly flat": is_nearly_flat.mean(axis=(1, 2)),
        "tails": tails,
    }


def _level(differences: np.ndarray) -> np.ndarray:
    """Return the logarithm of each window's mean difference."""
    sizes = np.abs(differences)
    means = sizes.mean(axis=(1, 2))
    return _log(means)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(values + EDGE_FLOOR)


def block_statistics(luma: np.ndarray, chroma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of compression, each float64 (N,).

    Args:
        luma: float32 (N, S, S), on the grid of the blocks.
        chroma: float32 (N, S, S, 2).
    """
    red = chroma[..., 0]
    blue = chroma[..., 1]
    found = _grid("luma", luma)
    found["grid chroma 16"] = _grid("chroma", red)["grid chroma 16"]
    found["color pairs"] = _pairs(red) + _pairs(blue)
    for size in (8, 4):
        found |= _missing(luma, size)
    return found | _quantizers(luma)


def _grid(name: str, plane: np.ndarray) -> dict[str, np.ndarray]:
    """Return how much larger differences are across the edges of blocks."""
    across = np.abs(np.diff(plane, axis=2))
    down = np.abs(np.diff(plane, axis=1))
    clipped_across = np.minimum(across, MAX_STEP)
    clipped_down = np.minimum(down, MAX_STEP)
    columns = clipped_across.mean(axis=1) + clipped_down.mean(axis=2)
    after = np.arange(columns.shape[1]) % 16

    def level(*places: int) -> np.ndarray:
        """Return the mean over the columns at some places of a block."""
        chosen = np.isin(after, places)
        mean = columns[:, chosen].mean(axis=1)
        return np.log(mean + BLOCK_FLOOR)

    inside = level(1, 5, 9, 13)
    return {
        f"grid {name} 8": level(7, 15) - inside,
        f"grid {name} 8 side": level(6, 8, 14, 0) - inside,
        f"grid {name} 4": level(3, 11) - inside,
        f"grid {name} 16": level(15) - level(7),
    }


def _pairs(plane: np.ndarray) -> np.ndarray:
    """Return how much less the two pixels of a chroma sample differ than others."""
    differences_across = np.abs(np.diff(plane, axis=2))
    differences_down = np.abs(np.diff(plane, axis=1))
    across = differences_across.mean(axis=1)
    down = differences_down.mean(axis=2)

    within_across = across[:, 0::2].mean(axis=1)
    within_down = down[:, 0::2].mean(axis=1)
    within = within_across + within_down
    between_across = across[:, 1::2].mean(axis=1)
    between_down = down[:, 1::2].mean(axis=1)
    between = between_across + between_down

    log_within = np.log(within + BLOCK_FLOOR)
    log_between = np.log(between + BLOCK_FLOOR)
    return log_within - log_between


def _coefficients(luma: np.ndarray, size: int) -> np.ndarray:
    """Return the DCT of all blocks, (N, blocks, size, size)."""
    count, side, _ = luma.shape
    blocks = side // size
    parts = luma.reshape(count, blocks, size, blocks, size)
    by_block = parts.swapaxes(2, 3)
    listed = by_block.reshape(count, blocks * blocks, size, size)
    centered = listed - 128
    return dctn(centered, axes=(2, 3), norm="ortho")


def _missing(luma: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Return the shares of coefficients that are nearly zero, by frequency."""
    coefficients = np.abs(_coefficients(luma, size))
    frequency = np.arange(size) * (8 // size)
    total = np.add.outer(frequency, frequency)
    found = {}
    for low, high in FREQUENCY_GROUPS:
        group = (total >= low) & (total < high)
        if group.any():
            small = coefficients[:, :, group] < ZERO
            found[f"missing {size} {low}"] = small.mean(axis=(1, 2))
    return found


def _quantizers(luma: np.ndarray) -> dict[str, np.ndarray]:
    """Return how well the coefficients fit the quantizer of each JPEG quality.

    The mean of cos(2 pi c / step) over the coefficients of at least 0.6 steps: 1 where
    all are multiples, 0 where none are.
    """
    coefficients = _coefficients(luma, 8)[:, :, _coarse()]
    sizes = np.abs(coefficients).astype(np.float32)
    found = {}
    for quality in QUALITIES:
        scores = []
        for step in _steps(quality):
            ratio = sizes / step
            counted = (ratio > SMALLEST_MULTIPLE) & (step >= SMALLEST_QUANTIZER)
            wave = np.cos(2 * np.pi * ratio, where=counted, out=np.zeros_like(ratio))
            total = counted.sum(axis=(1, 2))
            scores.append(wave.sum(axis=(1, 2)) / (total + FEWEST))
        found[f"quality {quality}"] = np.maximum(*scores)
    return found


@cache
def _steps(quality: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the luma table of a quality, as libjpeg rounds it, and transposed."""
    factor = 2 - quality / 50
    if quality < 50:
        factor = 50 / quality
    table = np.array(LUMA_TABLE) * factor
    nearest = np.floor(table + 0.5)
    rounded = np.maximum(nearest, 1)
    transposed = np.maximum(table.T, 1)

    coarse = _coarse()
    steps = rounded[coarse].astype(np.float32)
    transposed_steps = transposed[coarse].astype(np.float32)
    return steps, transposed_steps


@cache
def _coarse() -> np.ndarray:
    """Return which coefficients are looked at, bool (8, 8): the coarse ones."""
    frequency = np.arange(8)
    total = np.add.outer(frequency, frequency)
    return (total > 0) & (total <= COARSE)
