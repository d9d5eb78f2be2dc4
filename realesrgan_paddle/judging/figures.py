"""The figures of single images, by which methods are compared in pairs."""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.crops import sobel_magnitude
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e

if TYPE_CHECKING:
    from realesrgan_paddle.data.loading.datasets import ValidationImage

ImageFigures = dict[str, dict[str, float]]
"""The figures of the images of one set: by the image's name and the figure's."""
Figures = dict[str, ImageFigures]
"""The figures of several sets, by their names."""

Measures = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]
"""Metrics by name; each takes an image and its ground truth, uint8 RGB (H, W, 3)."""

COLOR = "color"
"""Mean Delta E (CIEDE2000 of blocks of 16 x 16) from the bicubic enlargement of the
input, so it needs no ground truth: upscaling has no business with the color of areas."""
SHARPNESS = "sharpness"
"""Mean gradient, that of the bicubic enlargement of the input being 1."""
MIN_GRADIENT = 1e-3
"""Added to mean gradients before a division, for flat images [levels per pixel]."""


def image_figures(
    sr: np.ndarray,
    image: "ValidationImage",
    measures: Measures,
    scale: int,
    alone: Container[str] = (),
) -> dict[str, float]:
    """Return the figures of one result; PSNR is infinite where it is the ground truth.

    Args:
        sr: the result, uint8 RGB (H, W, 3).
        image: its input and, if known, ground truth.
        measures: of result and ground truth; without one they are left out.
        scale: how much larger the result is than the input.
        alone: names of the measures that look at the result alone.
    """
    bicubic = enlarge(image.lq, scale)
    figures = {
        COLOR: mean_delta_e(sr, bicubic),
        SHARPNESS: mean_gradient([sr]) / mean_gradient([bicubic]),
    }
    for name, measure in measures.items():
        reference = sr if name in alone else image.gt
        if reference is not None:
            figures[name] = measure(sr, reference)
    return figures


def add_image(figures: ImageFigures, name: str, values: dict[str, float]) -> None:
    """Add an image's values under its name, or where that is taken, a numbered name.

    Crops of one image, numbered so, count as one clip; see `clips_of`.
    """
    key, number = name, 1
    while key in figures:
        number += 1
        key = f"{name} {number}"
    figures[key] = values


def only_finite(figures: Figures) -> Figures:
    """Return the figures without those that are not finite, which no interval can have."""
    sets: Figures = {}
    for dataset, images in figures.items():
        sets[dataset] = {}
        for image, values in images.items():
            finite = {key: each for key, each in values.items() if math.isfinite(each)}
            sets[dataset][image] = finite
    return sets


def mean_of(figures: ImageFigures, metric: str) -> float:
    """Return the mean of a figure over the images that have it; NaN if none has."""
    found = [values[metric] for values in figures.values() if metric in values]
    return float(np.mean(found)) if found else math.nan


def mean_gradient(images: Sequence[np.ndarray]) -> float:
    """Return the mean gradient of the luma over all images [levels per pixel].

    With a little added, for flat images, which others are divided by.

    Args:
        images: uint8 RGB (H, W, 3).
    """
    means = [sobel_magnitude(image).mean() for image in images]
    return float(np.mean(means)) + MIN_GRADIENT
