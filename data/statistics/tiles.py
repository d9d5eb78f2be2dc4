"""Detail above the noise, tile by tile: what tells a good patch from sky and blur."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.crops import Crop

# Where no source is named, a value was chosen on frames spoilt in known ways, of the
# sources that docs/footage.md names for setting, and measured on others.

TILE = 32
"""Side [pixels] of the tiles that detail and edges are measured in.

So a sharp subject in front of a soft background counts as sharp.
"""

WHITE_FINE = 0.6406
WHITE_MIDDLE = 0.0745
WHITE_COARSE = 0.0143
"""Variance that white noise of variance 1 has in each of the three bands.

Sums of the squared filter weights; `tests/sets/test_best_patches.py` computes them.
"""

NOISE_FACTOR = 2.5
"""The middle band must hold this many times what white noise with the power of the fine
band would have there: grain of a codec is no longer white, and estimates of a tile
scatter.
"""

MAX_NOISE = 16.0
"""Standard deviation [8-bit levels] of the strongest grain; more is a texture."""

MIN_DETAIL = 0.8
"""RMS [8-bit levels] of the middle band, above the noise, of a tile with detail."""

MIN_GRAIN, MAX_GRAIN = 0.3, 8.0
"""RMS [8-bit levels] of the middle band of grain that is not white, which the kurtosis
tells from detail. A quieter tile has no kurtosis to speak of."""

MAX_GRAIN_KURTOSIS = 3.3
"""Grain is Gaussian: its kurtosis is 3, whatever its size and color. Measured on the
middle band, median of 5 x 5 tiles: grain 2.9 to 3.1, also after JPEG of quality 80;
scenes 3.6 to 5.
"""

MIN_GRAIN_SLOPE = 1.2
"""Grain fades from the middle to the coarse band: RMS 2.3 to 1 if it is white, 1.5 to 1
as a Gaussian of sigma 0.8, 1.3 to 1 of sigma 1. Scenes have 0.8 to 1.1."""

NOISE_PERCENTILE = 5
"""The fine band of the quietest tiles is noise, of which all tiles have some."""

MIN_TILES_FOR_NOISE = 100 // NOISE_PERCENTILE
"""Of fewer, less than one whole tile would tell the noise, and need not be quiet: then
none is assumed, so a tiny image of smooth shapes alone is not soft."""

SHARP_PERCENTILE = 80
"""A frame is as sharp as the sharpest fifth of its tiles with detail."""

BLUR_RATIO = 0.25
"""Of fine to middle band, RMS, in an image of low frequencies alone."""

MIN_SHARPNESS = 0.5
"""Tiles are soft whose ratio is nearer to `BLUR_RATIO` than to that of the frame.

