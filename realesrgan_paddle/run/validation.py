"""Validation during training: the averaged generator on whole images, measured and saved."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationDataset
from realesrgan_paddle.data.loading.hold_out import ValidationSet, open_held_out
from realesrgan_paddle.models.inference.predictors import DygraphRunner
from realesrgan_paddle.models.inference.upscaler import Upscaler
from realesrgan_paddle.options.schema.config import Config, ValOptions
from realesrgan_paddle.run.available_metrics import open_metric
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.experiment import Experiment


def open_validation_sets(
    cfg: Config, held_out: Sequence[tuple[Path, Path | None]] = ()
) -> list[ValidationSet]:
    """Return the sets of `datasets.val...`, or the one of the training images that were held out, if any.

    Their files must exist.
    """
    sets: list[ValidationSet] = [
        ValidationDataset.open(o, cfg.scale) for o in cfg.datasets.validation.values()
    ]
    held_out_set = open_held_out(cfg, held_out)
    if held_out_set.images:
        sets.append(held_out_set)
    return sets


def describe_held_out(cfg: Config, batches: TrainingBatches) -> list[str]:
    """Return what the log says of images that were held out, or that none could be."""
    if not cfg.hold_out:
        return []
    if not batches.held_out:
        return [
            "no validation: of fewer than ten images, or where a tenth is less than one image's pieces, none are held "
            "out; choose some with datasets.val"
        ]
    names = ", ".join(gt.name for gt, _ in batches.held_out)
    apart = len(batches.apart)
    return [
        f"validating on {len(batches.held_out)} of {apart:,} images that are held out of training: {names}; "
        "to choose others: datasets.val; to train on all: val.hold_out=0"
    ]


def validate(
    options: ValOptions,
    network: nn.Layer,
    datasets: Sequence[ValidationSet],
    experiment: Experiment,
    iteration: int,
) -> tuple[dict[str, float], str]:
    """Return each set's metrics, averaged over its images with a ground truth, and them as one line.

    With `save_img` the images go to
    `visualization/<set>/<image>/<image>_<iteration>.png`.

    Args:
        options: the section `val`.
        network: the generator, in evaluation mode.
        datasets: what to restore.
        experiment: whose folder the images go to.
        iteration: when this is.
    """
    values = {}
    for dataset in datasets:
        save_to = experiment.visualization / dataset.name if options.save_img else None
        for name, value in _validate_one(
            options, network, dataset, save_to, iteration
        ).items():
            values[f"{dataset.name}/{name}"] = value
    line = (
        "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        or "images saved, no ground truth"
    )
    return values, f"iter {iteration:,} validation  {line}"


def _validate_one(
    options: ValOptions,
    network: nn.Layer,
    dataset: ValidationSet,
    save_to: Path | None,
    iteration: int,
) -> dict[str, float]:
    upscale = Upscaler(DygraphRunner(network, dataset.scale), dataset.scale)
    measures = {name: open_metric(metric) for name, metric in options.metrics.items()}
    values: dict[str, list[float]] = {name: [] for name in measures}
    for image in dataset:
        sr = upscale(image.lq)
        if save_to is not None:
            write_image(save_to / image.name / f"{image.name}_{iteration}.png", sr)
        if image.gt is None:
            continue
        for name, measure in measures.items():
            values[name].append(measure(sr, image.gt))
    return {name: float(np.mean(found)) for name, found in values.items() if found}
