"""The benchmark's inputs: cut from a photograph, or painted."""

from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_rgb

AREA_PER_DISC = 15
"""Pixels of the picture for each disc: enough that discs cover nearly all."""
SMALLEST_RADIUS, LARGEST_RADIUS = 3.0, 50.0
GRAIN = 2.0
"""Standard deviation of the noise, in levels of 255."""
LARGEST = (1280, 720)
"""Width and height of what is painted; larger pictures repeat it, mirrored."""


def cut(path: Path, width: int, height: int) -> np.ndarray:
    """Return the middle of an image file, uint8 RGB (height, width, 3)."""
    image = np.rint(255 * read_rgb(path)).astype(np.uint8)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if min(top, left) < 0:
        found = f"{image.shape[1]}x{image.shape[0]}"
        raise UserError(f"{path}: {found} pixels are less than {width}x{height}")
    return image[top : top + height, left : left + width]


def paint(width: int, height: int) -> np.ndarray:
    """Return a picture of discs upon discs, uint8 RGB (height, width, 3).

    Radii r are distributed as 1 / r^3, with which the picture has edges and a spectrum
    like a photograph's: Lee, Mumford & Huang 2001, "Occlusion Models for Natural
    Images", section 4. It is smoothed as by a lens, and has some grain.
    """
    rng = np.random.default_rng(0)
    size = min(width, LARGEST[0]), min(height, LARGEST[1])
    discs = _discs(*size, rng)
    smooth = cv2.GaussianBlur(discs, (0, 0), 0.8)

    margins = ((0, height - size[1]), (0, width - size[0]), (0, 0))
    picture = np.pad(smooth, margins, "symmetric")
    picture = picture + GRAIN * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _discs(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image = np.full((height, width, 3), 128, np.uint8)
    for _ in range(width * height // AREA_PER_DISC):
        radius = SMALLEST_RADIUS * (1 + rng.pareto(2))
        radius = min(radius, LARGEST_RADIUS)
        center = int(rng.integers(width)), int(rng.integers(height))
        tint = rng.normal(0, 20, 3)
        color = np.clip(rng.uniform(20, 236) + tint, 0, 255).tolist()
        cv2.circle(image, center, int(radius), color, -1, cv2.LINE_AA)
    return image
