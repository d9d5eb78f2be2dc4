"""The table of metrics: what each compares, how it is printed, and what measures it.

tools/compare.py, tools/evaluate.py, the validation and the verdict of a run take their
metrics from here. `docs/model_zoo.md` says where each one comes from.
"""

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from realesrgan_paddle.options.schema.validation import MetricOptions
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.report.metric_formats import MetricFormat

if TYPE_CHECKING:
    from realesrgan_paddle.loss.lpips_dists import Net

Measure = Callable[[np.ndarray, np.ndarray], float]
"""Returns the metric of an image and its ground truth, both uint8 RGB (H, W, 3).

Metrics that need no ground truth look at the image alone.
"""
ImageMetrics = dict[str, float]
"""Metrics of one image by name; infinite PSNR for equal images, NaN for what is not known."""


def _psnr(*, y_channel: bool = False) -> Measure:
    # Imported here: scikit-image takes half a second.
    from realesrgan_paddle.utils.metrics.similarity import psnr

    return partial(psnr, y_channel=y_channel)


def _ssim(*, y_channel: bool = False) -> Measure:
    from realesrgan_paddle.utils.metrics.similarity import ssim

    return partial(ssim, y_channel=y_channel)


def _perceptual(network: "Net | Literal['dists']") -> Measure:
    # Imports Paddle.
    from realesrgan_paddle.metrics.perceptual import open_distance

    return open_distance(network)


def _niqe(convert_to: Literal["y", "gray"]) -> Measure:
    from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe

    parameters = load_niqe()

    def measure(image: np.ndarray, _: np.ndarray) -> float:
        """Return the NIQE of the image alone."""
        return niqe(image, parameters, convert_to=convert_to)

    return measure


def _delta_e() -> Measure:
    from realesrgan_paddle.utils.metrics.similarity import mean_delta_e

    return mean_delta_e


def _sharpness() -> Measure:
    from realesrgan_paddle.utils.metrics.similarity import sharpness

    return sharpness


@dataclass(frozen=True)
class Metric(MetricFormat):
    """One row of the table."""

    channel: Literal["RGB", "Y", "gray"] = "RGB"
    """What it looks at. Y is luma, ITU-R BT.601 as MATLAB's rgb2ycbcr has it."""
    open: Callable[[], Measure] | None = None
    """Loads what measures single images; UserError where its weights cannot be had.

    None for metrics of clips (`metrics.clips`) and for FID, which is of whole sets.
    """
    needs_gt: bool = True
    """Whether it compares with the ground truth; others look at the image alone."""

    @property
    def compared(self) -> str:
        """What it looks at, in words."""
        return "the Y channel" if self.channel == "Y" else self.channel

    def is_better(self, value: float, other: float) -> bool:
        """Return whether a value is better than another one."""
        return value < other if self.lower_is_better else value > other


METRICS: Mapping[str, Metric] = {
    "psnr": Metric("PSNR", 2, "dB", channel="RGB", open=_psnr),
    "ssim": Metric("SSIM", 4, channel="RGB", open=_ssim),
    "psnr_y": Metric(
        "PSNR-Y", 2, "dB", channel="Y", open=partial(_psnr, y_channel=True)
    ),
    "ssim_y": Metric("SSIM-Y", 4, channel="Y", open=partial(_ssim, y_channel=True)),
    "lpips": Metric(
        "LPIPS", 4, lower_is_better=True, open=partial(_perceptual, "alex")
    ),
    "lpips_vgg": Metric(
        "LPIPS-VGG", 4, lower_is_better=True, open=partial(_perceptual, "vgg")
    ),
    "lpips_squeeze": Metric(
        "LPIPS-Squeeze", 4, lower_is_better=True, open=partial(_perceptual, "squeeze")
    ),
    "dists": Metric(
        "DISTS", 4, lower_is_better=True, open=partial(_perceptual, "dists")
    ),
    "fid": Metric("FID", 2, lower_is_better=True),
    "niqe": Metric(
        "NIQE",
        3,
        lower_is_better=True,
        channel="Y",
        open=partial(_niqe, "y"),
        needs_gt=False,
    ),
    "niqe_gray": Metric(
        "NIQE-gray",
        3,
        lower_is_better=True,
        channel="gray",
        open=partial(_niqe, "gray"),
        needs_gt=False,
    ),
    "delta_e": Metric("Delta E", 2, lower_is_better=True, open=_delta_e),
    "sharpness": Metric(
        "sharpness", 3, channel="gray", open=_sharpness, has_best=False
    ),
    "tof": Metric("tOF", 3, "pixels", lower_is_better=True, channel="gray"),
    "tlp": Metric("tLP", 2, lower_is_better=True),
    "change": Metric("change", 2, "levels", lower_is_better=True),
    "flicker": Metric("flicker", 2, "levels", lower_is_better=True, needs_gt=False),
}
"""All metrics by the names that --metrics takes."""

