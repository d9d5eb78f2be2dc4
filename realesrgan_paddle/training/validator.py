"""Validation during training: metrics, sheets, judge, best network, early stopping."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from paddle import nn

from realesrgan_paddle.data.loading.datasets import ValidationDataset
from realesrgan_paddle.data.loading.hold_out import (
    HeldOutSet,
    ValidationSet,
    open_held_out,
)
from realesrgan_paddle.inference.runners.predictors import DygraphRunner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.judging.comparison import BICUBIC, START
from realesrgan_paddle.judging.drift import Drift, Outputs
from realesrgan_paddle.judging.figures import (
    Figures,
    ImageFigures,
    add_image,
    image_figures,
    mean_of,
    only_finite,
)
from realesrgan_paddle.judging.images import JudgedImages, open_judged_images
from realesrgan_paddle.judging.judge import Judge, open_drift
from realesrgan_paddle.judging.verdict import BEST, LAST
from realesrgan_paddle.metrics.available_metrics import available_metrics, open_metric
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import (
    NO_REFERENCE,
    MetricOptions,
    ValOptions,
)
from realesrgan_paddle.training.checkpoints import Checkpoints
from realesrgan_paddle.training.sheets import draw_sheet
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter

Upscale = Callable[[np.ndarray], np.ndarray]
"""Takes and returns uint8 RGB (H, W, 3); the result is larger by the run's scale."""


@dataclass(frozen=True)
class Validator:
    """Validates the averaged generator, keeps the best one, knows when to stop early.

    Attributes:
        options: the section `val` with the metrics that can be had; None: there is
            nothing to validate on.
        network: the averaged generator.
        upscale: enlarges an image by it.
        scale: its upscaling factor.
        sets: what is validated on.
        images: what the judge looks at besides.
        start: the start network's outputs for its crops; {} of random weights.
        judge: looks at each validation, and at the end.
        experiment: where results are reported.
        checkpoints: keep the best network; their record remembers the results.
        last_iteration: of the run.
        trained_on: how many images it is trained on.
        remarks: lines for the log before training.
    """

    options: ValOptions | None
    network: nn.Layer
    upscale: Upscale
    scale: int
    sets: Sequence[ValidationSet]
    images: JudgedImages
    start: Outputs
    judge: Judge
    experiment: Experiment
    checkpoints: Checkpoints
    last_iteration: int
    trained_on: int
    remarks: Sequence[str]

    @property
    def is_due(self) -> bool:
        """Whether the last iteration is still to be validated."""
        return self.options is not None and self.checkpoints.record.validation_due

    def schedule(self, iteration: int) -> None:
        """Note in the run's record whether `iteration` is to be validated.

        A state that is saved before its validation tells a resumed run to make it.
        """
        if self.options is not None:
            is_due = iteration % self.options.val_freq == 0
            is_last = iteration == self.last_iteration
            self.checkpoints.record.validation_due = is_due or is_last

    def measure_start(self, iteration: int) -> None:
        """Log the metrics before the first iteration: what training has to beat.

        Those of bicubic interpolation and of the network that the run starts from. A run
        that is resumed after an `iteration` has them in its record.
        """
        options, log = self.options, self.experiment.log
        if options is None or iteration or not self.experiment.writes:
            return

        log(f"validation: {describe_metrics(options)}")
        enlarged = partial(enlarge, scale=self.scale)
        bicubic = validate(options, enlarged, self.sets)
        log(f"bicubic interpolation  {summary(means(bicubic, options))}")
        start = validate(options, self.upscale, self.sets)
        start_means = means(start, options)
        log(f"iter 0 validation  {summary(start_means)}  (the network to start from)")

        record = self.checkpoints.record
        record.start = start_means
        bicubic.update(validate(options, enlarged, self.images.at_end))
        start.update(validate(options, self.upscale, self.images.at_end))
        record.figures = {BICUBIC: only_finite(bicubic), START: only_finite(start)}

    def __call__(self, iteration: int, meter: Meter) -> None:
        """Validate if that is due after `iteration`; `meter` excludes its time.

        Of several processes only the one that writes validates; the others wait for it
        at their next exchange. Where it fails, the record is as before.
        """
        options, record = self.options, self.checkpoints.record
        if options is None or not record.validation_due:
            return
        if not self.experiment.writes:
            record.validation_due = False
            return

        folder = self.experiment.visualization if options.save_img else None
        figures = validate(options, self.upscale, self.sets, folder, iteration)
        metrics = means(figures, options)
        line = f"iter {iteration:,} validation  {summary(metrics)}"
        self.experiment.report(iteration, metrics, line)

        outputs = upscaled(self.network, [*self.images.general, *self.images.crops])
        if options.save_sheet:
            self._write_sheets(iteration, outputs, metrics)
        has_drifted = self.judge.at_validation(iteration, outputs)
        record.drifted = iteration if has_drifted else None

        self.checkpoints.keep_best(iteration, metrics, options)
        record.figures[LAST] = only_finite(figures)
        if record.best is not None and record.best.iteration == iteration:
            record.figures[BEST] = only_finite(figures)
        record.validation_due = False
        meter.exclude("validation", options.val_freq)

    def _write_sheets(
        self, iteration: int, outputs: Outputs, metrics: Mapping[str, float]
    ) -> None:
        """Write a sheet for each set, headed by its metrics."""
        for crops in self.images.crops:
            name = crops.name
            columns = {"start network": self.start[name]} if self.start else {}
            columns[f"iter {iteration:,}"] = outputs[name]

            prefix = f"{name}/"
            own = {
                metric.removeprefix(prefix): value
                for metric, value in metrics.items()
                if metric.startswith(prefix)
            }
            run = self.experiment.root.name
            shown = summary(own) if own else "no ground truth"
            headline = f"{run}, {name}, iter {iteration:,}: {shown}"
            sheet = draw_sheet(crops, columns, headline)
            self.experiment.show(name, iteration, sheet)

    def report_end(self) -> None:
        """Log the networks of the run, the verdict, and why it stopped early."""
        record = self.checkpoints.record
        self.checkpoints.report_networks()
        if (
            self.options is not None
            and self.experiment.writes
            and LAST in record.figures
        ):
            judged = validate(self.options, self.upscale, self.images.at_end)
            record.figures[LAST].update(only_finite(judged))
            self.judge.at_end(
                record.figures,
                best_iteration=record.best.iteration if record.best else 0,
                drifted=record.drifted,
                trained_on=self.trained_on,
            )
        if reason := self.stop_reason():
            self.experiment.log(f"stopped early: {reason}")

    def stop_reason(self) -> str | None:
        """Return why the run should stop early, as `val` says, or None to continue.

        The process that writes decides: only its record has the validations.
        """
        options, record = self.options, self.checkpoints.record
        if options is None or not self.experiment.writes:
            return None

        if options.drift and options.drift.stop and record.drifted is not None:
            return (
                f"the drift alarm went off at iter {record.drifted:,}; to continue all the "
                "same: --auto_resume val.drift.stop=false"
            )
        best = record.best
        if options.stop_after and best and record.stale >= options.stop_after:
            return (
                f"{best.figure} has not improved in {record.stale} validations on "
                f"{best.value:.4f} at iter {best.iteration:,}, which is "
                "net_g_best.pdparams; to continue all the same: --auto_resume "
                "val.stop_after=null"
            )
        return None


def open_validator(
    cfg: Config,
    step: PixelStep,
    data: TrainingData,
    experiment: Experiment,
    checkpoints: Checkpoints,
) -> Validator:
    """Return what validates a run, with its judge.

    Args:
        cfg: options.
        step: its generator must still be the one that the run starts from: drift is
            measured against it.
        data: has the images held out to validate on, if the options name no others.
        experiment: where results are reported.
        checkpoints: keep the best network; their record remembers the results.

    Raises:
        UserError: images cannot be read, or a metric's weights cannot be had.
    """
    sets = open_validation_sets(cfg, data)
    network = step.ema.layer
    images = open_judged_images(cfg, sets)
    start: Outputs = {}
    if cfg.path.pretrain_network_g is not None:
        start = upscaled(network, [*images.general, *images.crops])

    options: ValOptions | None = None
    drift: Drift | None = None
    left_out: list[str] = []
    drift_remarks: list[str] = []
    if cfg.val is not None and sets:
        options, left_out = available_metrics(cfg.val)
        crops = [*images.general, *images.crops]
        drift, drift_remarks = open_drift(cfg, crops, start)

    tile = cfg.val.tile if cfg.val else 0
    upscaler = Upscaler(DygraphRunner(network, cfg.scale), cfg.scale, tile=tile)
    trained_on = [each for each in (data.images, data.pairs) if each is not None]
    return Validator(
        options=options,
        network=network,
        upscale=partial(upscaler.fit_to_memory, log=experiment.log),
        scale=cfg.scale,
        sets=sets,
        images=images,
        start=start,
        judge=Judge(cfg, step, drift, experiment),
        experiment=experiment,
        checkpoints=checkpoints,
        last_iteration=cfg.train.total_iter,
        trained_on=sum(map(len, trained_on)),
        remarks=[
            *describe_held_out(cfg, data),
            *left_out,
            *images.remarks,
            *drift_remarks,
        ],
    )


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
