"""Rectangular crops of images, and where an image has most detail."""

from argparse import ArgumentTypeError
from dataclasses import dataclass

import cv2
import numpy as np

CORNER_WINDOW = 7
"""Side of the window in which edges of two directions make a corner [pixels]."""


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
        left, right = max(self.x, other.x), min(self.right, other.right)
        top, bottom = max(self.y, other.y), min(self.bottom, other.bottom)
        width = max(0, right - left)
        height = max(0, bottom - top)
        return width * height


def most_detailed(image: np.ndarray, size: int, count: int) -> list[Crop]:
    """Return up to `count` crops with the most detail, best first, without overlap.

    Detail is the mean Sobel gradient magnitude of the luma.

    Args:
        image: uint8 RGB (H, W, 3).
        size: side of the crops [pixels]; an image smaller than that is one crop.
        count: how many to find.
    """
    return _best_crops(sobel_magnitude(image), size, count)


def most_different(
    image: np.ndarray, other: np.ndarray, scale: int, size: int, count: int
) -> list[Crop]:
    """Return up to `count` crops where two images differ most; as `most_detailed`.

    Where they are equal, the crops are the most detailed ones.

    Args:
        image: uint8 RGB (H, W, 3).
        other: of the same shape.
        scale: the crops are of the image that is so many times smaller; H and W are
            multiples.
        size: side of the crops, in pixels of the smaller image.
        count: how many to find.
    """
    difference = visible_difference(image, other, scale)
    if not difference.any():
        height, width = (side // scale for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        return most_detailed(small, size, count)
    return _best_crops(difference, size, count)


def visible_difference(image: np.ndarray, other: np.ndarray, scale: int) -> np.ndarray:
    """Return how much two images differ where they show something, float32 (h, w).

    Absolute differences, times how strong the corners are there, squared. Grass and noise
    differ most by their sum, lines by their edges, but nobody could say which is right; a
    person or a letter shows, and squared it counts for more than a crowd.

    Args:
        image: uint8 RGB (scale * h, scale * w, 3).
        other: of the same shape.
        scale: see above.
    """
    height, width = (side // scale for side in image.shape[:2])
    difference = cv2.absdiff(image, other).mean(axis=2, dtype=np.float32)
    reduced = cv2.resize(difference, (width, height), interpolation=cv2.INTER_AREA)

    # Texture that is finer than about two pixels of the smaller image is no corner.
    both = cv2.addWeighted(image, 0.5, other, 0.5, 0)
    small = cv2.resize(both, (width, height), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1), cv2.COLOR_RGB2GRAY)
    # Shi and Tomasi 1994, "Good Features to Track": 0 along a straight edge.
    strength = cv2.cornerMinEigenVal(gray.astype(np.float32), CORNER_WINDOW, ksize=3)
    weighted = reduced * np.sqrt(strength.clip(0))
    return weighted**2 if weighted.any() else reduced


def _best_crops(values: np.ndarray, size: int, count: int) -> list[Crop]:
    """Return the crops with the largest means of values, float32 (H, W), without overlap."""
    height, width = (min(size, side) for side in values.shape)
    mean = _crop_means(values, width, height)

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


def _crop_means(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the mean over each crop by its top left pixel (rows, columns)."""
    mean = cv2.boxFilter(
        values,
        -1,  # depth as the input's
        (width, height),
        anchor=(0, 0),
        borderType=cv2.BORDER_REFLECT,
    )
    rows = values.shape[0] - height + 1
    columns = values.shape[1] - width + 1
    return mean[:rows, :columns]


def parse_crop(text: str) -> Crop:
    """Return the crop of "X,Y,W,H", for argparse."""
    words = text.split(",")
    are_numbers = len(words) == 4 and all(word.isdigit() for word in words)
    if not are_numbers or "0" in words[2:]:
        raise ArgumentTypeError(f"{text!r} is not X,Y,W,H, such as 40,60,96,96")
    return Crop(*map(int, words))
