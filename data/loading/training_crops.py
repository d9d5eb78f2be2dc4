"""Crops of training images: padded, chosen, flipped and laid out for training."""

import cv2
import numpy as np

from realesrgan_paddle.options.schema.datasets import ImageOptions
from realesrgan_paddle.utils.crops import sobel_magnitude
from realesrgan_paddle.utils.images import eight_bits


def augment(
    images: list[np.ndarray], options: ImageOptions, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the images randomly flipped and transposed, all in the same way.

    As BasicSR's `augment`: `use_hflip` allows horizontal flips, `use_rot` vertical
    flips and transposition.
    """
    hflip, vflip, transpose = rng.random(3) < 0.5
    if hflip and options.use_hflip:
        images = [image[:, ::-1] for image in images]
    if vflip and options.use_rot:
        images = [image[::-1] for image in images]
    if transpose and options.use_rot:
        images = [image.transpose(1, 0, 2) for image in images]
    return images


def pad_to(image: np.ndarray, side: int) -> np.ndarray:
    """Return `image` with reflected pixels at the bottom and right, up to `side`."""
    height, width = image.shape[:2]
    bottom = max(0, side - height)
    right = max(0, side - width)
    if bottom == right == 0:
        return image
    return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REFLECT_101)


def choose_corner(
    image: np.ndarray,
    side: int,
    candidates: int,
    rng: np.random.Generator,
    step: int = 1,
) -> tuple[int, int]:
    """Return top and left of a square crop at random, or of several that with most detail.

    Args:
        image: uint8 or uint16 RGB (H, W, 3), no smaller than the crop.
        side: side of the crop [pixels].
        candidates: how many crops are drawn.
        rng: source of the draws.
        step: top and left are multiples of it [pixels].
    """
    height, width = image.shape[:2]
    corners: list[tuple[int, int]] = []
    for _ in range(candidates):
        top = int(rng.integers(0, (height - side) // step + 1)) * step
        left = int(rng.integers(0, (width - side) // step + 1)) * step
        corners.append((top, left))
    if candidates == 1:
        return corners[0]
    return max(corners, key=lambda at: _detail(crop_at(image, at[0], at[1], side)))


def _detail(crop: np.ndarray) -> float:
    """Return the mean Sobel gradient magnitude of the luma."""
    return float(sobel_magnitude(eight_bits(crop)).mean())


def crop_at(image: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    """Return the square of `side` pixels whose corner is at `top` and `left`."""
    bottom = top + side
    right = left + side
    return image[top:bottom, left:right]


def channels_first(crop: np.ndarray) -> np.ndarray:
    """Return a crop as a (3, H, W) of its own, without the image that it is cut from."""
    return np.ascontiguousarray(crop.transpose(2, 0, 1))
