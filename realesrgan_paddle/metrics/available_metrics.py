"""The metrics of `val.metrics`, as far as their weights are available."""

from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.loss.dists import DISTS, load_dists
from realesrgan_paddle.loss.lpips import LPIPS, load_lpips
from realesrgan_paddle.ops.choose import float32_ops
from realesrgan_paddle.options.schema.validation import (
    MetricOptions,
    MetricType,
    ValOptions,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe
from realesrgan_paddle.utils.metrics.similarity import cropped_pair, psnr, ssim

KEPT_VALUES = 3 * 2**17
"""Largest ground truth whose features are kept: they take 500 bytes for each pixel."""

Measure = Callable[[np.ndarray, np.ndarray], float]
"""Returns the metric of an image and its ground truth, both uint8 RGB (H, W, 3).

The metrics of `NO_REFERENCE` look at the image alone.
"""


def open_metric(options: MetricOptions) -> Measure:
    """Return the metric that `options` describe; networks are loaded once per process.

    Raises:
        UserError: the weights of LPIPS or DISTS, or the parameters of NIQE, cannot be
            had; says how to get them.
    """
    crop_border, y_channel = options.crop_border, options.test_y_channel
    if options.type == "calculate_psnr":
        return partial(psnr, crop_border=crop_border, y_channel=y_channel)
    if options.type == "calculate_ssim":
        return partial(ssim, crop_border=crop_border, y_channel=y_channel)
    if options.type == "calculate_niqe":
        return _open_niqe(options)
    network = _load_network(options.type)
    return partial(perceptual_distance, network, crop_border=crop_border)


def available_metrics(options: ValOptions) -> tuple[ValOptions, list[str]]:
    """Return the options without default metrics that lack weights, and the reasons.

    Raises:
        UserError: the weights of a metric that the user asked for are missing; says how
            to get them.
    """
    if "metrics" in options.model_fields_set:
        requested = set(options.metrics)
    elif options.best:
        requested = {options.best.rpartition("/")[2]}
    else:
        requested = set()

    metrics, remarks = {}, []
    for name, metric in options.metrics.items():
        if name in requested:
            open_metric(metric)
        elif reason := missing_weights(metric.type):
            remarks.append(f"validating without {name}: {reason}")
            continue
        metrics[name] = metric
    return options.model_copy(update={"metrics": metrics}), remarks


@cache
def missing_weights(metric: MetricType) -> str | None:
    """Return why a metric's weights cannot be had, or None if they can.

    Cached, because the attempt to download weights may take a while.
    """
    try:
        open_metric(MetricOptions(type=metric))
    except UserError as error:
        return str(error)
    return None


def _open_niqe(options: MetricOptions) -> Measure:
    parameters = load_niqe()

    def measure(image: np.ndarray, _: np.ndarray) -> float:
        """Return the NIQE of an image alone, uint8 RGB (H, W, 3)."""
        return niqe(
            image,
            parameters,
            crop_border=options.crop_border,
            convert_to=options.convert_to,
        )

    return measure


@cache
def _load_network(metric: MetricType) -> LPIPS | DISTS:
    ops = float32_ops()
    if metric == "calculate_lpips":
        return load_lpips(ops=ops)
    return load_dists(ops=ops)


@paddle.no_grad()
def perceptual_distance(
    network: LPIPS | DISTS,
    image: np.ndarray,
    reference: np.ndarray,
    *,
    crop_border: int = 0,
) -> float:
    """Return the LPIPS or DISTS of two images; 0 if they are equal.

    Args:
        network: LPIPS or DISTS.
        image: uint8 RGB (H, W, 3).
        reference: the ground truth, of the same shape.
        crop_border: pixels left out at each border.

    Raises:
        UserError: the shapes differ, or the images are too small.
    """
    image, reference = cropped_pair(image, reference, crop_border)
    if isinstance(network, DISTS) and reference.size <= KEPT_VALUES:
        targets = _targets(network, reference.tobytes(), *reference.shape[:2])
        return network.distance(_to_tensor(image), targets).item()
    return network(_to_tensor(image), _to_tensor(reference)).item()


@lru_cache(maxsize=1)
def _targets(network: DISTS, pixels: bytes, height: int, width: int) -> list[Tensor]:
    """Return the features of a ground truth: networks are compared on one in turn.

    `pixels` are float64, as `cropped_pair` returns them.
    """
    values = np.frombuffer(pixels)
    shape = (height, width, 3)
    reference = values.reshape(shape)
    tensor = _to_tensor(reference)
    return network.targets(tensor)


def _to_tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) in 0..255 as (1, 3, H, W) in [0, 1], float32."""
    image = image.astype(np.float32)
    batch = image.transpose(2, 0, 1)[None]
    return paddle.to_tensor(batch / 255)
