"""The metrics of single images, by which networks are compared in pairs."""

import math
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.crops import most_detailed, sobel_magnitude
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.similarity import mean_delta_e

if TYPE_CHECKING:
    from realesrgan_paddle.data.loading.datasets import ValidationImage

SetMetrics = dict[str, dict[str, float]]
"""Metrics of the images of one set: by the image's name and the metric's."""
Metrics = dict[str, SetMetrics]
"""Metrics of several sets, by their names."""

Measures = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]
"""Metrics by name; each takes an image and its ground truth, uint8 RGB (H, W, 3)."""

DELTA_E, DELTA_E_LQ = "delta_e", "delta_e_lq"
"""Mean CIEDE2000 distance of blocks of 16 x 16 pixels from those of the ground truth, or
where that is not known from those of the input, enlarged (bicubic): upscaling has no
business with the color of areas."""
SHARPNESS, SHARPNESS_LQ = "sharpness", "sharpness_lq"
"""Mean gradient of the luma, that of the ground truth or the enlarged input being 1."""
GRID = "grid"
"""Index of the grid artifact in the most detailed crop of up to `GRID_SIDE` pixels, that
of either (at least 1, which is no grid) being 1."""

GRID_SIDE = 256
"""The index of a whole frame would take seconds."""
MIN_GRADIENT = 1e-3
"""Added to mean gradients before a division, for flat images [levels per pixel]."""


def measure_image(
    sr: np.ndarray,
    image: "ValidationImage",
    measures: Measures,
    scale: int,
    alone: Container[str] = (),
) -> dict[str, float]:
    """Return the metrics of one result; PSNR is infinite where it is the ground truth.

    Args:
        sr: the result, uint8 RGB (H, W, 3).
        image: its input and, if known, ground truth.
        measures: of result and ground truth; without one they are left out.
        scale: how much larger the result is than the input.
        alone: names of the measures that look at the result alone.
    """
    names, reference = (DELTA_E, SHARPNESS), image.gt
    if reference is None:
        names = DELTA_E_LQ, SHARPNESS_LQ
        reference = enlarge(image.lq, scale)
    (crop,) = most_detailed(reference, GRID_SIDE, 1)
    usual_grid = max(1.0, grid_index(crop.of(reference), scale))
    delta_e, sharpness = names
    values = {
        delta_e: mean_delta_e(sr, reference),
        sharpness: _gradient(sr) / _gradient(reference),
        GRID: grid_index(crop.of(sr), scale) / usual_grid,
    }
    for name, measure in measures.items():
        if name in alone:
            values[name] = measure(sr, sr)
        elif image.gt is not None:
            values[name] = measure(sr, image.gt)
    return values


def _gradient(image: np.ndarray) -> float:
    return float(sobel_magnitude(image).mean()) + MIN_GRADIENT


def add_image(images: SetMetrics, name: str, values: dict[str, float]) -> None:
    """Add an image's values under its name, or where that is taken, a numbered name.

    Crops of one image, numbered so, count as one clip; see `clips_of`.
    """
    key, number = name, 1
    while key in images:
        number += 1
        key = f"{name} {number}"
    images[key] = values


def only_finite(metrics: Metrics) -> Metrics:
    """Return the metrics without those that are not finite, which no interval can have."""
    sets: Metrics = {}
    for dataset, images in metrics.items():
        sets[dataset] = {}
        for image, values in images.items():
            finite = {key: each for key, each in values.items() if math.isfinite(each)}
            sets[dataset][image] = finite
    return sets


def mean_of(images: SetMetrics, metric: str) -> float:
    """Return the mean of a metric over the images that have it; NaN if none has."""
    found = [values[metric] for values in images.values() if metric in values]
    return float(np.mean(found)) if found else math.nan
