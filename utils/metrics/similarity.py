"""PSNR and SSIM as super-resolution papers report them, color difference and sharpness."""

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from realesrgan_paddle.utils.crops import sobel_magnitude
from realesrgan_paddle.utils.errors import UserError

SSIM_WINDOW = 11
"""Side of SSIM's Gaussian window, sigma 1.5: Wang et al. 2004, section III-C."""

COLOR_BLOCK = 16
"""Side of the blocks whose mean colors are compared [pixels]; chosen by eye."""

MIN_GRADIENT = 1e-3
"""Added to mean gradients, by which flat images have some [levels per pixel]."""

# Weights of R, G and B in luma [16, 235] for inputs in [0, 1]: ITU-R BT.601, as in
# MATLAB's rgb2ycbcr.
LUMA = np.array([65.481, 128.553, 24.966])


def luma(image: np.ndarray) -> np.ndarray:
    """Return the Y channel of an RGB image, float64 (H, W) in [16, 235], unrounded.

    ITU-R BT.601 as in MATLAB's rgb2ycbcr, which the papers use.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    weights = LUMA / 255
    return 16 + image.astype(np.float64) @ weights


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    y_channel: bool = False,
) -> float:
    """Return the peak signal-to-noise ratio in dB; infinity for equal images.

    Args:
        image: uint8, (H, W) gray or (H, W, 3) RGB.
        reference: the ground truth, of the same shape.
        y_channel: compare only the Y channel of RGB images (see `luma`).
    """
    image, reference = _compared(image, reference, y_channel)
    error = np.mean((image - reference) ** 2)
    if error == 0:
        return float("inf")
    return float(20 * np.log10(255) - 10 * np.log10(error))


def ssim(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    y_channel: bool = False,
) -> float:
    """Return the structural similarity, averaged over pixels and channels; at most 1.

    Wang et al. 2004 with K1 = 0.01, K2 = 0.03; only windows that lie inside the image
    count. Arguments as in `psnr`.

    Raises:
        UserError: the image is smaller than the window.
    """
    image, reference = _compared(image, reference, y_channel)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise UserError(
            f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, "
            f"not {image.shape[1]}x{image.shape[0]}"
        )
    value = structural_similarity(
        image,
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if image.ndim == 3 else None,
    )
    return float(value)


def mean_delta_e(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean CIEDE2000 color difference of blocks of 16 x 16 pixels.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 Color-Difference Formula", as implemented
    by scikit-image, for sRGB under D65; 1 is about the smallest visible difference.
    Blocks are averaged first, so that texture does not count.

    Args:
        image: uint8 (H, W, 3) RGB.
        reference: of the same shape.
    """
    differences = deltaE_ciede2000(_block_colors(reference), _block_colors(image))
    return float(differences.mean())


def _block_colors(image: np.ndarray) -> np.ndarray:
    """Return the mean color of each block as CIELAB (rows, columns, 3)."""
    rows, columns = (max(1, side // COLOR_BLOCK) for side in image.shape[:2])
    means = cv2.resize(
        image.astype(np.float32) / 255,
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )
    return rgb2lab(means)


def _compared(
    image: np.ndarray, reference: np.ndarray, y_channel: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of both images that are compared, as float64.

    Raises:
        UserError: the shapes differ.
    """
    if image.shape != reference.shape:
        raise UserError(
            f"images of {image.shape} and {reference.shape} cannot be compared"
        )
    if y_channel and image.ndim == 3:
        return luma(image), luma(reference)
    return image.astype(np.float64), reference.astype(np.float64)


def sharpness(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean gradient of an image relative to that of its reference; see below.

    1 is as sharp as the reference, usually the ground truth; less is softer.

    Args:
        image: uint8 (H, W, 3) RGB.
        reference: of the same shape.
    """
    return mean_gradient(image) / mean_gradient(reference)


def mean_gradient(image: np.ndarray) -> float:
    """Return the mean Sobel gradient magnitude of the luma, plus `MIN_GRADIENT`.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    return float(sobel_magnitude(image).mean()) + MIN_GRADIENT


def without_border(image: np.ndarray, border: int) -> np.ndarray:
    """Return an image (H, W, ...) without so many pixels at each border.

    Raises:
        UserError: nothing is left.
    """
    inner = slice(border, -border or None)
    kept = image[inner, inner]
    if not kept.size:
        raise UserError(
            f"crop_border {border} leaves nothing of {image.shape[1]}x{image.shape[0]} "
            "pixels"
        )
    return np.ascontiguousarray(kept)