Measured: sharp tiles 0.46 to 1.3, after a Gaussian blur of sigma 2 or 3 0.28 to 0.47.
"""

MAX_BLURRED_RATIO = 0.5
"""No blurred tile has more, however sharp the rest of the frame is."""

MIN_STRUCTURE = 1.5
"""RMS [8-bit levels] of the coarse band from which a tile can be called soft: of grass,
which has less, compression takes the fine band at random."""


@dataclass(frozen=True)
class Tiles:
    """What each whole tile of an image shows; arrays of one value a tile."""

    detail: np.ndarray
    """RMS of detail above the noise [8-bit levels], float32; 0 where soft or flat."""
    is_soft: np.ndarray
    """bool: shows something, but out of focus."""

    def share(self, crop: Crop) -> float:
        """Return the share of the tiles within `crop` that have detail, 0 to 1."""
        detail = self.within(self.detail, crop)
        has_detail = detail > 0
        return float(has_detail.mean())

    def is_flat(self, crop: Crop, min_detail: float) -> bool:
        """Return whether fewer than that share of the tiles within `crop` have detail.

        False where it has too few of them to be judged.
        """
        return can_judge(crop) and self.share(crop) < min_detail

    def soft_share(self, crop: Crop) -> float:
        """Return the share of the tiles within `crop` that are soft, 0 to 1."""
        return float(self.within(self.is_soft, crop).mean())

    @staticmethod
    def within(values: np.ndarray, crop: Crop) -> np.ndarray:
        """Return the values of the tiles whose centers lie in `crop`; 0 if none."""
        half = TILE // 2
        top = (crop.y + half) // TILE
        left = (crop.x + half) // TILE
        bottom = (crop.bottom + half) // TILE
        right = (crop.right + half) // TILE

        inside = values[top:bottom, left:right]
        if inside.size:
            return inside
        return np.zeros((1, 1), values.dtype)


def can_judge(crop: Crop) -> bool:
    """Return whether `crop` has room for enough tiles to be judged by them."""
    return min(crop.width, crop.height) >= 2 * TILE


def judge_tiles(luma: np.ndarray) -> Tiles:
    """Return what each tile of an image shows.

    The image is divided into three bands of an octave each by a wavelet transform "a
    trous" (Starck, Murtagh and Bijaoui 1998, with the kernel 1 2 1). White noise has
    most of its power in the fine band, scenes have about as much in each, and blur takes
    the fine band first.

    Args:
        luma: uint8 (H, W).
    """
    bands = list(_bands(luma))
    fine, middle, coarse = (power for power, _ in bands)
    if_white = fine / WHITE_FINE
    may_be_noise = np.minimum(if_white, MAX_NOISE**2)
    of_noise = NOISE_FACTOR * WHITE_MIDDLE * may_be_noise
    above_noise = np.maximum(middle - of_noise, 0)

    is_above = above_noise >= MIN_DETAIL**2
    _, fourth = bands[1]
    is_grain = _is_grain(middle, coarse, fourth)
    has_detail = is_above & ~is_grain

    without_noise = fine - _noise_in_fine_band(fine)
    fine_detail = np.maximum(without_noise, 0)
    shown = np.maximum(middle, MIN_DETAIL**2)
    ratio = np.sqrt(fine_detail / shown)
    lowest = _lowest_ratio(ratio[has_detail], middle[has_detail])
    is_sharp = ratio >= lowest

    coarse_noise = NOISE_FACTOR * WHITE_COARSE * may_be_noise
    structure = coarse - coarse_noise
    shows_something = structure >= MIN_STRUCTURE**2
    is_good = has_detail & is_sharp
    strength = np.sqrt(above_noise)
    detail = np.where(is_good, strength, 0)
    is_soft = shows_something & ~is_good
    return Tiles(detail.astype(np.float32), is_soft)


def _bands(luma: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the means of the squares and of the fourth powers of each band, by tile."""
    smooth = luma.astype(np.float32)
    for spacing in (1, 2, 4):
        length = 2 * spacing + 1
        kernel = np.zeros(length, np.float32)
        kernel[[0, spacing, -1]] = 0.25, 0.5, 0.25
        smoother = cv2.sepFilter2D(smooth, cv2.CV_32F, kernel, kernel)
        band = smooth - smoother
        squares = cv2.multiply(band, band)

        # Without the margin into which filters spread what the next tile shows.
        inner = TILE - 4 * spacing
        fourth = cv2.multiply(squares, squares)
        yield _inner_means(squares, inner), _inner_means(fourth, inner)
        smooth = smoother


def _inner_means(values: np.ndarray, inner: int) -> np.ndarray:
    """Return the means of the middle `inner` x `inner` pixels of each whole tile."""
    height, width = values.shape
    bottom = height // TILE * TILE
    right = width // TILE * TILE

    means = cv2.boxFilter(values, -1, (inner, inner))
    middle = TILE // 2
    in_rows = slice(middle, bottom, TILE)
    in_columns = slice(middle, right, TILE)
    return means[in_rows, in_columns]


def _noise_in_fine_band(fine: np.ndarray) -> float:
    """Return the mean square of the noise in the fine band; 0 of too few tiles."""
    if fine.size < MIN_TILES_FOR_NOISE:
        return 0.0
    return float(np.percentile(fine, NOISE_PERCENTILE))


def _is_grain(middle: np.ndarray, coarse: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    """Return which tiles show nothing but grain, bool.

    Args:
        middle: mean squares of the middle band.
        coarse: mean squares of the coarse band.
        fourth: means of the fourth powers of the middle band.
    """
    if not middle.size:
        return np.zeros(middle.shape, bool)
    least = MIN_GRAIN**2
    loud = np.maximum(middle, least)
    kurtosis = fourth / loud**2
    kurtosis[middle < least] = np.inf
    coarse_power = np.maximum(coarse, least)
    slope = np.sqrt(loud / coarse_power)

    usual_kurtosis = cv2.medianBlur(kurtosis, 5)
    usual_slope = cv2.medianBlur(slope, 5)
    is_gaussian = usual_kurtosis < MAX_GRAIN_KURTOSIS
    fades = usual_slope > MIN_GRAIN_SLOPE
    is_weak = middle < MAX_GRAIN**2
    return is_gaussian & fades & is_weak


def _lowest_ratio(ratios: np.ndarray, middle: np.ndarray) -> float:
    """Return the ratio of fine to middle band from which a tile is sharp.

    Args:
        ratios: those of the frame's tiles with detail.
        middle: mean squares of their middle band. The stronger half tells how sharp the
            frame is: of weak detail the ratio is that of compression, too.
    """
    if not ratios.size:
        return 0.0
    strong = ratios[middle >= np.median(middle)]
    of_frame = float(np.percentile(strong, SHARP_PERCENTILE))
    lowest = BLUR_RATIO + MIN_SHARPNESS * (of_frame - BLUR_RATIO)
    return min(lowest, MAX_BLURRED_RATIO)


def means_of_parts(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the means of the whole parts of `height` x `width` of (H, W) values."""
    rows = values.shape[0] // height
    columns = values.shape[1] // width
    whole = values[: rows * height, : columns * width]
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
