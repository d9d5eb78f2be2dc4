"""Networks side by side on the same images: metrics, a sheet and a page of crops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.judging.comparison import BICUBIC
from realesrgan_paddle.judging.grids import GT, Grids
from realesrgan_paddle.judging.image_metrics import Metrics, add_image, only_finite
from realesrgan_paddle.judging.page_summary import networks_verdict, run_summary
from realesrgan_paddle.metrics.comparison_metrics import (
    Measures,
    describe,
    open_measures,
    without_gt,
)
from realesrgan_paddle.utils.crops import Crop, most_different
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import (
    enlarge,
    list_images,
    read_rgb,
    to_uint8,
    write_image,
)
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    Row,
    contact_sheet,
    evenly_spaced,
)
from realesrgan_paddle.utils.report.metric_formats import METRIC_FORMATS, Mean
from realesrgan_paddle.utils.report.pages import Summary, html_page

INPUT = "input"
"""The column of the input."""
SHEET, PAGE = "sheet.png", "index.html"
"""The files that are written."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` wrote and measured."""

    sheet: Path
    page: Path
    means: list[Mean]
    """Bicubic first, then the networks as given; empty without ground truth."""
    remark: str
    """How many images were measured, and how."""
    warnings: list[str]
    """A line for each network whose images have a regular grid."""
    verdict: Sequence[str] = ()
    """The last network against the first one and bicubic; empty without ground truth."""

    def __str__(self) -> str:
        """Return the verdict, the metrics and the files, a line each."""
        lines = [*self.verdict, self.remark]
        for mean in self.means:
            lines.append(f"  {mean.label:<16} {mean}")
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [str(self.sheet), f"open {self.page} in a browser"]
        return "\n".join(map(printable, lines))


@dataclass(frozen=True)
class Measured:
    """The outputs of all methods for one image, and their metrics."""

    results: dict[str, np.ndarray]
    """By method, the ground truth last if it is known: uint8 RGB (H, W, 3)."""
    scores: dict[str, dict[str, float]]
    """Metrics by method; empty without ground truth."""
    grid_indices: dict[str, float]
    """Grid index of each of `results`."""
    scale: int
    """How many times larger than the input they are."""

    def without_results(self) -> "Measured":
        """Return the figures alone: the images of many inputs are too much to keep."""
        return replace(self, results={})


def check_names(named: Sequence[tuple[str, str]]) -> None:
    """Raise UserError if two of (name, file) pairs, or a column, have the same name."""
    taken = [INPUT, BICUBIC, GT]
    for name, file in named:
        if name in taken:
            raise UserError(
                f"two columns cannot be named {name!r}; give {file} another name"
            )
        taken.append(name)


def load_upscalers(
    models: Sequence[tuple[str, str]],
    *,
    tile: int = 0,
    tile_pad: int | None = None,
    device: str = "auto",
) -> dict[str, Upscaler]:
    """Return the upscalers of (name, model) pairs by name; see `Upscaler.load`.

    Raises:
        UserError: two have the same name, or a name is that of another column.
    """
    check_names(models)
    upscalers: dict[str, Upscaler] = {}
    for name, model in models:
        # What is measured is the network, not the rounding of bf16.
        upscalers[name] = Upscaler.load(
            model, precision="fp32", tile=tile, tile_pad=tile_pad, device=device
        )
    return upscalers


