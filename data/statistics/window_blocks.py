"""What block compression leaves: grids, missing frequencies, quantized coefficients."""

from functools import cache

import numpy as np
from scipy.fft import dctn

from realesrgan_paddle.data.degradation.jpeg import LUMA_TABLE

QUALITIES = (10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 93, 96)
"""JPEG qualities whose quantizers are looked for."""
MAX_STEP = 10.0
"""Differences of neighbors are clipped to this [8-bit levels]."""
FLOOR = 0.2
"""Added to mean differences before their logarithm [8-bit levels]."""
SMALLEST_QUANTIZER = 3.0
"""Quantizers below this are not told from rounding [8-bit levels]."""
SMALLEST_MULTIPLE = 0.6
"""Coefficients below this many steps are not counted: most of them are 0."""
FEWEST = 30
"""Added to the number of coefficients, so that a few of them prove nothing."""
COARSE = 6
"""Largest sum of frequencies at which quantizers are looked for: the rest is mostly 0."""
GROUPS = ((1, 3), (3, 6), (6, 9), (9, 12), (12, 15))
"""Sums of vertical and horizontal frequency that are put together."""
ZERO = 0.7
"""Coefficients below this count as missing [8-bit levels]: rounding makes about .3."""


def block_statistics(luma: np.ndarray, chroma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the block_statistics of compression, each float64 (N,).

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
        return np.log(mean + FLOOR)

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

    log_within = np.log(within + FLOOR)
    log_between = np.log(between + FLOOR)
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
    for low, high in GROUPS:
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
