"""The rows of panels and the mean metrics that before/after sheets and pages show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Panel:
    """One crop of an image as one method made it."""

    label: str
    """The method; the column's heading."""
    image: np.ndarray
    """uint8 RGB (H, W, 3); all panels of a row have the same aspect ratio."""
    note: str = ""
    """Text below the panel, such as "27.31 dB"."""
    file: str = ""
    """Path of the image relative to a page that shall not hold the image itself."""


@dataclass(frozen=True)
class Row:
    """Panels that show the same crop of one image."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class MetricFormat:
    """How a metric is printed, and whether lower values are better."""

    name: str
    digits: int
    unit: str = ""
    lower_is_better: bool = False

    def text(self, value: float) -> str:
        """Return the value with its unit, such as "27.31 dB"."""
        text = f"{value:.{self.digits}f}"
        if self.unit:
            text += f" {self.unit}"
        return text


METRIC_FORMATS = {
    "psnr": MetricFormat("PSNR", 2, "dB"),
    "ssim": MetricFormat("SSIM", 4),
    "lpips": MetricFormat("LPIPS", 4, lower_is_better=True),
    "dists": MetricFormat("DISTS", 4, lower_is_better=True),
    "niqe": MetricFormat("NIQE", 3, lower_is_better=True),
}


@dataclass(frozen=True)
class Mean:
    """The mean metrics of one method."""

    label: str
    values: Mapping[str, float]
    """By the metrics' names in `METRIC_FORMATS`; PSNR may be infinite."""
    lattice: float
    """See `utils.lattice`."""
    has_grid: bool
    """Whether `lattice` says that a regular grid shows: then it is never the best."""

    def __str__(self) -> str:
        """Return all metrics in one line, such as "27.31 dB PSNR, 0.8210 SSIM ..."."""
        parts = []
        for name, value in self.values.items():
            metric = METRIC_FORMATS[name]
            parts.append(f"{metric.text(value)} {metric.name}")
        warning = " (a grid shows)" if self.has_grid else ""
        parts.append(f"{self.lattice:.2f} lattice{warning}")
        return ", ".join(parts)


def evenly_spaced(items: Sequence[T], count: int) -> list[T]:
    """Return at most `count` of the items, at equal distances, the first included."""
    total = len(items)
    count = min(count, total)
    spaced = []
    for number in range(count):
        place = number * total // count
        spaced.append(items[place])
    return spaced
