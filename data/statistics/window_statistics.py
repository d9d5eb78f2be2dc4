"""Statistics of windows that tell how they were degraded, and what they show."""

from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from realesrgan_paddle.data.statistics.tiles import means_of_parts
from realesrgan_paddle.data.statistics.window_edges import (
    block_statistics,
    edge_statistics,
)

SQUARE = 16
"""Side of the squares in which noise is measured [pixels]."""
CALM_SHARE = 0.3
"""Share of a window's squares that count as calm: those with the least coarse detail."""
FLOOR = 0.05
"""Added to a deviation before its logarithm [8-bit levels]: below, nothing is seen."""
SECOND_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Immerkaer 1996, "Fast Noise Variance Estimation": zero on slopes and edges."""
LAGS = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1))
"""Rows and columns between the pixels whose noise is compared."""
PERCENTILES = (10, 30, 60)
"""Of the squares' noise."""
LUMA_EDGES = (0.03, 0.06, 0.09, 0.125, 0.17, 0.21, 0.25, 0.3, 0.36, 0.42, 0.5, 0.71)
"""Limits of the bands of luma [cycles per pixel]; the first band is the reference."""
CHROMA_EDGES = (0.03, 0.08, 0.14, 0.2, 0.27, 0.36, 0.5, 0.71)
"""Limits of the bands of chroma."""
DIRECTION_BANDS = ((0.06, 0.17), (0.17, 0.3), (0.3, 0.5))
"""Bands in which horizontal, vertical and diagonal detail are compared."""
POWER_FLOOR = 1.0
"""Added to a mean power, that of rounding to 8 bits is about 20."""


