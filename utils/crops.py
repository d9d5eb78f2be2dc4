"""Rectangular crops of images, and where an image has most detail."""

from argparse import ArgumentTypeError
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Crop:
    """A rectangle of an image, in that image's pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    @property
    def right(self) -> int:
        """The first column right of the crop."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the crop."""
        return self.y + self.height

    def of(self, image: np.ndarray, scale: int = 1) -> np.ndarray:
        """Return this crop of an image `scale` times the size it was chosen at."""
        top = self.y * scale
        bottom = self.bottom * scale
        left = self.x * scale
        right = self.right * scale
        return image[top:bottom, left:right]

    def touches(self, other: "Crop") -> bool:
        """Return whether two crops of one image overlap."""
        in_x = self.x < other.right and other.x < self.right
        in_y = self.y < other.bottom and other.y < self.bottom
        return in_x and in_y

    def common_area(self, other: "Crop") -> int:
        """Return how many pixels two crops of one image have in common."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0, width) * max(0, height)


def most_detailed(image: np.ndarray, size: int, count: int) -> list[Crop]:
    """Return up to `count` crops with the most detail, best first, without overlap.

    Detail is the mean Sobel gradient magnitude of the luma.

    Args:
        image: uint8 RGB (H, W, 3).
        size: side of the crops [pixels]; an image smaller than that is one crop.
        count: how many to find.
    """
    width = min(size, image.shape[1])
    height = min(size, image.shape[0])
    mean = _mean_detail(image, width, height)

    crops: list[Crop] = []
    while len(crops) < count and np.isfinite(mean).any():
        best = np.unravel_index(np.argmax(mean), mean.shape)
        y, x = int(best[0]), int(best[1])
        crops.append(Crop(x, y, width, height))
        _rule_out_overlaps(mean, crops[-1])
    return crops


def sobel_magnitude(image: np.ndarray) -> np.ndarray:
    """Return the Sobel gradient magnitude of the luma, float32 (H, W).

    Its mean measures sharpness.

    Args:
        image: uint8 (H, W, 3) RGB.
    """
    rounded = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gray = rounded.astype(np.float32)
    in_x = cv2.Sobel(gray, cv2.CV_32F, 1, 0)
    in_y = cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    return np.hypot(in_x, in_y)


def _rule_out_overlaps(mean: np.ndarray, crop: Crop) -> None:
    """Set the positions from which a crop of the same size would overlap to -inf."""
    first_row = crop.y - crop.height + 1
    first_column = crop.x - crop.width + 1
    top = max(0, first_row)
    left = max(0, first_column)
    overlapping = mean[top : crop.bottom, left : crop.right]
    overlapping[...] = -np.inf


def _mean_detail(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the mean detail of each crop by its top left pixel (rows, columns)."""
    mean = cv2.boxFilter(
        sobel_magnitude(image),
        -1,  # depth as the input's
        (width, height),
        anchor=(0, 0),
        borderType=cv2.BORDER_REFLECT,
    )
    rows = image.shape[0] - height + 1
    columns = image.shape[1] - width + 1
    return mean[:rows, :columns]


def parse_crop(text: str) -> Crop:
    """Return the crop of "X,Y,W,H", for argparse."""
    words = text.split(",")
    are_numbers = len(words) == 4 and all(word.isdigit() for word in words)
    if not are_numbers or "0" in words[2:]:
        raise ArgumentTypeError(f"{text!r} is not X,Y,W,H, such as 40,60,96,96")
    return Crop(*map(int, words))
