"""Rectangular crops of images, and where an image has most detail."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.utils.metrics import sobel_magnitude


@dataclass(frozen=True)
class Crop:
    """A rectangle of an image, in that image's pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def of(self, image: np.ndarray, scale: int = 1) -> np.ndarray:
        """Return this crop of an image `scale` times the size it was chosen at."""
        top, left = self.y * scale, self.x * scale
        bottom, right = top + self.height * scale, left + self.width * scale
        return image[top:bottom, left:right]

    def touches(self, other: "Crop") -> bool:
        """Return whether two crops of one image overlap."""
        in_x = self.x < other.x + other.width and other.x < self.x + self.width
        in_y = self.y < other.y + other.height and other.y < self.y + self.height
        return in_x and in_y


def most_detailed(image: np.ndarray, size: int, count: int) -> list[Crop]:
    """Return up to `count` crops with the most detail, best first, without overlap.

    Detail is the mean Sobel gradient magnitude of the luma.

    Args:
        image: uint8 RGB (H, W, 3).
        size: side of the crops [pixels]; an image smaller than that is one crop.
        count: how many to find.
    """
    width, height = min(size, image.shape[1]), min(size, image.shape[0])
    # The box filter anchored at (0, 0) gives each crop's mean at its top left pixel.
    mean = cv2.boxFilter(
        sobel_magnitude(image),
        -1,
        (width, height),
        anchor=(0, 0),
        borderType=cv2.BORDER_REFLECT,
    )
    mean = mean[: image.shape[0] - height + 1, : image.shape[1] - width + 1]

    crops: list[Crop] = []
    while len(crops) < count and np.isfinite(mean).any():
        y, x = np.unravel_index(np.argmax(mean), mean.shape)
        crops.append(Crop(int(x), int(y), width, height))
        # Rule out every position whose crop would overlap this one.
        top, left = max(0, y - height + 1), max(0, x - width + 1)
        mean[top : y + height, left : x + width] = -np.inf
    return crops
