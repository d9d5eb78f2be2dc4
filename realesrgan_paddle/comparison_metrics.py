"""The metrics that tools/compare.py measures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.options.schema.config import MetricOptions
from realesrgan_paddle.utils.metrics.similarity import psnr, ssim

LUMA_METRICS = {"psnr": psnr, "ssim": ssim}
"""Metrics of the Y channel, as the papers report them; the others are of RGB."""

Measures = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]
"""Metrics by name; each takes an image and its ground truth, uint8 RGB (H, W, 3)."""


def metrics_to_measure(
    chosen: Sequence[str] | None, gt: Path | None
) -> tuple[Sequence[str], list[str]]:
    """Return the chosen metrics, and remarks.

    If none are, and there is ground truth: PSNR, SSIM and, if its weights are available,
    LPIPS; else a remark.
    """
    if chosen or gt is None:
        return chosen or (), []

    # Imports Paddle.
    from realesrgan_paddle.run.available_metrics import missing_weights

    reason = missing_weights("calculate_lpips")
    if reason:
        return ["psnr", "ssim"], [f"LPIPS is left out: {reason}"]
    return ["psnr", "ssim", "lpips"], []


def open_measures(metrics: Sequence[str], scale: int) -> Measures:
    """Return the metrics by name; all leave out `scale` pixels at each border."""
    measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
    for name in metrics:
        if name in LUMA_METRICS:
            luma_metric = LUMA_METRICS[name]
            measures[name] = partial(luma_metric, crop_border=scale, y_channel=True)
        else:
            measures[name] = _open_network_metric(name, scale)
    return measures


def _open_network_metric(
    name: str, scale: int
) -> Callable[[np.ndarray, np.ndarray], float]:
    # Imports Paddle.
    from realesrgan_paddle.run.available_metrics import open_metric

    options = {
        "lpips": MetricOptions(type="calculate_lpips", crop_border=scale),
        "dists": MetricOptions(type="calculate_dists", crop_border=scale),
    }
    return open_metric(options[name])
