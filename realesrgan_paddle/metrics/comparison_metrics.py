"""The metrics that tools/compare.py measures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.options.schema.validation import NO_REFERENCE, MetricOptions
from realesrgan_paddle.utils.metrics.similarity import psnr, ssim
from realesrgan_paddle.utils.report.metric_formats import METRIC_FORMATS

LUMA_METRICS = {"psnr": psnr, "ssim": ssim}
"""Metrics of the Y channel, as the papers report them; LPIPS and DISTS are of RGB."""
WITHOUT_GT = {name.removeprefix("calculate_") for name in NO_REFERENCE}
"""Metrics of the result alone, of its Y channel; they are measured without ground truth."""

Measures = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]
"""Metrics by name; each takes an image and its ground truth, uint8 RGB (H, W, 3).

Those of `WITHOUT_GT` do not look at the ground truth.
"""


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
    from realesrgan_paddle.metrics.available_metrics import missing_weights

    reason = missing_weights("calculate_lpips")
    if reason:
        return ["psnr", "ssim"], [f"LPIPS is left out: {reason}"]
    return ["psnr", "ssim", "lpips"], []


def without_gt(metrics: Iterable[str]) -> list[str]:
    """Return those of the metrics that need no ground truth."""
    return [name for name in metrics if name in WITHOUT_GT]


def open_measures(metrics: Sequence[str], scale: int) -> Measures:
    """Return the metrics by name; all leave out `scale` pixels at each border."""
    measures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
    for name in metrics:
        if name in LUMA_METRICS:
            luma_metric = LUMA_METRICS[name]
            measures[name] = partial(luma_metric, crop_border=scale, y_channel=True)
        else:
            measures[name] = _open_other_metric(name, scale)
    return measures


def describe(count: int, truths: int, scale: int, metrics: Sequence[str]) -> str:
    """Return how many images were measured, and how, as a line.

    Args:
        count: of images.
        truths: how many of them have a ground truth.
        scale: at which they were compared.
        metrics: which, of `METRIC_FORMATS`.
    """
    images = f"{count} image{'s' * (count != 1)}"
    alone = without_gt(metrics)
    if not truths:
        images += "; no ground truth"
        if not alone:
            return f"{images}, so nothing is measured"
        metrics = alone
    elif truths < count:
        images += f"; means over the {truths} with a ground truth"
        images += f", {_names(alone)} over all" * bool(alone)

    luma = [name for name in metrics if name in (*LUMA_METRICS, *WITHOUT_GT)]
    rgb = [name for name in metrics if name not in luma]
    channels = []
    if luma:
        channels.append(f"{_names(luma)} of the Y channel")
    if rgb:
        channels.append(f"{_names(rgb)} of RGB")
    return f"{images}; {', '.join(channels)}, without {scale} pixels at each border"


def _names(metrics: Sequence[str]) -> str:
    """Return the metrics as a list, such as "PSNR and DISTS (lower is better)"."""
    names = []
    for name in metrics:
        shown = METRIC_FORMATS[name]
        names.append(f"{shown.name}{' (lower is better)' * shown.lower_is_better}")
    return " and ".join(names)


def _open_other_metric(
    name: str, scale: int
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return LPIPS, DISTS or NIQE."""
    # Imports Paddle.
    from realesrgan_paddle.metrics.available_metrics import open_metric

    options = {
        "lpips": MetricOptions(type="calculate_lpips", crop_border=scale),
        "dists": MetricOptions(type="calculate_dists", crop_border=scale),
        "niqe": MetricOptions(type="calculate_niqe", crop_border=scale),
    }
    return open_metric(options[name])