def compare(
    inputs: Sequence[Path],
    upscalers: Mapping[str, Upscaler],
    output: str | Path,
    *,
    gt: Path | None = None,
    crop: Crop | None = None,
    crop_size: int = 96,
    crops: int = 2,
    most_rows: int = 12,
    metrics: Sequence[str] = ("psnr", "ssim"),
    run: Path | None = None,
    commands: Sequence[str] = (),
) -> Comparison:
    """Upscale `inputs` by bicubic interpolation and each network; write sheet and page.

    All images are measured, and so many are shown that there are `most_rows` rows.
    Results are compared at the scale of the largest network. Metrics leave out `scale`
    pixels at each border; PSNR and SSIM are of the Y channel.

    Args:
        inputs: low-quality images.
        upscalers: the networks by the names to show.
        output: folder, created if missing; files of an earlier run are replaced.
        gt: that of the only input, or a folder of images named like the inputs.
        crop: the crop of each input to show; None for those where the last network
            differs most from the first one, or from bicubic.
        crop_size: width and height of crops in input pixels, without `crop`.
        crops: crops per image, without `crop`.
        most_rows: rows in all.
        metrics: which, of `METRIC_FORMATS`.
        run: training of the last network; the page shows its verdict and curves.
        commands: more commands to show.

    Raises:
        UserError: `run` is none, weights of a metric are missing, an image cannot be
            read, a ground truth has another size, or the crop is outside of an image.
    """
    scale = max(upscaler.scale for upscaler in upscalers.values())
    truths = match_ground_truths(inputs, gt)
    measures = open_measures(metrics if truths else without_gt(metrics), scale)
    crops_per_image = 1 if crop else crops
    shown = set(evenly_spaced(inputs, max(1, most_rows // crops_per_image)))
    names = list(upscalers)
    from_run = run_summary(run) if run else Summary()

    all_measured, rows = [], []
    for path in inputs:
        lq = to_uint8(read_rgb(path))
        measured = measure(path, lq, upscalers, scale, truths.get(path), measures)
        all_measured.append(measured.without_results())
        if path in shown:
            given = [inside(path, lq, crop)] if crop else []
            chosen = given or differing(measured, names, crop_size, crops)
            rows += [_row(path.name, lq, measured, each, scale) for each in chosen]

    remark = describe(len(inputs), len(truths), scale, metrics)
    done = comparison_of(Path(output), inputs, all_measured, names, remark)
    write_comparison(done, rows, names, scale, from_run.below(done.verdict, commands))
    return done


def comparison_of(
    folder: Path,
    inputs: Sequence[Path],
    measured: Sequence[Measured],
    names: Sequence[str],
    remark: str,
) -> Comparison:
    """Return the comparison of networks on images that were measured.

    Args:
        folder: for the sheet and the page.
        inputs: the images.
        measured: of each image.
        names: of the networks.
        remark: how many images were measured, and how.
    """
    scores = [each.scores for each in measured if each.scores]
    grids = Grids.of([each.grid_indices for each in measured])
    figures = figures_of(inputs, measured)
    return Comparison(
        folder / SHEET,
        folder / PAGE,
        mean_scores(scores, grids),
        remark,
        grids.warnings(names),
        networks_verdict(names, figures),
    )


def write_comparison(
    done: Comparison,
    rows: Sequence[Row],
    names: Sequence[str],
    scale: int,
    summary: Summary,
) -> None:
    """Write the sheet, and the page that compares the first with the last network."""
    page = html_page(
        rows,
        done.means,
        headline=f"Before and after, x{scale}: {', '.join(names)}",
        remark=done.remark,
        warnings=done.warnings,
        before=names[0] if len(names) > 1 else BICUBIC,
        after=names[-1],
        summary=summary,
    )
    sheet = contact_sheet(rows, done.means, done.remark, done.warnings)
    write_image(done.sheet, sheet)
    with atomic_path(done.page) as temporary:
        temporary.write_text(page, encoding="utf-8")


def measure(
    path: Path,
    lq: np.ndarray,
    upscalers: Mapping[str, Upscaler],
    scale: int,
    gt: Path | None,
    measures: Measures,
) -> Measured:
    """Upscale one image by each method; measure what can be.

    Without a ground truth that is `WITHOUT_GT`.
    """
    height, width = lq.shape[0] * scale, lq.shape[1] * scale
    results = {BICUBIC: enlarge(lq, scale)}
    for name, upscaler in upscalers.items():
        results[name] = upscaler(lq, outscale=scale)
    grid_indices = {name: grid_index(sr, scale) for name, sr in results.items()}
    if gt is None:
        alone = {name: measures[name] for name in without_gt(measures)}
        return Measured(results, _scores(results, None, alone), grid_indices, scale)

    truth = to_uint8(read_rgb(gt))
    # Up to scale - 1 pixels are left over where it was downscaled to the input.
    rest_height, rest_width = truth.shape[0] - height, truth.shape[1] - width
    if not (0 <= rest_height < scale and 0 <= rest_width < scale):
        raise UserError(
            f"{gt}: {_size(truth)} pixels are not {scale} times the {_size(lq)} of {path}"
        )
    truth = truth[:height, :width]

    scores = _scores(results, truth, measures)
    grid_indices[GT] = grid_index(truth, scale)
    return Measured(results | {GT: truth}, scores, grid_indices, scale)


def _scores(
    results: Mapping[str, np.ndarray], truth: np.ndarray | None, measures: Measures
) -> dict[str, dict[str, float]]:
    """Return the metrics by method; without a ground truth, results stand in for it."""
    if not measures:
        return {}
    scores = {}
    for method, sr in results.items():
        gt = sr if truth is None else truth
        scores[method] = {name: each(sr, gt) for name, each in measures.items()}
    return scores


def mean_scores(
    scores: Sequence[Mapping[str, Mapping[str, float]]], grids: Grids
) -> list[Mean]:
    """Return the mean metrics of each method; `scores` are an image's, by method.

    Each is a mean over the images that have it.
    """
    if not scores:
        return []
    means = []
    for method in scores[0]:
        all_values: dict[str, list[float]] = {}
        for score in scores:
            for metric, value in score[method].items():
                all_values.setdefault(metric, []).append(value)
        values = {name: float(np.mean(each)) for name, each in all_values.items()}
        index = grids.indices[method]
        means.append(Mean(method, values, index, grids.shows(method)))
    return means


def figures_of(inputs: Sequence[Path], measured: Sequence[Measured]) -> Metrics:
    """Return the finite metrics of each method by the name of the image."""
    figures: Metrics = {}
    for path, each in zip(inputs, measured, strict=True):
        for method, values in each.scores.items():
            images = figures.setdefault(method, {})
            add_image(images, path.stem, values)
    return only_finite(figures)


def inside(path: Path, lq: np.ndarray, crop: Crop) -> Crop:
    """Return the crop; UserError if it is partly outside of the image."""
    height, width = lq.shape[:2]
    if crop.x + crop.width > width or crop.y + crop.height > height:
        raise UserError(
            f"{path}: has {_size(lq)} pixels, so the crop {crop} is partly outside; choose "
            "another --crop"
        )
    return crop


def differing(
    measured: Measured, names: Sequence[str], size: int, count: int
) -> list[Crop]:
    """Return the crops where the last network differs most from the first one.

    From bicubic, if there is only one network.

    Args:
        measured: has the results of all methods.
        names: of the networks.
        size: of the crops, in input pixels.
        count: how many.
    """
    other = names[0] if len(names) > 1 else BICUBIC
    first, last = measured.results[other], measured.results[names[-1]]
    return most_different(first, last, measured.scale, size, count)


def match_ground_truths(inputs: Sequence[Path], gt: Path | None) -> dict[Path, Path]:
    """Return the ground truth of each input that has one; UserError if none has."""
    if gt is None:
        return {}
    if gt.is_file() and len(inputs) == 1:
        return {inputs[0]: gt}
    by_stem = {path.stem: path for path in list_images(gt)}
    found = {path: by_stem[path.stem] for path in inputs if path.stem in by_stem}
    if not found:
        raise UserError(
            f"{gt}: no image here is named like an input, such as {inputs[0].stem}.png"
        )
    return found


def _row(name: str, lq: np.ndarray, measured: Measured, crop: Crop, scale: int) -> Row:
    """Return the panels of one crop: the input's pixels repeated, then each result."""
    pixels = crop.of(lq)
    pixels = pixels.repeat(scale, 0).repeat(scale, 1)
    panels = [Panel(INPUT, pixels)]

    for method, result in measured.results.items():
        image = np.ascontiguousarray(crop.of(result, scale))
        scores = measured.scores.get(method, {})
        notes = []
        for metric, value in scores.items():
            shown = METRIC_FORMATS[metric]
            notes.append(shown.text(value))
        note = ", ".join(notes)
        panels.append(Panel(method, image, note))

    title = f"{name}, {crop.width}x{crop.height} pixels at ({crop.x}, {crop.y})"
    return Row(title, panels)


def _size(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    return f"{width}x{height}"
