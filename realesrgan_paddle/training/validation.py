"""What a validation looks at: its sets, their metrics, and a sheet of crops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from realesrgan_paddle.data.loading.datasets import ValidationDataset, ValidationImage
from realesrgan_paddle.data.loading.held_out_crops import (
    SMALLEST_SIDE,
    HeldOutSet,
    ValidationSet,
    open_held_out,
)
from realesrgan_paddle.data.loading.hold_out import path_below
from realesrgan_paddle.data.sets.naming import image_name
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.video.recurrent import upscale_clip
from realesrgan_paddle.judging.comparison import counted, units_told
from realesrgan_paddle.judging.drift import measure_drift
from realesrgan_paddle.judging.images import SIDE
from realesrgan_paddle.metrics.clips import Clip, StepMeasure, Upscaled, open_steps
from realesrgan_paddle.metrics.measuring import (
    Metrics,
    SetMetrics,
    add_image,
    all_means,
    means_of,
)
from realesrgan_paddle.metrics.table import (
    METRICS,
    OF_CLIPS,
    OpenMetric,
    measure_image,
    missing_weights,
    name_of,
    open_metric,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.validation import HELD_OUT, ValOptions
from realesrgan_paddle.training.training_data import TrainingData
from realesrgan_paddle.utils.crops import most_different, visible_difference
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import enlarge, write_image
from realesrgan_paddle.utils.metrics.similarity import psnr
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet
from realesrgan_paddle.utils.report.image_page import image_page
from realesrgan_paddle.utils.report.pages import Summary
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.progress import Progress

VERDICT_PAGE = "verdict.html"
"""In the folder of a run: the verdict, and crops of the validated images."""
MOST_LISTED = 12
"""Names of held-out images in the log; the training states have all."""
START_LABEL = "start network"
NEW_LABEL = "new network"
INPUT_LABEL = "input, bicubic"

Upscale = Callable[[np.ndarray], np.ndarray]
"""Takes and returns uint8 RGB (H, W, 3); the result is larger by the run's scale."""


def open_validation_sets(cfg: Config, data: TrainingData) -> list[ValidationSet]:
    """Return the sets of `datasets.val...`, and that of held-out images, if any."""
    sets: list[ValidationSet] = [
        ValidationDataset.open(options, cfg.scale)
        for options in cfg.datasets.validation.values()
    ]
    held_out = open_held_out(cfg, data.held_out, data.names.crops, data.excluded)
    if held_out.images:
        sets.append(held_out)
    return sets


def describe_held_out(
    cfg: Config, data: TrainingData, sets: Sequence[ValidationSet]
) -> list[str]:
    """Return what the log says of held-out images, or of their absence from `sets`."""
    if cfg.hold_out == 0:
        return []
    if data.held_out and all(each.name != HELD_OUT for each in sets):
        return [
            f"no validation: the images that are held out of training are below "
            f"{SMALLEST_SIDE} pixels; choose larger ones with datasets.val, or train on "
            "all: val.hold_out=0"
        ]
    if not data.held_out:
        return [
            "no validation: there are fewer than three images, crops of one counted as "
            "one, so none is held out; "
            "choose validation images with datasets.val"
        ]
    root = Path(cfg.datasets.train.dataroot_gt)
    files = [Path(path_below(root, gt)) for gt, _ in data.held_out]
    told = units_told(
        [image_name(file) for file in files],
        data.clips(root),
        of_clips=cfg.datasets.train.num_frame > 1,
    )
    # Small images have room for fewer crops.
    each = counted(data.names.crops, "crop")
    listed = ", ".join(file.as_posix() for file in files[:MOST_LISTED])
    listed += ", ..." * (len(files) > MOST_LISTED)
    return [
        f"validating on {len(files)} of {len(data.excluded):,} images that are held out "
        f"of training, at most {each} of each: {told}: {listed}; to choose others: "
        "datasets.val; to train on all: val.hold_out=0"
    ]


