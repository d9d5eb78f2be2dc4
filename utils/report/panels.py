"""What a before/after sheet or page shows, and where to look: no networks here, only finished pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from realesrgan_paddle.utils.metrics import gradient

T = TypeVar("T")


@dataclass(frozen=True)
class Panel:
    """One picture of a row: the same piece of an image, made by one method."""

    label: str
    """The method, the column's head."""
    image: np.ndarray
    """uint8 RGB (H, W, 3); of one size in a row."""
    note: str = ""
    """A figure to print beneath, such as "27.31 dB"."""


@dataclass(frozen=True)
class Row:
    """Panels that show the same piece of one image."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Figure:
    """How a metric is written, and which way it is better."""

    name: str
    digits: int
    unit: str = ""
    lowest: bool = False

    def text(self, value: float) -> str:
        """Return the value with its unit, such as "27.31 dB"."""
        return f"{value:.{self.digits}f}{self.unit and ' ' + self.unit}"


FIGURES = {
    "psnr": Figure("PSNR", 2, "dB"),
    "ssim": Figure("SSIM", 4),
    "lpips": Figure("LPIPS", 4, lowest=True),
    "dists": Figure("DISTS", 4, lowest=True),
}


@dataclass(frozen=True)
class Mean:
    """The mean metrics of one method."""

    label: str
    values: Mapping[str, float]
    """By their names in `FIGURES`; PSNR may be infinite."""

    def __str__(self) -> str:
        """Return the figures as a line, such as "27.31 dB PSNR, 0.8210 SSIM"."""
        return ", ".join(
            f"{FIGURES[name].text(value)} {FIGURES[name].name}"
            for name, value in self.values.items()
        )


@dataclass(frozen=True)
class Crop:
    """A piece of an image, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def of(self, image: np.ndarray, scale: int = 1) -> np.ndarray:
        """Return this piece of an image that is `scale` times as large as the one the crop was chosen in."""
        top, left = self.y * scale, self.x * scale
        return image[top : top + self.height * scale, left : left + self.width * scale]

    def touches(self, other: "Crop") -> bool:
        """Return whether two pieces of one image have a pixel in common."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return (
            across
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


def most_detailed(image: np.ndarray, size: int, count: int) -> list[Crop]:
    """Return up to `count` crops that hold most detail, best first; they do not overlap.

    Detail is the mean gradient magnitude (Sobel) of the luma.

    Args:
        image: uint8 RGB (H, W, 3).
        size: sides of the crops; of a smaller image, the crop is all.
        count: how many to find.
    """
    width, height = min(size, image.shape[1]), min(size, image.shape[0])
    mean = cv2.boxFilter(
        gradient(image),
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
        mean[
            max(0, y - height + 1) : y + height, max(0, x - width + 1) : x + width
        ] = -np.inf
    return crops


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return at most `count` of the items, spread evenly."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]
