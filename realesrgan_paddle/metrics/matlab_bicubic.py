"""MATLAB's bicubic `imresize`, by which papers make low-resolution images.

Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing", a = -0.5. As
MATLAB documents `imresize`: where an image is made smaller, the kernel is widened by
the factor (antialiasing). Rows are resized and rounded to uint8 first, then columns, and
beyond a border its pixels are repeated: so the result equals, to the bit, the Set5 that
Huang et al. 2015 (SelfExSR) published. Later MATLABs mirror images at their borders, which
changes the outer two pixels.
"""

import numpy as np

KERNEL_WIDTH = 4
"""Pixels on which the cubic kernel is not 0."""


NEAR = (1.5, -2.5, 0, 1)
FAR = (-0.5, 2.5, -4, 2)
"""The kernel's coefficients, highest power first, up to a distance of 1 and of 2."""


def resize_bicubic(image: np.ndarray, scale: float) -> np.ndarray:
    """Return an image resized as by MATLAB's `imresize(image, scale)`.

    uint8 RGB (ceil(scale * H), ceil(scale * W), 3), rounded to the nearest level.

    Args:
        image: uint8 RGB (H, W, 3).
        scale: above 1 enlarges, below 1 makes smaller.
    """
    columns_first = _resize_rows(image, scale).transpose(1, 0, 2)
    resized = _resize_rows(columns_first, scale).transpose(1, 0, 2)
    return np.ascontiguousarray(resized)


def _resize_rows(image: np.ndarray, scale: float) -> np.ndarray:
    """Return uint8 (ceil(scale * H), W, 3) of uint8 (H, W, 3)."""
    indices, weights = contributions(len(image), scale)
    shape = (len(indices), *image.shape[1:])
    result = np.zeros(shape)

    # The taps of all output rows, one after another.
    for places, factors in zip(indices.T, weights.T, strict=True):
        rows = image[places]
        result += factors[:, None, None] * rows

    # MATLAB rounds halves up.
    levels = np.floor(result + 0.5)
    return np.clip(levels, 0, 255).astype(np.uint8)


def contributions(length: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which input pixels make each output pixel, and with what weights.

    Both are (ceil(scale * length), taps); the weights of a pixel add up to 1.
    """
    shrinking = min(scale, 1)
    width = KERNEL_WIDTH / shrinking
    count = int(np.ceil(round(length * scale, 6)))  # 9 * (1 / 3) may be above 3

    # The center of each output pixel, in input pixels: that of the first one is 0.
    middles = np.arange(count) + 0.5
    centers = middles / scale - 0.5
    lefts = np.floor(centers - width / 2)
    first = lefts.astype(int)
    taps = int(np.ceil(width)) + 2
    indices = first[:, None] + np.arange(taps)

    distances = centers[:, None] - indices
    weights = _cubic(shrinking * distances)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(indices, 0, length - 1), weights


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Return Keys's kernel with a = -0.5."""
    x = np.abs(distance)
    near = np.polyval(NEAR, x)
    far = np.polyval(FAR, x)
    far[x > 2] = 0
    return np.where(x <= 1, near, far)
