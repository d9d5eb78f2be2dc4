"""Validation during training: metrics, sheets, judge, best network, early stopping."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.loading.held_out_crops import HeldOutSet, ValidationSet
from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.judging.comparison import START
from realesrgan_paddle.judging.images import (
    LARGEST_SIDE,
    most_detailed_crops,
    open_judged_sets,
)
from realesrgan_paddle.judging.judge import Judge
from realesrgan_paddle.judging.page_summary import base_lines
from realesrgan_paddle.judging.verdict import BEST, LAST
from realesrgan_paddle.metrics.clips import StepMeasure
from realesrgan_paddle.metrics.measuring import Metrics, all_means, only_finite
from realesrgan_paddle.metrics.table import BICUBIC, OpenMetric
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.training.checkpoints import Checkpoints
from realesrgan_paddle.training.pace import Course
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.training.validation import (
    Sheets,
    Upscale,
    describe_drift,
    describe_held_out,
    describe_metrics,
    means,
    open_available,
    open_clip_metrics,
    open_validation_sets,
    summary,
    upscaled,
    validate,
)
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter


@dataclass(frozen=True)
class Validator:
    """Validates the averaged generator, keeps the best one, knows when to stop early.

    Attributes:
        options: the section `val` with the metrics that can be had; None: there is
            nothing to validate on.
        metrics: these metrics, opened.
        steps: metrics of clips; None: without them.
        upscale: enlarges an image by the averaged generator.
        scale: its upscaling factor.
        sets: what it is validated on.
        judged_sets: what the judge looks at besides.
        sheets: show crops of the sets.
        judge: looks at each validation, and at the end.
        experiment: where results are reported.
        checkpoints: keep the best network; their record remembers the results.
        course: which iterations are validated.
        trained_on: how many images it is trained on.
        seen: the clips that these are of.
        remarks: lines for the log before training.
    """

    options: ValOptions | None
    metrics: Mapping[str, OpenMetric]
    steps: StepMeasure | None
    upscale: Upscale
    scale: int
    sets: Sequence[ValidationSet]
    judged_sets: Sequence[HeldOutSet]
    sheets: Sheets
    judge: Judge
    experiment: Experiment
    checkpoints: Checkpoints
    course: Course
    trained_on: int
    seen: Collection[str]
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
            is_due = self.course.is_validated(iteration)
            self.checkpoints.record.validation_due = is_due

    def measure_start(self, iteration: int, meter: Meter) -> None:
        """Log the metrics before the first iteration: what training has to beat.

        Those of bicubic interpolation and of the network that the run starts from. A run
        that is resumed after an `iteration` has them in its record. `meter` takes their
        time for that of a validation, until one is made.
        """
        options, log = self.options, self.experiment.log
        if options is None or not self.experiment.writes:
            return
        if iteration:
            self._draw_base_lines()
            return

        log(f"validation: {describe_metrics(options)}")
        enlarged = partial(enlarge, scale=self.scale)
        bicubic = self._measure(enlarged)
        log(f"bicubic interpolation  {summary(self._means(bicubic, options))}")
        start = self._measure(self.upscale)
        means = self._means(start, options)
        log(f"iter 0 validation  {summary(means)}  (the network to start from)")

        record = self.checkpoints.record
        record.start = means
        record.figures = {BICUBIC: bicubic, START: start}
        self._draw_base_lines()
        meter.exclude("validation", options.val_freq)

    def _draw_base_lines(self) -> None:
        """Show on the run's page what it has to beat."""
        if self.experiment.page is not None:
            lines = base_lines(self.checkpoints.record.figures)
            self.experiment.page.curves.levels.update(lines)

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

        # So that memory need not hold both, and what fails here loses nothing.
        self.checkpoints.wait()
        folder = self.experiment.visualization if options.save_img else None
        measured = self._measure(self.upscale, folder, iteration)
        metrics = self._means(measured, options)
        line = f"iter {iteration:,} validation  {summary(metrics)}"
        self.experiment.report(iteration, all_means(measured), line)
        self.sheets.write(iteration, metrics)
        start = record.figures.get(START, {})
        has_drifted = self.judge.at_validation(iteration, measured, start)
        record.drifted = iteration if has_drifted else None

        self.checkpoints.keep_best(iteration, metrics, options)
        record.figures[LAST] = measured
        if record.best is not None and record.best.iteration == iteration:
            record.figures[BEST] = measured
        record.validation_due = False
        meter.exclude("validation", options.val_freq)

    def _measure(
        self, upscale: Upscale, folder: Path | None = None, iteration: int = 0
    ) -> Metrics:
        """Return the metrics of all sets, as far as they are finite; see `validate`.

        Of an image that is black, and is upscaled so, PSNR is not.
        """
        measured = validate(
            self.metrics, upscale, self.sets, folder, iteration, self.steps
        )
        measured |= validate(self.metrics, upscale, self.judged_sets)
        return only_finite(measured)

    def _means(self, measured: Metrics, options: ValOptions) -> dict[str, float]:
        """Return the means of val.metrics on the validation sets."""
        own = {each.name: measured[each.name] for each in self.sets}
        return means(own, options)

    def report_end(self) -> None:
        """Log the networks of the run, the verdict, and why it stopped early."""
        record = self.checkpoints.record
        self.checkpoints.report_networks()
        if self.experiment.writes:
            best = record.best.iteration if record.best else 0
            lines = self.judge.at_end(
                record.figures,
                best_iteration=best,
                trained_on=self.trained_on,
                seen=self.seen,
                page=self.sheets.page,
            )
            if lines:
                self.sheets.write_page(lines)
            if self.experiment.page is not None:
                self.experiment.page.end("finished", lines, self.sheets.page)
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
    course: Course,
) -> Validator:
    """Return what validates a run, with its judge.

    Args:
        cfg: options.
        step: its generator must still be the one that the run starts from: the sheets
            show its output.
        data: has the images held out to validate on, if the options name no others.
        experiment: where results are reported.
        checkpoints: keep the best network; their record remembers the results.
        course: which iterations are validated.

    Raises:
        UserError: images cannot be read, or a metric's weights cannot be had.
    """
    sets = open_validation_sets(cfg, data)
    options: ValOptions | None = None
    metrics: dict[str, OpenMetric] = {}
    steps: StepMeasure | None = None
    judged_sets: list[HeldOutSet] = []
    crops: list[HeldOutSet] = []
    changing: HeldOutSet | None = None
    remarks = describe_held_out(cfg, data, sets)
    if cfg.val is not None and sets:
        metrics, left_out = open_available(cfg.val)
        available = {name: cfg.val.metrics[name] for name in metrics}
        options = cfg.val.model_copy(update={"metrics": available})
        judged_sets, said = open_judged_sets(cfg)
        steps, of_clips = open_clip_metrics(cfg)
        remarks += [*left_out, *said, *describe_drift(cfg), *of_clips]
        if options.save_sheet:
            found = map(most_detailed_crops, sets)
            crops = [each for each in found if each.images]
            larger = (most_detailed_crops(each, LARGEST_SIDE) for each in sets)
            changing = next(filter(len, larger), None)

    tile = cfg.val.tile if cfg.val else 0
    runner = DygraphRunner(step.ema.layer, cfg.scale)
    upscale = ArrayUpscaler(runner, cfg.scale, tile=tile, log=experiment.log)
    start: dict[str, list[np.ndarray]] = {}
    start_of_changing: list[np.ndarray] = []
    if cfg.path.pretrain_network_g is not None:
        start = {each.name: upscaled(upscale, each) for each in crops}
        start_of_changing = upscaled(upscale, changing) if changing else []

    trained_on = [each for each in (data.images, data.pairs) if each is not None]
    return Validator(
        options=options,
        metrics=metrics,
        steps=steps,
        upscale=upscale,
        scale=cfg.scale,
        sets=sets,
        judged_sets=judged_sets,
        sheets=Sheets(crops, start, changing, start_of_changing, upscale, experiment),
        judge=Judge(cfg, options, step, experiment),
        experiment=experiment,
        checkpoints=checkpoints,
        course=course,
        trained_on=sum(map(len, trained_on)),
        seen=data.clips(Path(cfg.datasets.train.dataroot_gt)),
        remarks=remarks,
    )
