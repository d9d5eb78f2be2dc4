"""NIQE: how unnatural an image looks, without a ground truth.

Mittal, Soundararajan and Bovik 2013, "Making a 'Completely Blind' Image Quality
Analyzer"; the values are BasicSR's (XPixelGroup/BasicSR, `basicsr/metrics/niqe.py`),
which agree with the authors' MATLAB code to the fourth digit. Equations are those of
the paper.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from scipy.ndimage import convolve, correlate1d
from scipy.special import gamma

from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.similarity import LUMA

PARAMETERS_URL = (
    "https://raw.githubusercontent.com/XPixelGroup/BasicSR/"
    "8d56e3a045f9fb3e1d8872f92ee4a4f07f886b0a/basicsr/metrics/niqe_pris_params.npz"
)
PARAMETERS_SHA256 = "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296"
PARAMETERS_SIZE = 11_850
PARAMETERS_FILE = "niqe_pris_params.npz"

BLOCK = 96
"""Side of the blocks whose statistics are taken [pixels]; half at the second scale."""

LEAST_BLOCKS = 2
"""A covariance needs two samples."""

NEIGHBORS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Shifts to the pixel on the left, above, and diagonally above (section 2.2)."""

# Shapes that are tried (alpha of equation 4), as the authors' code has them.
_SHAPES = np.arange(0.2, 10.001, 0.001)

# MATLAB's imresize by 1/2: the cubic kernel (a = -0.5; Keys 1981), twice as wide against
# aliasing, at distances of 0.25, 0.75, 1.25 and 1.75.
_HALF_KERNEL = np.array([0.8671875, 0.2265625, -0.0703125, -0.0234375]) / 2
_TAPS = np.concatenate([_HALF_KERNEL[::-1], _HALF_KERNEL])

Channel = Literal["y", "gray"]
"""Y of MATLAB's rgb2ycbcr, or OpenCV's gray (ITU-R BT.601 in [0, 255])."""


@dataclass(frozen=True)
class NIQEParameters:
    """What the authors found in undistorted photographs."""

    mean: np.ndarray
    """Of the features, (36,)."""
    covariance: np.ndarray
    """Of the features, (36, 36)."""
    window: np.ndarray
    """Gaussian that local means are taken with, (7, 7), sum 1."""


def load_niqe(folder: str | Path = "weights") -> NIQEParameters:
    """Return the parameters in `folder`/niqe_pris_params.npz, BasicSR's file.

    The file (12 KB) is downloaded from BasicSR's repository if it does not exist.

    Raises:
        UserError: it cannot be downloaded, or is another file; says what to do.
    """
    path = Path(folder) / PARAMETERS_FILE
    try:
        download(PARAMETERS_URL, path, PARAMETERS_SHA256, PARAMETERS_SIZE)
    except UserError as error:
        raise UserError(
            f"NIQE needs {path}: {error}; or bring BasicSR's file from another "
            "machine: see docs/models.md"
        ) from error

    # Its sha256 is the known one, so it holds what it should.
    with np.load(path) as arrays:
        return NIQEParameters(
            mean=arrays["mu_pris_param"].ravel(),
            covariance=arrays["cov_pris_param"],
            window=arrays["gaussian_window"],
        )