def open_available(
    options: ValOptions,
) -> tuple[dict[str, OpenMetric], list[str]]:
    """Return val.metrics, without default ones that lack weights, and why these lack.

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

    opened, remarks = {}, []
    for name, metric in options.metrics.items():
        reason = None if name in requested else missing_weights(name_of(metric))
        if reason:
            remarks.append(f"validating without {name}: {reason}")
        else:
            opened[name] = open_metric(name_of(metric), metric.crop_border)
    return opened, remarks


def describe_metrics(options: ValOptions) -> str:
    """Return what the metrics compare, so that they are not mistaken for others."""
    parts = []
    for name, metric in options.metrics.items():
        channel = METRICS[name_of(metric)].compared
        border = f"without {metric.crop_border} pixels at each border"
        parts.append(f"{name} of {channel} {border}")
    return ", ".join(parts)


def summary(metrics: Mapping[str, float]) -> str:
    """Return the metrics as text."""
    parts = []
    for name, value in metrics.items():
        parts.append(f"{name} {value:.4f}")
    return "  ".join(parts) or "images saved, no ground truth"


def upscaled(upscale: Upscale, images: HeldOutSet) -> list[np.ndarray]:
    """Return what a network makes of the images of a set, uint8 RGB (H, W, 3)."""
    return [upscaled_frames(upscale, image)[-1] for image in images]


def upscaled_frames(upscale: Upscale, image: ValidationImage) -> list[np.ndarray]:
    """Return the frames of a clip upscaled, through which a state is carried if there is one."""
    frames = [frame.lq for frame in image.frames]
    if len(frames) > 1 and isinstance(upscale, ArrayUpscaler):
        return [*upscale_clip(upscale, frames)]
    return [upscale(frame) for frame in frames]


def validate(
    metrics: Mapping[str, OpenMetric],
    upscale: Upscale,
    sets: Sequence[ValidationSet],
    folder: Path | None = None,
    iteration: int = 0,
    steps: StepMeasure | None = None,
) -> Metrics:
    """Validate on each set; return the metrics of each image, or the means of each clip.

    Args:
        metrics: by name.
        upscale: returns an image enlarged by the scale of the sets.
        sets: the sets.
        folder: gets each output, of a clip its last frame's, as
            `<set>/<image>/<image>_<iteration>.png`; None: they are not kept.
        iteration: the last iteration of training.
        steps: metrics of clips; None: without them.
    """
    measured: Metrics = {}
    progress = Progress("validation", sum(map(len, sets)))
    for images in sets:
        found: SetMetrics = {}
        for image in images:
            results = upscaled_frames(upscale, image)
            if folder is not None:
                file = f"{image.name}_{iteration}.png"
                write_image(folder / images.name / image.name / file, results[-1])
            clip = Clip(steps) if steps and image.before else None
            frames: SetMetrics = {}
            for number, frame in enumerate(image.frames):
                sr = results[number]
                scores = measure_image(sr, frame.gt, metrics)
                if number == len(image.before):  # of each frame it would take longest
                    scores = measure_drift(sr, frame, images.scale) | scores
                if clip and frame.gt is not None:
                    scores |= clip.add(Upscaled(frame.lq, frame.gt, {"": sr}))[""]
                frames[str(number)] = scores
            add_image(found, image.name, means_of(frames))
            progress.advance()
        measured[images.name] = found
    progress.close()
    return measured


def means(measured: Metrics, options: ValOptions) -> dict[str, float]:
    """Return the means of val.metrics, named "<set>/<metric>".

    They are over the images with a ground truth, or over all for a metric that needs none.
    """
    found = all_means(measured)
    names = {*options.metrics, *OF_CLIPS}
    return {key: found[key] for key in found if key.rpartition("/")[2] in names}


def open_clip_metrics(cfg: Config) -> tuple[StepMeasure | None, list[str]]:
    """Return tLP for a run on clips, and what the log says of their validation."""
    if cfg.datasets.train.num_frame == 1:
        return None, []
    remarks = [
        "held-out clips are upscaled frame by frame in their order; metrics are the means "
        "of each clip's frames"
    ]
    if reason := missing_weights("lpips"):
        return None, [*remarks, f"validating without tlp: {reason}"]
    return open_steps(["tlp"]), remarks


def describe_drift(cfg: Config) -> list[str]:
    """Return what the log says of drift; nothing where it is turned off."""
    if cfg.val is None or cfg.val.drift is None:
        return []
    if cfg.path.pretrain_network_g is None:
        return [
            "drift is not measured: the run starts from random weights "
            "(path.pretrain_network_g)"
        ]
    return [f"drift from {cfg.path.pretrain_network_g} is measured at each validation"]


@dataclass(frozen=True)
class Sheets:
    """A sheet of crops of each validation set, drawn at each validation."""

    crops: Sequence[HeldOutSet]
    """Of each set; none where val.save_sheet is false."""
    start: Mapping[str, Sequence[np.ndarray]]
    """The start network's outputs for them, by set; {} of random weights."""
    changing: HeldOutSet | None
    """Larger parts of the first set's images, of which the page shows what changed."""
    start_of_changing: Sequence[np.ndarray]
    """The start network's outputs for these; [] of random weights."""
    upscale: Upscale
    experiment: Experiment

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write a sheet for each set, headed by its metrics, named "<set>/<metric>"."""
        for crops in self.crops:
            name = crops.name
            columns = {START_LABEL: self.start[name]} if self.start else {}
            columns[f"iter {iteration:,}"] = upscaled(self.upscale, crops)

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

    @property
    def page(self) -> Path | None:
        """Where `write_page` writes; None where there is nothing to show."""
        return self.experiment.root / VERDICT_PAGE if self.changing else None

    def write_page(self, lines: Sequence[str]) -> None:
        """Write the page with the verdict, and of each image the crop that changed most.

        From the start network's result, or else from bicubic interpolation. What changed
        most visibly comes first.
        """
        if self.page is None or self.changing is None:
            return
        scale = self.changing.scale
        before = START_LABEL if self.start_of_changing else INPUT_LABEL
        rows = []
        for number, image in enumerate(self.changing):
            results = {INPUT_LABEL: enlarge(image.lq, scale)}
            if self.start_of_changing:
                results[START_LABEL] = self.start_of_changing[number]
            results[NEW_LABEL] = upscaled_frames(self.upscale, image)[-1]

            pair = results[before], results[NEW_LABEL]
            (crop,) = most_different(*pair, scale, SIDE // scale, 1)
            shown = {label: crop.of(each, scale) for label, each in results.items()}
            part = image.cut(crop, scale)
            changed = visible_difference(shown[before], shown[NEW_LABEL], scale)
            rows.append((float(changed.mean()), _row(part, shown)))
        rows.sort(key=lambda row: -row[0])

        page = image_page(
            [row for _, row in rows],
            [],
            headline=f"{self.experiment.root.name}: what the training changed",
            remark="None of it was trained on. Of each image the crop that changed most.",
            warnings=[],
            before=before,
            after=NEW_LABEL,
            summary=Summary(lines),
        )
        with atomic_path(self.page) as temporary:
            temporary.write_text(page, encoding="utf-8")


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
        images = {INPUT_LABEL: enlarge(crop.lq, crops.scale)}
        for label, outputs in columns.items():
            images[label] = outputs[number]
        rows.append(_row(crop, images))
    return contact_sheet(rows, [], headline)


def _row(crop: ValidationImage, images: Mapping[str, np.ndarray]) -> SheetRow:
    """Return the panels of one crop, with PSNR and the ground truth if it is known."""
    if crop.gt is None:
        panels = [_panel(label, image) for label, image in images.items()]
        return SheetRow(crop.name, panels)

    gt = np.ascontiguousarray(crop.gt)
    panels = []
    for label, image in images.items():
        decibels = psnr(np.ascontiguousarray(image), gt, y_channel=True)
        panels.append(_panel(label, image, f"{decibels:.2f} dB"))
    panels.append(_panel("ground truth", gt))
    return SheetRow(crop.name, panels)


def _panel(label: str, image: np.ndarray, note: str = "") -> Panel:
    return Panel(label, np.ascontiguousarray(image), note)
