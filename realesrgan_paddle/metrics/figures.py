"""The metrics that are measured, by name, and how they are printed."""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.metrics.steps import STEP_FIGURES, StepMeasure
from realesrgan_paddle.utils.errors import did_you_mean
from realesrgan_paddle.utils.report.metric_formats import MetricFormat

if TYPE_CHECKING:
    from realesrgan_paddle.loss.inception import Inception
    from realesrgan_paddle.loss.lpips import Net

FIGURES = {
    "psnr": MetricFormat("PSNR", 2, "dB"),
    "ssim": MetricFormat("SSIM", 4),
    "psnr_y": MetricFormat("PSNR-Y", 2, "dB"),
    "ssim_y": MetricFormat("SSIM-Y", 4),
    "lpips": MetricFormat("LPIPS", 4, lower_is_better=True),
    "lpips_vgg": MetricFormat("LPIPS-VGG", 4, lower_is_better=True),
    "lpips_squeeze": MetricFormat("LPIPS-Squeeze", 4, lower_is_better=True),
    "dists": MetricFormat("DISTS", 4, lower_is_better=True),
    "fid": MetricFormat("FID", 2, lower_is_better=True),
    "niqe": MetricFormat("NIQE", 3, lower_is_better=True),
    "delta_e": MetricFormat("Delta E", 2, lower_is_better=True),
    "sharpness": MetricFormat("sharpness", 3),
    "tof": MetricFormat("tOF", 3, "pixels", lower_is_better=True),
    "tlp": MetricFormat("tLP", 2, lower_is_better=True),
    "change": MetricFormat("change", 2, "levels", lower_is_better=True),
    "flicker": MetricFormat("flicker", 2, "levels", lower_is_better=True),
}
"""All metrics; `docs/model_zoo.md` says what each is."""

USUAL = ("psnr", "ssim", "psnr_y", "ssim_y")
"""What is measured unless --metrics says otherwise: nothing is fetched for it."""

Measure = Callable[[np.ndarray, np.ndarray], float]
"""Returns the metric of a result and its ground truth, uint8 RGB (H, W, 3)."""

FID = "fid"
"""The one metric that is of all images together; see `evaluation.fid`."""

NETS: "dict[str, Net]" = {
    "lpips": "alex",
    "lpips_vgg": "vgg",
    "lpips_squeeze": "squeeze",
}
"""The network of each LPIPS; AlexNet's is the one that is usually reported."""


def parse_figure(text: str) -> str:
    """Return the name of a metric, spelled with dashes or underscores, for argparse."""
    name = text.lower().replace("-", "_")
    if name not in FIGURES:
        known = ", ".join(FIGURES)
        hint = did_you_mean(name, FIGURES)
        raise ArgumentTypeError(f"unknown metric {text!r}{hint} (known: {known})")
    return name


def open_figures(names: Sequence[str]) -> Mapping[str, Measure]:
    """Return the metrics of single images by name: all but FID and those of clips.

    Raises:
        UserError: the weights of a metric cannot be had; says how to get them.
    """
    measures: dict[str, Measure] = {}
    for name in names:
        if name != FID and name not in STEP_FIGURES:
            measures[name] = _open(name)
    return measures


def open_steps(names: Sequence[str]) -> StepMeasure | None:
    """Return the metrics of clips; None if no name is one.

    Raises:
        UserError: the weights of LPIPS cannot be had, for tLP; says how to get them.
    """
    metrics = [name for name in names if name in STEP_FIGURES]
    if not metrics:
        return None
    distance = _open("lpips") if "tlp" in metrics else None
    return StepMeasure(metrics, distance)


def open_inception() -> "Inception":
    """Return the network of FID.

    Raises:
        UserError: its weights cannot be had; says how to get them.
    """
    # Imports Paddle.
    from realesrgan_paddle.loss.inception import load_inception
    from realesrgan_paddle.ops.choose import float32_ops

    ops = float32_ops()
    return load_inception(ops=ops)


def _open(name: str) -> Measure:
    # Imported here: scikit-image takes half a second.
    from realesrgan_paddle.utils.metrics.similarity import mean_delta_e, psnr, ssim

    plain: dict[str, Measure] = {
        "psnr": psnr,
        "ssim": ssim,
        "psnr_y": partial(psnr, y_channel=True),
        "ssim_y": partial(ssim, y_channel=True),
        "delta_e": mean_delta_e,
        "sharpness": relative_sharpness,
    }
    if name in plain:
        return plain[name]
    if name == "niqe":
        return _open_niqe()

    return _open_network(name)


def _open_network(name: str) -> Measure:
    """Return LPIPS or DISTS."""
    # Imports Paddle.
    from realesrgan_paddle.loss.dists import load_dists
    from realesrgan_paddle.loss.lpips import load_lpips
    from realesrgan_paddle.metrics.available_metrics import perceptual_distance
    from realesrgan_paddle.ops.choose import float32_ops

    ops = float32_ops()
    if name == "dists":
        return partial(perceptual_distance, load_dists(ops=ops))
    network = load_lpips(NETS[name], ops=ops)
    return partial(perceptual_distance, network)


def _open_niqe() -> Measure:
    """Return NIQE, which does not look at the ground truth."""
    from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe

    parameters = load_niqe()

    def measure(image: np.ndarray, reference: np.ndarray) -> float:
        """See `Measure`."""
        return niqe(image, parameters)

    return measure


def relative_sharpness(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean gradient of an image's luma, that of the ground truth being 1.

    NaN where the ground truth has none. See `utils.temporal.still.sharpness`.

    Args:
        image: uint8 RGB (H, W, 3).
        reference: of the same shape.
    """
    from realesrgan_paddle.utils.temporal.still import sharpness

    of_reference = sharpness(reference)
    if of_reference == 0:
        return float("nan")
    return sharpness(image) / of_reference