def niqe(
    image: np.ndarray,
    parameters: NIQEParameters,
    *,
    convert_to: Channel = "y",
) -> float:
    """Return the NIQE of an image: a distance from undistorted photographs.

    Lower is better: about 3 to 5 for good photographs. Infinity where fewer than two
    blocks have any texture, so that there are no statistics to compare.

    Args:
        image: uint8, (H, W) gray or (H, W, 3) RGB.
        parameters: see `load_niqe`.
        convert_to: which gray is made of RGB.

    Raises:
        UserError: it has not two blocks of 96 x 96 pixels.
    """
    gray = _to_gray(image, convert_to)
    rows, columns = (side // BLOCK for side in gray.shape)
    if rows * columns < LEAST_BLOCKS:
        raise UserError(
            f"NIQE needs {BLOCK}x{2 * BLOCK} pixels or more inside the border, "
            f"not {gray.shape[1]}x{gray.shape[0]}"
        )
    # Rounded as in MATLAB, whose images are integers.
    gray = np.rint(gray[: rows * BLOCK, : columns * BLOCK])

    features = _features(gray, BLOCK, parameters.window)
    half = _halved(gray / np.float32(255)) * np.float32(255)
    half_features = _features(half, BLOCK // 2, parameters.window)
    return _distance(np.concatenate([features, half_features], axis=1), parameters)


def _to_gray(image: np.ndarray, convert_to: Channel) -> np.ndarray:
    """Return an image as float32 (H, W), in [0, 255] or, Y, in [16, 235]."""
    pixels = image.astype(np.float32)
    if image.ndim == 2:
        return pixels

    pixels /= np.float32(255)
    if convert_to == "gray":
        # From BGR, as BasicSR, so that ties round as there.
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY) * np.float32(255)

    luma = 16 + pixels @ LUMA
    # Through [0, 1] in float32 for the same reason.
    unit = (luma / 255).astype(np.float32)
    return unit * np.float32(255)


def _features(gray: np.ndarray, side: int, window: np.ndarray) -> np.ndarray:
    """Return the features of each block, float64 (blocks, 18).

    Args:
        gray: float32 (H, W) in [0, 255], of whole blocks.
        side: of the blocks [pixels].
        window: see `NIQEParameters`.
    """
    normalized = _normalized(gray, window)
    rows, columns = (length // side for length in gray.shape)
    found = []
    for column in range(columns):
        for row in range(rows):
            block = normalized[row * side :, column * side :][:side, :side]
            found.append(_block_features(block))
    return np.array(found)


def _normalized(gray: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return gray less its local mean, over its local deviation (equation 1)."""
    mean = convolve(gray, window, mode="nearest")
    mean_square = convolve(np.square(gray), window, mode="nearest")
    variance = np.abs(mean_square - np.square(mean))
    deviation = np.sqrt(variance)
    return (gray - mean) / (deviation + 1)


def _block_features(block: np.ndarray) -> list[float]:
    """Return the 18 features of a block: NaN where it has no texture."""
    shape, left, right = _fit(block)
    features = [shape, (left + right) / 2]
    for shift in NEIGHBORS:
        shape, left, right = _fit(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * (gamma(2 / shape) / gamma(1 / shape))  # equation 8
        features += [shape, mean, left, right]
    return features


def _fit(block: np.ndarray) -> tuple[float, float, float]:
    """Return the asymmetric generalized Gaussian of a block: equation 7.

    By moments (Lasmar, Stitou and Berthoumieu 2009): its shape, and its width on the
    left and on the right.
    """
    negative = block[block < 0]
    positive = block[block > 0]
    # In float64: the order of float32 sums depends on NumPy's version.
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt(np.square(negative).sum(dtype=np.float64) / negative.size)
        right = np.sqrt(np.square(positive).sum(dtype=np.float64) / positive.size)
        ratio = left / right
        mean_square = np.square(block).mean(dtype=np.float64)
        moments = np.square(np.abs(block).mean(dtype=np.float64)) / mean_square

    cubes = (ratio**3 + 1) * (ratio + 1)
    squares = np.square(ratio) + 1
    skew = cubes / np.square(squares)
    errors = _moment_ratios() - moments * skew
    nearest = np.argmin(np.square(errors))
    shape = _SHAPES[nearest]

    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * width, right * width


@cache
def _moment_ratios() -> np.ndarray:
    """Return the squared mean magnitude over the mean square, for each of `_SHAPES`."""
    inverse = 1 / _SHAPES
    magnitude = gamma(2 * inverse)
    mean_square = gamma(inverse) * gamma(3 * inverse)
    return np.square(magnitude) / mean_square


def _halved(gray: np.ndarray) -> np.ndarray:
    """Return gray (H, W) of even sides at half the size, as MATLAB's imresize does."""
    smooth = correlate1d(gray, _TAPS, axis=0, mode="reflect", origin=-1)
    rows = smooth[::2]
    smooth = correlate1d(rows, _TAPS, axis=1, mode="reflect", origin=-1)
    return smooth[:, ::2]


def _distance(features: np.ndarray, parameters: NIQEParameters) -> float:
    """Return how far features (blocks, 36) are from the parameters: equation 10."""
    complete = features[~np.isnan(features).any(axis=1)]
    if len(complete) < LEAST_BLOCKS:
        return float("inf")

    covariance = np.cov(complete, rowvar=False)
    # The authors' mean takes what a block without texture at one scale has at the other.
    difference = parameters.mean - np.nanmean(features, axis=0)
    inverse = np.linalg.pinv((parameters.covariance + covariance) / 2)
    return float(np.sqrt(difference @ inverse @ difference))