def window_statistics(windows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of each window by name, each float64 (N,), all finite.

    Most are logarithms or ratios, so that their means over windows can be compared.

    Args:
        windows: uint8 RGB (N, S, S, 3); S a multiple of 32. Their first pixel lies on
            the grid of the blocks of a compression, if there was one.
    """
    luma, chroma = split_luma(windows)
    found: dict[str, np.ndarray] = {}
    found |= _noise(luma, chroma)
    found |= _spectrum(luma, chroma)
    found |= block_statistics(luma, chroma)
    found |= edge_statistics(luma)
    finite = {}
    for name, values in found.items():
        finite[name] = np.nan_to_num(values)
    return finite


def statistics_array(windows: np.ndarray) -> np.ndarray:
    """Return the statistics of windows as float64 (N, F), in the order of their names."""
    found = window_statistics(windows)
    return np.stack(list(found.values()), axis=1)


def content(windows: np.ndarray) -> np.ndarray:
    """Return what windows show, float64 (N, 4), hardly changed by a degradation.

    Measured on means of 8 x 8 pixels: the logarithms of contrast, of detail and of
    color contrast, and the brightness.

    Args:
        windows: uint8 RGB (N, S, S, 3).
    """
    rows = []
    for window in windows:
        side = len(window) // 8
        means = cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
        levels = means.astype(np.float32)
        ycrcb = cv2.cvtColor(levels, cv2.COLOR_RGB2YCrCb)
        luma = ycrcb[..., 0]
        chroma = ycrcb[..., 1:]
        across = np.abs(np.diff(luma, axis=1)).mean()
        down = np.abs(np.diff(luma, axis=0)).mean()
        contrast = luma.std()
        detail = across + down
        colors = chroma.std(axis=(0, 1)).sum()
        logs = np.log([contrast + 1, detail + 1, colors + 1])
        brightness = luma.mean() / 128
        rows.append([*logs, brightness])
    return np.array(rows)


def split_luma(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return luma (N, S, S) and chroma (N, S, S, 2) of RGB windows, float32 levels."""
    planes = [
        cv2.cvtColor(window.astype(np.float32), cv2.COLOR_RGB2YCrCb)
        for window in windows
    ]
    stacked = np.stack(planes)
    return np.ascontiguousarray(stacked[..., 0]), stacked[..., 1:]


def _noise(luma: np.ndarray, chroma: np.ndarray) -> dict[str, np.ndarray]:
    """Return the level, color, grain and brightness dependence of the noise."""
    rows = []
    for plane, colors in zip(luma, chroma, strict=True):
        rows.append(_noise_of(plane, colors))
    names = [f"noise {percentile}" for percentile in PERCENTILES]
    names += ["noise Cr", "noise Cb", "noise color share", "noise in shadows"]
    names += [f"grain {down} {right}" for down, right in LAGS]
    names += ["grain color"]
    columns = np.array(rows).T
    return dict(zip(names, columns, strict=True))


def _noise_of(luma: np.ndarray, chroma: np.ndarray) -> list[float]:
    red = chroma[..., 0]
    blue = chroma[..., 1]
    calm = _calm_squares(luma)
    noise = _square_deviations(luma)
    calm_noise = noise[calm]
    red_noise = _square_deviations(red)[calm]
    blue_noise = _square_deviations(blue)[calm]

    levels = np.percentile(noise, PERCENTILES)
    colors = np.array([red_noise.mean(), blue_noise.mean()])
    log_levels = np.log(levels + FLOOR)
    log_colors = np.log(colors + FLOOR)
    log_color = np.log(colors.mean() + FLOOR)
    log_gray = np.log(calm_noise.mean() + FLOOR)
    share = log_color - log_gray

    brightness = means_of_parts(luma, SQUARE, SQUARE)[calm]
    slope = _slope(brightness, np.log(calm_noise + FLOOR))
    grain = _correlations(_fine(luma), calm)
    color_grain = _correlations(_fine(red), calm)[0]
    return [*log_levels, *log_colors, share, slope, *grain, color_grain]


def _calm_squares(luma: np.ndarray) -> np.ndarray:
    """Return which squares have the least detail, bool (rows, columns).

    By the spread of means over 4 x 4 pixels, which noise hardly changes.
    """
    means = means_of_parts(luma, 4, 4)
    per_square = SQUARE // 4
    count = len(means) // per_square
    parts = means.reshape(count, per_square, count, per_square)
    spread = parts.std(axis=(1, 3))
    return spread <= np.quantile(spread, CALM_SHARE)


def _square_deviations(plane: np.ndarray) -> np.ndarray:
    plane = np.ascontiguousarray(plane)
    response = cv2.filter2D(plane, -1, SECOND_DIFFERENCES)
    means = means_of_parts(np.abs(response), SQUARE, SQUARE)
    return means * np.sqrt(np.pi / 2) / 6


def _fine(plane: np.ndarray) -> np.ndarray:
    """Return a plane without what is coarser than about 5 pixels."""
    plane = np.ascontiguousarray(plane)
    return plane - cv2.GaussianBlur(plane, (0, 0), 2)


def _correlations(fine: np.ndarray, calm: np.ndarray) -> list[float]:
    """Return the autocorrelation over each of LAGS in the calm squares."""
    side = len(fine)
    mask = np.kron(calm, np.ones((SQUARE, SQUARE), bool))
    calm_variance = (fine[mask] ** 2).mean()
    variance = calm_variance + FLOOR**2
    found = []
    for down, right in LAGS:
        height = side - down
        width = side - right
        here = fine[:height, :width]
        there = fine[down:, right:]
        inside = mask[:height, :width]
        covariance = (here * there)[inside].mean()
        found.append(float(covariance / variance))
    return found


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of y over x / 128, shrunk to 0 where x hardly varies."""
    run = (x - x.mean()) / 128
    rise = y - y.mean()
    products = (run * rise).sum()
    squares = (run**2).sum()
    return float(products / (squares + 0.05))


def _spectrum(luma: np.ndarray, chroma: np.ndarray) -> dict[str, np.ndarray]:
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
    return np.log(mean + POWER_FLOOR)


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
