"""The figures of `val.metrics`: PSNR and SSIM of two pictures, and how far apart networks see them."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.loss.dists import DISTS, load_dists
from realesrgan_paddle.loss.lpips import LPIPS, load_lpips
from realesrgan_paddle.options.schema.config import (
    MetricOptions,
    MetricType,
    ValOptions,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics import cropped_pair, psnr, ssim
from realesrgan_paddle.utils.ops.choose import choose_ops

Measure = Callable[[np.ndarray, np.ndarray], float]
"""Gives a figure of a picture and its ground truth, both uint8 (H, W, 3) RGB."""


def open_metric(options: MetricOptions) -> Measure:
    """Return the figure that `options` describe; networks are read once a process.

    Raises:
        UserError: the weights of LPIPS or DISTS cannot be had; says how.
    """
    if options.type == "calculate_psnr":
        return partial(
            psnr, crop_border=options.crop_border, y_channel=options.test_y_channel
        )
    if options.type == "calculate_ssim":
        return partial(
            ssim, crop_border=options.crop_border, y_channel=options.test_y_channel
        )
    return partial(distance, _network(options.type), crop_border=options.crop_border)


def metrics_at_hand(options: ValOptions) -> tuple[ValOptions, list[str]]:
    """Return the options without those metrics whose weights cannot be had and that nobody asked for, and why.

    Raises:
        UserError: the weights of a metric that is asked for cannot be had; says how.
    """
    if "metrics" in options.model_fields_set:
        wanted = set(options.metrics)
    else:
        wanted = {options.best.rpartition("/")[2]} if options.best else set()
    for name in wanted:
        open_metric(options.metrics[name])
    why = {
        name: missing_weights(metric.type)
        for name, metric in options.metrics.items()
        if name not in wanted
    }
    remarks = [
        f"validating without {name}: {reason}" for name, reason in why.items() if reason
    ]
    left = {
        name: metric for name, metric in options.metrics.items() if not why.get(name)
    }
    return options.model_copy(update={"metrics": left}), remarks


@cache
def missing_weights(metric: MetricType) -> str | None:
    """Return why the network of a figure cannot be had, if so; asked for once a process, for that may take a while."""
    try:
        open_metric(MetricOptions(type=metric))
    except UserError as error:
        return str(error)
    return None


@cache
def _network(metric: str) -> LPIPS | DISTS:
    ops, _ = choose_ops()
    return load_lpips(ops=ops) if metric == "calculate_lpips" else load_dists(ops=ops)


@paddle.no_grad()
def distance(
    network: LPIPS | DISTS,
    image: np.ndarray,
    reference: np.ndarray,
    *,
    crop_border: int = 0,
) -> float:
    """Return how far apart `network` sees two pictures; 0 for equal ones.

    Args:
        network: LPIPS or DISTS.
        image: uint8 (H, W, 3) RGB.
        reference: the ground truth, of the same shape.
        crop_border: pixels left out at each border.

    Raises:
        UserError: the shapes differ, or are too small.
    """
    return network(
        *(_tensor(picture) for picture in cropped_pair(image, reference, crop_border))
    ).item()


def _tensor(picture: np.ndarray) -> Tensor:
    """Return a picture (H, W, 3) in 0..255 as (1, 3, H, W) in [0, 1], float32."""
    return paddle.to_tensor(picture.astype(np.float32).transpose(2, 0, 1)[None] / 255)