FID = "fid"
OF_CLIPS = ("tof", "tlp", "change", "flicker")
"""Metrics of a frame and the one before; see `metrics.clips`."""
OF_IMAGES = tuple(name for name, metric in METRICS.items() if metric.open)
"""Metrics of single images."""

INPUT, BICUBIC, GT = "input", "bicubic", "ground truth"
"""Names of what stands beside the networks in tables."""

CURVE_TITLES = {
    name: f"{name} ({'lower' if metric.lower_is_better else 'higher'} is better)"
    for name, metric in METRICS.items()
    if metric.has_best
}
"""Titles of the curves of validations, for tools/plot_run.py."""


def parse_metric(text: str) -> str:
    """Return the name of a metric, spelled with dashes or underscores, for argparse."""
    name = text.lower().replace("-", "_")
    if name not in METRICS:
        known = ", ".join(METRICS)
        hint = did_you_mean(name, METRICS)
        raise ArgumentTypeError(f"unknown metric {text!r}{hint} (known: {known})")
    return name


def name_of(options: MetricOptions) -> str:
    """Return the name here of a metric of the section `val`, such as "psnr_y"."""
    name = options.type.removeprefix("calculate_")
    if options.test_y_channel:
        return f"{name}_y"
    if options.convert_to == "gray":
        return f"{name}_gray"
    return name


@dataclass(frozen=True)
class OpenMetric:
    """A metric of single images, ready to measure."""

    metric: Metric
    border: int
    """Pixels that are left out at each border."""
    measure: Measure

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> float:
        """Return the metric of uint8 RGB (H, W, 3) and a reference of the same shape.

        Raises:
            UserError: the shapes differ, or the images are too small.
        """
        # Imported here: scikit-image takes half a second.
        from realesrgan_paddle.utils.metrics.similarity import without_border

        if image.shape != reference.shape:
            raise UserError(
                f"images of {image.shape} and {reference.shape} cannot be compared"
            )
        inner = without_border(image, self.border)
        return self.measure(inner, without_border(reference, self.border))


def open_metric(name: str, border: int = 0) -> OpenMetric:
    """Return a metric of `OF_IMAGES` that leaves out `border` pixels at each border.

    Raises:
        UserError: its weights or parameters cannot be had; says how to get them.
    """
    metric = METRICS[name]
    assert metric.open is not None, name
    return OpenMetric(metric, border, metric.open())


def measure_image(
    image: np.ndarray, gt: np.ndarray | None, metrics: Mapping[str, OpenMetric]
) -> ImageMetrics:
    """Return the metrics of one result by name.

    Args:
        image: uint8 RGB (H, W, 3).
        gt: its ground truth, of the same shape; None: metrics that need it are left out.
        metrics: what is measured.
    """
    values = {}
    for name, each in metrics.items():
        if gt is not None:
            values[name] = each(image, gt)
        elif not each.metric.needs_gt:
            values[name] = each(image, image)
    return values


def open_features() -> Callable[[np.ndarray], np.ndarray]:
    """Return what computes FID's features (1, 2048) of uint8 RGB (H, W, 3).

    Raises:
        UserError: the network's weights cannot be had; says how to get them.
    """
    # Imports Paddle.
    from realesrgan_paddle.metrics import perceptual

    return perceptual.open_features()


@cache
def missing_weights(name: str) -> str | None:
    """Return why the weights of a metric cannot be had, or None if they can.

    Cached, because the attempt to download weights may take a while.
    """
    try:
        open_metric(name)
    except UserError as error:
        return str(error)
    return None
