"""No-reference statistics of low-quality images: noise, blocks, blur, lost detail."""

import cv2
import numpy as np

from realesrgan_paddle.data.statistics.image_scores import measure

SQUARE = 16
"""Side of the squares in which noise is measured [pixels]."""
CALM_PERCENTILE = 10
"""Percentile of the squares' values that counts as noise: the others contain detail."""
LIT = (16, 240)
"""Limits of a square's mean [8-bit levels]: black bars and clipped skies lack noise."""

LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Difference of two Laplacians: 0 on slopes and straight edges.

On noise, its response has 36 times the variance (Immerkaer 1996).
"""
DEVIATION_OF_MEAN = np.float32(np.sqrt(np.pi / 2) / 6)
"""Standard deviation of noise, per mean absolute response of `LAPLACIANS`."""

FINE = (0.25, 0.5)
COARSE = (0.0625, 0.125)
"""Rings of the spectrum, two octaves apart [cycles per pixel]."""

NEAR, FAR = 1, 4
"""Distances over which differences of chroma are compared [pixels]."""
SMALLEST_CHROMA = 1.0
"""Images with a mean square chroma difference below this are gray [8-bit levels**2]."""


def lq_statistics(rgb: np.ndarray) -> dict[str, float]:
    """Return the statistics of an image by name; NaN where one is not measurable.

    noise: `noise`; blockiness, sharpness (NaN without detail) and contrast:
    `image_scores.Scores`; spectral slope: `spectral_slope`; chroma detail:
    `chroma_detail`.

    Args:
        rgb: uint8 RGB (H, W, 3), at least 64 x 64.
    """
    y_cr_cb = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2YCrCb)
    luma = np.ascontiguousarray(y_cr_cb[..., 0])
    scores = measure(np.rint(luma).astype(np.uint8))
    return {
        "noise": noise(luma),
        "blockiness": scores.blockiness,
        "sharpness": scores.sharpness or np.nan,
        "spectral slope": spectral_slope(luma),
        "chroma detail": chroma_detail(y_cr_cb[..., 1:]),
        "contrast": scores.contrast,
    }


def noise(luma: np.ndarray) -> float:
    """Return the standard deviation of the noise [8-bit levels].

    NaN if everything is black or white. Immerkaer 1996, "Fast Noise Variance
    Estimation", equation 4, but in squares of 16 x 16, of which only the calmest count;
    so about a tenth too low for white noise. For noise that was upscaled or compressed,
    it measures what is left between neighboring pixels.

    Args:
        luma: float32 (H, W) in [0, 255].
    """
    response = np.abs(cv2.filter2D(luma, -1, LAPLACIANS)) * DEVIATION_OF_MEAN
    darkest, brightest = LIT
    means = _square_means(luma)
    lit = (means > darkest) & (means < brightest)
    if not lit.any():
        return np.nan
    deviations = _square_means(response)[lit]
    return float(np.percentile(deviations, CALM_PERCENTILE))


def spectral_slope(luma: np.ndarray) -> float:
    """Return p, where the power spectrum falls as frequency**p in its last two octaves.

    About -2 for sharp photographs (Field 1987, "Relations between the statistics of
    natural images and the response properties of cortical cells"); lower where detail
    is lost, higher with noise.

    Args:
        luma: (H, W).
    """
    height, width = luma.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    centered = luma - luma.mean()
    spectrum = np.fft.rfft2(centered * window)
    power = np.abs(spectrum) ** 2

    vertical = np.fft.fftfreq(height)[:, None]
    horizontal = np.fft.rfftfreq(width)
    frequency = np.hypot(vertical, horizontal)
    fine = _mean_in_ring(power, frequency, FINE)
    coarse = _mean_in_ring(power, frequency, COARSE)
    ratio = (fine + 1e-6) / (coarse + 1e-6)
    return float(np.log2(ratio) / 2)


def chroma_detail(chroma: np.ndarray) -> float:
    """Return how much color changes over one pixel, relative to four; NaN for gray.

    Of the root mean squares of the differences: 0.25 for upscaled color, about 0.5 for
    sharp edges, 1 for color noise.

    Args:
        chroma: Cr and Cb, float32 (H, W, 2) [8-bit levels].
    """
    near = _mean_square_difference(chroma, NEAR)
    far = _mean_square_difference(chroma, FAR)
    if far <= SMALLEST_CHROMA:
        return np.nan
    return float(np.sqrt(near / far))


def _mean_in_ring(
    power: np.ndarray, frequency: np.ndarray, ring: tuple[float, float]
) -> float:
    low, high = ring
    inside = (frequency >= low) & (frequency < high)
    return power[inside].mean()


def _mean_square_difference(chroma: np.ndarray, distance: int) -> float:
    """Return the sum over both directions."""
    below = chroma[distance:]
    beside = chroma[:, distance:]
    down = below - chroma[:-distance]
    right = beside - chroma[:, :-distance]
    vertical = np.mean(down**2)
    horizontal = np.mean(right**2)
    return vertical + horizontal


def _square_means(values: np.ndarray) -> np.ndarray:
    """Return the means of the whole squares of (H, W) `values`."""
    height, width = values.shape
    rows = height // SQUARE
    columns = width // SQUARE
    whole = values[: rows * SQUARE, : columns * SQUARE]
    size = (columns, rows)
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
