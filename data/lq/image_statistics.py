"""What low-quality pictures suffer, measured without a reference: noise, blocks, blur, lost detail and colour."""

import cv2
import numpy as np

from realesrgan_paddle.data.sets.image_scores import measure

SQUARE = 16
"""Side of the squares of which the calmest are searched for noise [pixels]."""
CALM = 10
"""Noise is the value that so many percent of the squares stay below [%]: the calmest, for in the others is detail."""
LIT = (16, 240)
"""Squares darker or brighter in the mean are left out: black bars and burnt-out skies hold no noise [8-bit levels]."""

LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""The difference of two Laplacians: 0 for slopes and straight edges; of noise, 36 times the variance."""

FINE, COARSE = (0.25, 0.5), (0.0625, 0.125)
"""Rings of the spectrum, two octaves apart [cycles per pixel]."""

LEAST_COLOUR = 1.0
"""Mean square of the differences of Cb and Cr below which a picture is gray [squared 8-bit levels]."""


def lq_statistics(rgb: np.ndarray) -> dict[str, float]:
    """Return what is measured of a picture, uint8 RGB (H, W, 3) of at least 64 x 64, by name; NaN for what it lacks.

    noise: `noise`; blockiness, sharpness (NaN without detail) and contrast:
    `image_scores.Scores`; spectral slope: `spectral_slope`; chroma detail:
    `chroma_detail`.
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
    """Return the standard deviation of the noise [8-bit levels]; NaN if all is black or white.

    Immerkaer 1996, "Fast Noise Variance Estimation", equation 4, in squares of 16 x 16,
    of which the calmest count (so a tenth too little of white noise). Of noise that was
    enlarged or compressed it is what is left from one pixel to the next.

    Args:
        luma: float32 (H, W) in [0, 255].
    """
    response = np.abs(cv2.filter2D(luma, -1, LAPLACIANS)) * np.float32(
        np.sqrt(np.pi / 2) / 6
    )
    means = _squares(luma)
    lit = (means > LIT[0]) & (means < LIT[1])
    return float(np.percentile(_squares(response)[lit], CALM)) if lit.any() else np.nan


def spectral_slope(luma: np.ndarray) -> float:
    """Return the exponent p of a power spectrum like frequency ** p, over the last two octaves of luma (H, W).

    About -2 for sharp photographs (Field 1987, "Relations between the statistics of
    natural images and the response properties of cortical cells"), less where detail is
    gone, more with noise.
    """
    window = np.outer(*(np.hanning(side) for side in luma.shape))
    power = np.abs(np.fft.rfft2((luma - luma.mean()) * window)) ** 2
    frequency = np.hypot(
        np.fft.fftfreq(luma.shape[0])[:, None], np.fft.rfftfreq(luma.shape[1])
    )
    fine, coarse = (
        power[(frequency >= low) & (frequency < high)].mean()
        for low, high in (FINE, COARSE)
    )
    return float(np.log2((fine + 1e-6) / (coarse + 1e-6)) / 2)


def chroma_detail(chroma: np.ndarray) -> float:
    """Return how much colour changes from one pixel to the next, relative to four pixels on; NaN for gray pictures.

    Root mean squares of the differences of Cb and Cr (H, W, 2) [8-bit levels]: 0.25 for
    colour that was enlarged, about 0.5 for sharp borders, 1 for coloured noise.
    """
    near, far = (
        np.mean((chroma[step:] - chroma[:-step]) ** 2)
        + np.mean((chroma[:, step:] - chroma[:, :-step]) ** 2)
        for step in (1, 4)
    )
    return float(np.sqrt(near / far)) if far > LEAST_COLOUR else np.nan


def _squares(values: np.ndarray) -> np.ndarray:
    """Return the means of whole squares."""
    rows, columns = values.shape[0] // SQUARE, values.shape[1] // SQUARE
    return cv2.resize(
        values[: rows * SQUARE, : columns * SQUARE],
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )
