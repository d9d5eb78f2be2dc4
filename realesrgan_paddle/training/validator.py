"""Validation during training: metrics, images, best network, drift, early stopping."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from realesrgan_paddle.data.loading.datasets import ValidationDataset
from realesrgan_paddle.data.loading.hold_out import (
    HeldOutSet,
    ValidationSet,
    open_held_out,
)
from realesrgan_paddle.inference.runners.predictors import DygraphRunner
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.judging.drift_watch import open_drift
from realesrgan_paddle.judging.figures import (
    Figures,
    ImageFigures,
    add_image,
    image_figures,
    mean_of,
    only_finite,
)
from realesrgan_paddle.judging.open_sets import open_judged_sets
from realesrgan_paddle.judging.run_verdict import BEST, LAST, run_verdict
from realesrgan_paddle.judging.verdict_file import write_verdict
from realesrgan_paddle.judging.words import BICUBIC, START
from realesrgan_paddle.metrics.available_metrics import available_metrics, open_metric
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import (
    NO_REFERENCE,
    MetricOptions,
    ValOptions,
)
from realesrgan_paddle.training.checkpoints import Checkpoints, is_better
from realesrgan_paddle.training.sheets import Sheets
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter

Upscale = Callable[[np.ndarray], np.ndarray]
"""Takes and returns uint8 RGB (H, W, 3); the result is larger by the run's scale."""


class Validator:
    """Validates the averaged generator, keeps the best one, knows when to stop early.

    Args:
        cfg: options.
        step: its generator must still be the one that the run starts from: drift is
            measured against it.
        data: has the images held out to validate on, if the options name no others.
        experiment: where results are reported.
        checkpoints: keep the best network; their record remembers the results.

    Attributes:
        remarks: lines for the log before training.
    """

    def __init__(
        self,
        cfg: Config,
        step: PixelStep,
        data: TrainingData,
        experiment: Experiment,
        checkpoints: Checkpoints,
    ) -> None:
        self._network = step.ema.layer
        upscaler = Upscaler(
            DygraphRunner(self._network, cfg.scale),
            cfg.scale,
            tile=cfg.val.tile if cfg.val else 0,
        )
        self._upscale = partial(upscaler.fit_to_memory, log=experiment.log)
        self._bicubic = partial(enlarge, scale=cfg.scale)
        self._last_iteration = cfg.train.total_iter
        self._experiment = experiment
        self._checkpoints = checkpoints
        self._sets = open_validation_sets(cfg, data)

        self._sheets: Sheets | None = None
        if cfg.val is not None and cfg.val.save_sheet:
            pretrained = cfg.path.pretrain_network_g is not None
            self._sheets = Sheets(
                self._sets, self._network, cfg.scale, pretrained=pretrained
            )

        self._options: ValOptions | None = None
        left_out: list[str] = []
        if cfg.val is not None and self._sets:
            self._options, left_out = available_metrics(cfg.val)

        self._drift, drift_remarks = open_drift(cfg, self._network, self._sets)
        self._cfg = cfg
        self._trained_on = count_of(data)
        self._judged_sets: list[HeldOutSet] = []
        set_remarks: list[str] = []
        if self._options is not None:
            self._judged_sets, set_remarks = open_judged_sets(cfg)
        self.remarks = [
            *describe_held_out(cfg, data),
            *left_out,
            *drift_remarks,
            *set_remarks,
        ]

    @property
    def is_due(self) -> bool:
        """Whether the last iteration is still to be validated."""
        return self._options is not None and self._checkpoints.record.validation_due

    def schedule(self, iteration: int) -> None:
        """Note in the run's record whether `iteration` is to be validated.

        A state that is saved before its validation tells a resumed run to make it.
        """
        if self._options is not None:
            is_due = iteration % self._options.val_freq == 0
            is_last = iteration == self._last_iteration
            self._checkpoints.record.validation_due = is_due or is_last

    def measure_start(self, iteration: int) -> None:
        """Log the figures before the first iteration: what training has to beat.

        Those of bicubic interpolation and of the network that the run starts from. A run
        that is resumed after an `iteration` has them in its record.
        """
        options, log = self._options, self._experiment.log
        if options is None or iteration or not self._experiment.writes:
            return
        without_images = options.model_copy(update={"save_img": False})

        log(f"validation: {describe_metrics(options)}")
        bicubic = validate(
            without_images, self._bicubic, self._sets, self._experiment, 0
        )
        log(f"bicubic interpolation  {summary(means(bicubic, options))}")
        start = validate(without_images, self._upscale, self._sets, self._experiment, 0)
        start_means = means(start, options)
        log(f"iter 0 validation  {summary(start_means)}  (the network to start from)")

        record = self._checkpoints.record
        record.start = start_means
        bicubic.update(self._judge(self._bicubic))
        start.update(self._judge(self._upscale))
        record.figures = {BICUBIC: only_finite(bicubic), START: only_finite(start)}

    def __call__(self, iteration: int, meter: Meter) -> None:
        """Validate if that is due after `iteration`; `meter` excludes its time.

        Of several processes only the one that writes validates; the others wait for it
        at their next exchange. Where it fails, the record is as before.
        """
        options, record = self._options, self._checkpoints.record
        if options is None or not record.validation_due:
            return
        if not self._experiment.writes:
            record.validation_due = False
            return

        figures = validate(
            options, self._upscale, self._sets, self._experiment, iteration
        )
        metrics = means(figures, options)
        line = f"iter {iteration:,} validation  {summary(metrics)}"
        self._experiment.report(iteration, metrics, line)
        if self._sheets is not None:
            self._sheets(iteration, self._network, metrics, self._experiment)
        if self._drift is not None:
            self._drift(iteration, self._network, self._experiment, record)

        self._checkpoints.keep_best(iteration, metrics, options)
        record.figures[LAST] = only_finite(figures)
        if record.best is not None and record.best.iteration == iteration:
            record.figures[BEST] = only_finite(figures)
        record.validation_due = False
        meter.exclude("validation", options.val_freq)

    def report_end(self) -> None:
        """Log the networks of the run, how good they are, and why it stopped early."""
        log = self._experiment.log
        self._checkpoints.report_networks()
        for line in self.verdict():
            log(line)
        self._judge_run()
        if reason := self.stop_reason():
            log(f"stopped early: {reason}")

    def _judge_run(self) -> None:
        """Log the verdict on the run's last network, and write it to `verdict.json`."""
        record, experiment = self._checkpoints.record, self._experiment
        if not experiment.writes or LAST not in record.figures:
            return
        judged = self._judge(self._upscale)
        record.figures[LAST].update(only_finite(judged))
        verdict = run_verdict(self._cfg, record, experiment, self._trained_on)
        if verdict is None:
            return
        for line in verdict.lines:
            experiment.log(f"verdict: {line}")
        experiment.log(f"verdict: {verdict.next}")
        write_verdict(experiment.root, verdict, record.figures)

    def _judge(self, upscale: Upscale) -> Figures:
        """Return the figures on the images that only the verdict looks at."""
        if self._options is None:
            return {}
        options = self._options.model_copy(update={"save_img": False})
        return validate(options, upscale, self._judged_sets, self._experiment, 0)

    def verdict(self) -> list[str]:
        """Return what to know of the network when the run ends.

        How it compares with the one that the run started from, and a warning if it is
        no better or has drifted.
        """
        record, options = self._checkpoints.record, self._options
        if options is None:
            return []
        lines = []
        if record.drifted is not None:
            lines.append(
                f"warning: the drift alarm went off at iter {record.drifted:,}, the last "
                "validation: do not use this network before you have looked at its images"
            )
        best = record.best
        if best is not None and best.figure in record.start:
            before = record.start[best.figure]
            line = (
                f"{best.figure}: {before:.4f} before training, {best.value:.4f} at best"
            )
            if not is_better(best.value, before, options):
                line = (
                    f"warning: {line}: no better than the network it started from; train "
                    "for longer, on more images, or with a lower train.optim_g.lr"
                )
            lines.append(line)
        return lines

    def stop_reason(self) -> str | None:
        """Return why the run should stop early, as `val` says, or None to continue.

        The process that writes decides: only its record has the validations.
        """
        options, record = self._options, self._checkpoints.record
        if options is None or not self._experiment.writes:
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


def validate(
    options: ValOptions,
    upscale: Upscale,
    datasets: Sequence[ValidationSet],
    experiment: Experiment,
    iteration: int,
) -> Figures:
    """Validate on each set; return the figures of each image.

    With `save_img` the output is written to
    `visualization/<set>/<image>/<image>_<iteration>.png`.

    Args:
        options: the section `val`.
        upscale: returns an image enlarged by the scale of the sets.
        datasets: the sets.
        experiment: has the folder for the images, and the log.
        iteration: the last iteration of training.
    """
    measures = {name: open_metric(metric) for name, metric in options.metrics.items()}
    alone = {
        name for name, metric in options.metrics.items() if metric.type in NO_REFERENCE
    }
    figures: Figures = {}
    for dataset in datasets:
        found: ImageFigures = {}
        for image in dataset:
            sr = upscale(image.lq)
            if options.save_img:
                folder = experiment.visualization / dataset.name / image.name
                write_image(folder / f"{image.name}_{iteration}.png", sr)
            values = image_figures(sr, image, measures, dataset.scale, alone)
            add_image(found, image.name, values)
        figures[dataset.name] = found
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


def count_of(data: TrainingData) -> int:
    """Return how many images are trained on."""
    count = 0
    for dataset in (data.images, data.pairs):
        if dataset is not None:
            count += len(dataset)
    return count
