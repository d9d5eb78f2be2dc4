"""Spectra of windows: blur, scaling and halos, by frequency and direction."""

from functools import cache
from itertools import pairwise

import numpy as np

LUMA_EDGES = (0.03, 0.06, 0.09, 0.125, 0.17, 0.21, 0.25, 0.3, 0.36, 0.42, 0.5, 0.71)
"""Limits of the bands of luma [cycles per pixel]; the first band is the reference."""
CHROMA_EDGES = (0.03, 0.08, 0.14, 0.2, 0.27, 0.36, 0.5, 0.71)
"""Limits of the bands of chroma."""
DIRECTION_BANDS = ((0.06, 0.17), (0.17, 0.3), (0.3, 0.5))
"""Bands in which horizontal, vertical and diagonal detail are compared."""
FLOOR = 1.0
"""Added to a mean power, that of rounding to 8 bits is about 20."""


def statistics(luma: np.ndarray, chroma: np.ndarray) -> dict[str, np.ndarray]:
    """Return logarithms of power in bands, each float64 (N,).

    Args:
        luma: float32 (N, S, S).
        chroma: float32 (N, S, S, 2).
    """
    side = luma.shape[1]
    power = _power(luma)
    rings = _rings(side, LUMA_EDGES)
    found = _bands("spectrum", power, rings)

    for number, (low, high) in enumerate(DIRECTION_BANDS):
        sectors = _sectors(side, low, high)
        means = [_mean(power, sector) for sector in sectors]
        along, across, one, other = means
        diagonal = one + other - along - across
        found[f"direction {number}"] = along - across
        found[f"diagonal {number}"] = diagonal / 2

    red = _power(chroma[..., 0])
    blue = _power(chroma[..., 1])
    colors = red + blue
    color_rings = _rings(side, CHROMA_EDGES)
    return found | _bands("color", colors, color_rings)


def _bands(
    name: str, power: np.ndarray, rings: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """Return the log power of each ring but the first, relative to the first."""
    logs = [_mean(power, ring) for ring in rings]
    found = {}
    for number, values in enumerate(logs[1:], 1):
        found[f"{name} {number}"] = values - logs[0]
    found[f"{name} finest"] = logs[-1]
    return found


def _power(planes: np.ndarray) -> np.ndarray:
    side = planes.shape[1]
    taper = np.hanning(side)
    window = np.outer(taper, taper)
    means = planes.mean(axis=(1, 2), keepdims=True)
    transformed = np.fft.rfft2((planes - means) * window)
    return np.abs(transformed) ** 2


def _mean(power: np.ndarray, where: np.ndarray) -> np.ndarray:
    band = power[:, where]
    mean = band.mean(axis=1)
    return np.log(mean + FLOOR)


@cache
def _rings(side: int, edges: tuple[float, ...]) -> tuple[np.ndarray, ...]:
    """Return which frequencies are in each band, bool (S, S // 2 + 1)."""
    down, right = _frequencies(side)
    frequency = np.hypot(down, right)
    rings = []
    for low, high in pairwise(edges):
        inside = (frequency >= low) & (frequency < high)
        rings.append(inside)
    return tuple(rings)


@cache
def _sectors(side: int, low: float, high: float) -> tuple[np.ndarray, ...]:
    """Return the frequencies of horizontal, vertical and two diagonal detail."""
    down, right = _frequencies(side)
    frequency = np.hypot(down, right)
    inside = (frequency >= low) & (frequency < high)
    angle = np.degrees(np.arctan2(down, right))
    steep = np.abs(angle)
    return (
        inside & (steep < 22.5),
        inside & (steep > 67.5),
        inside & (np.abs(angle - 45) < 22.5),
        inside & (np.abs(angle + 45) < 22.5),
    )


def _frequencies(side: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.fft.fftfreq(side)
    columns = np.fft.rfftfreq(side)
    down, right = np.meshgrid(rows, columns, indexing="ij")
    return down, right
