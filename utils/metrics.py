"""PSNR and SSIM as papers on super-resolution report them; how far colours are apart, and how sharp a picture is."""

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from realesrgan_paddle.utils.errors import UserError

SSIM_WINDOW = 11  # Wang et al. 2004, section III-C: 11x11 Gaussian window, sigma 1.5
COLOUR_BLOCK = 16  # [pixels]; finer than that is texture


def luma(image: np.ndarray) -> np.ndarray:
    """Return the Y channel of an RGB image, float64 (H, W) in [16, 235], unrounded.

    ITU-R BT.601 as MATLAB's rgb2ycbcr has it, which the papers use.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    return 16 + image.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)


def psnr(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    crop_border: int = 0,
    y_channel: bool = False,
) -> float:
    """Return the peak signal-to-noise ratio in dB; infinity for equal images.

    Args:
        image: uint8, (H, W) gray or (H, W, 3) RGB.
        reference: the ground truth, of the same shape.
        crop_border: pixels left out at each border.
        y_channel: compare only the Y channel of RGB images (see `luma`).
    """
    image, reference = cropped_pair(image, reference, crop_border, y_channel)
    error = np.mean((image - reference) ** 2)
    return float(20 * np.log10(255) - 10 * np.log10(error)) if error else float("inf")


def ssim(
    image: np.ndarray,
    reference: np.ndarray,
    *,
    crop_border: int = 0,
    y_channel: bool = False,
) -> float:
    """Return the structural similarity, at most 1, averaged over pixels and channels; arguments as in `psnr`.

    Wang et al. 2004 with K1 = 0.01, K2 = 0.03; only where the window lies inside the
    image counts.

    Raises:
        UserError: the image is smaller than the window.
    """
    image, reference = cropped_pair(image, reference, crop_border, y_channel)
    if min(image.shape[:2]) < SSIM_WINDOW:
        raise UserError(
            f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, not {image.shape[1]}x{image.shape[0]}"
        )
    channel_axis = 2 if image.ndim == 3 else None
    value = structural_similarity(
        image,
        reference,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=channel_axis,
    )
    return float(value)


def mean_delta_e(image: np.ndarray, reference: np.ndarray) -> float:
    """Return how far the colours of two pictures are apart: the mean CIEDE2000 of blocks of 16 x 16 pixels.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 Color-Difference Formula", as scikit-image
    has it, sRGB under D65; 1 is about what the eye can just tell. Blocks are averaged
    first, so that texture does not count.

    Args:
        image: uint8 (H, W, 3) RGB.
        reference: of the same shape.
    """
    return float(
        deltaE_ciede2000(_block_colours(reference), _block_colours(image)).mean()
    )


def sobel_magnitude(image: np.ndarray) -> np.ndarray:
    """Return the magnitude of the luma's gradient at each pixel (Sobel), float32 (H, W); its mean tells sharpness.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.hypot(
        cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    )


def _block_colours(image: np.ndarray) -> np.ndarray:
    """Return the mean colour of each block as CIELAB (rows, columns, 3)."""
    rows, columns = (max(1, side // COLOUR_BLOCK) for side in image.shape[:2])
    return rgb2lab(
        cv2.resize(
            image.astype(np.float32) / 255,
            (columns, rows),
            interpolation=cv2.INTER_AREA,
        )
    )


def cropped_pair(
    image: np.ndarray, reference: np.ndarray, crop_border: int, y_channel: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return both images as float64, cropped, of one channel where `y_channel` asks for it; arguments as in `psnr`.

    Raises:
        UserError: the shapes differ, or nothing is left.
    """
    if image.shape != reference.shape:
        raise UserError(
            f"images of {image.shape} and {reference.shape} cannot be compared"
        )
    inner = slice(crop_border, -crop_border or None)
    both = (image[inner, inner], reference[inner, inner])
    if not both[0].size:
        raise UserError(
            f"crop_border {crop_border} leaves nothing of {image.shape[1]}x{image.shape[0]}"
        )
    if y_channel and image.ndim == 3:
        return luma(both[0]), luma(both[1])
    return both[0].astype(np.float64), both[1].astype(np.float64)
