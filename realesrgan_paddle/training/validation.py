"""What a validation looks at: its sets, their metrics, and a sheet of crops."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationDataset, ValidationImage
from realesrgan_paddle.data.loading.hold_out import (
    HeldOutSet,
    ValidationSet,
    open_held_out,
)
from realesrgan_paddle.inference.runners.predictors import DygraphRunner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.judging.figures import (
    Figures,
    ImageFigures,
    add_image,
    image_figures,
    mean_of,
)
from realesrgan_paddle.metrics.available_metrics import open_metric
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import (
    NO_REFERENCE,
    MetricOptions,
    ValOptions,
)
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.metrics.similarity import psnr
from realesrgan_paddle.utils.report.contact_sheet import Panel, Row, contact_sheet

Upscale = Callable[[np.ndarray], np.ndarray]
"""Takes and returns uint8 RGB (H, W, 3); the result is larger by the run's scale."""


def open_validation_sets(cfg: Config, data: TrainingData) -> list[ValidationSet]:
    """Return the sets of `datasets.val...`, and that of held-out images, if any."""
    sets: list[ValidationSet] = [
        ValidationDataset.open(options, cfg.scale)
        for options in cfg.datasets.validation.values()
    ]
    held_out = open_held_out(cfg, data.held_out)
    if held_out.images:
        sets.append(held_out)
    return sets


def describe_held_out(cfg: Config, data: TrainingData) -> list[str]:
    """Return what the log says of held-out images, or of their absence."""
    if not cfg.hold_out:
        return []
    if not data.held_out:
        return [
            "no validation: there are fewer than three images, so none is held out; "
            "choose validation images with datasets.val"
        ]
    names = ", ".join(gt.name for gt, _ in data.held_out)
    return [
        f"validating on {len(data.held_out)} of {len(data.excluded):,} images that are "
        f"held out of training: {names}; to choose others: datasets.val; to train on all: "
        "val.hold_out=0"
    ]


def describe_metrics(options: ValOptions) -> str:
    """Return what the metrics compare, so that figures are not mistaken for others."""
    parts = []
    for name, metric in options.metrics.items():
        channel = _channel(metric)
        border = f"without {metric.crop_border} pixels at each border"
        parts.append(f"{name} of {channel} {border}")
    return f"{', '.join(parts)} (tools/compare.py: PSNR and SSIM of the Y channel)"


def _channel(metric: MetricOptions) -> str:
    """Return what a metric measures of an image."""
    if metric.type in NO_REFERENCE:
        return "the Y channel" if metric.convert_to == "y" else "gray"
    return "the Y channel" if metric.test_y_channel else "RGB"


def summary(metrics: Mapping[str, float]) -> str:
    """Return the metrics as text."""
    parts = []
    for name, value in metrics.items():
        parts.append(f"{name} {value:.4f}")
    return "  ".join(parts) or "images saved, no ground truth"


def upscaled(
    network: nn.Layer, sets: Sequence[HeldOutSet]
) -> dict[str, list[np.ndarray]]:
    """Return the network's outputs for the images of each set, uint8 RGB (H, W, 3)."""
    outputs = {}
    for images in sets:
        upscale = Upscaler(DygraphRunner(network, images.scale), images.scale)
        outputs[images.name] = [upscale(image.lq) for image in images]
    return outputs


def validate(
    options: ValOptions,
    upscale: Upscale,
    sets: Iterable[ValidationSet],
    folder: Path | None = None,
    iteration: int = 0,
) -> Figures:
    """Validate on each set; return the metrics of each image.

    Args:
        options: the section `val`.
        upscale: returns an image enlarged by the scale of the sets.
        sets: the sets.
        folder: gets each output as `<set>/<image>/<image>_<iteration>.png`; None: they
            are not kept.
        iteration: the last iteration of training.
    """
    measures = {name: open_metric(metric) for name, metric in options.metrics.items()}
    alone = {
        name for name, metric in options.metrics.items() if metric.type in NO_REFERENCE
    }
    figures: Figures = {}
    for images in sets:
        found: ImageFigures = {}
        for image in images:
            sr = upscale(image.lq)
            if folder is not None:
                file = f"{image.name}_{iteration}.png"
                write_image(folder / images.name / image.name / file, sr)
            values = image_figures(sr, image, measures, images.scale, alone)
            add_image(found, image.name, values)
        figures[images.name] = found
    return figures


def means(figures: Figures, options: ValOptions) -> dict[str, float]:
    """Return the means of each set's metrics, named "<set>/<metric>".

    They are over the images with a ground truth, or over all for a metric that needs none.
    """
    found = {}
    for dataset, images in figures.items():
        for name in options.metrics:
            mean = mean_of(images, name)
            if not math.isnan(mean):
                found[f"{dataset}/{name}"] = mean
    return found


def draw_sheet(
    crops: HeldOutSet, columns: Mapping[str, Sequence[np.ndarray]], headline: str
) -> np.ndarray:
    """Return the sheet of a set, uint8 RGB (H, W, 3).

    Columns: the input upscaled by bicubic interpolation, those given, the ground truth;
    below each the PSNR of the crop's luma.

    Args:
        crops: small images of the set.
        columns: outputs for the crops, uint8 RGB (H, W, 3), by their heading.
        headline: text above.
    """
    rows = []
    for number, crop in enumerate(crops):
        images = {"input, bicubic": enlarge(crop.lq, crops.scale)}
        for label, outputs in columns.items():
            images[label] = outputs[number]
        rows.append(_row(crop, images))
    return contact_sheet(rows, [], headline)


def _row(crop: ValidationImage, images: Mapping[str, np.ndarray]) -> Row:
    """Return the panels of one crop, with PSNR and the ground truth if it is known."""
    if crop.gt is None:
        panels = [Panel(label, image) for label, image in images.items()]
        return Row(crop.name, panels)

    gt = np.ascontiguousarray(crop.gt)
    panels = []
    for label, image in images.items():
        decibels = psnr(image, gt, y_channel=True)
        panels.append(Panel(label, image, f"{decibels:.2f} dB"))
    panels.append(Panel("ground truth", gt))
    return Row(crop.name, panels)
