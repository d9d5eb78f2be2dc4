"""Networks side by side on the same images: metrics, a sheet and a page of crops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.judging.page_summary import (
    Grids,
    described,
    networks_verdict,
    run_summary,
)
from realesrgan_paddle.metrics.data_sets import Pair, read_pair
from realesrgan_paddle.metrics.measuring import (
    Metrics,
    add_image,
    means_of,
    only_finite,
)
from realesrgan_paddle.metrics.table import (
    BICUBIC,
    GT,
    INPUT,
    METRICS,
    ImageMetrics,
    OpenMetric,
    measure_image,
    open_metric,
)
from realesrgan_paddle.utils.crops import Crop, most_different
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import enlarge, list_images, read_rgb8, write_image
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet
from realesrgan_paddle.utils.report.image_page import image_page
from realesrgan_paddle.utils.report.metric_formats import Mean, MetricFormat
from realesrgan_paddle.utils.report.pages import PAGE, Summary
from realesrgan_paddle.utils.spaced import evenly_spaced

SHEET = "sheet.png"
CROP_SIZE = 80
"""Width and height of the crops, in input pixels, unless --crop_size says another.

Four times as large, they fit a phone's screen pixel by pixel, and twice so a page.
"""
MEASURED_SIDE = 64
"""Crops of results are measured from this side on: some metrics need 31 pixels."""


@dataclass(frozen=True)
class ImageComparison:
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
    values: dict[str, ImageMetrics]
    """Metrics by method; empty where nothing is measured."""
    grid_indices: dict[str, float]
    """Grid index of each of `results`."""
    scale: int
    """How many times larger than the input they are."""

    def without_results(self) -> "Measured":
        """Return the metrics alone: the images of many inputs are too much to keep."""
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
    crop_size: int = CROP_SIZE,
    crops: int = 2,
    most_rows: int = 12,
    metrics: Sequence[str] = ("psnr_y", "ssim_y"),
    run: Path | None = None,
    commands: Sequence[str] = (),
) -> ImageComparison:
    """Upscale `inputs` by bicubic interpolation and each network; write sheet and page.

    All images are measured, and so many are shown that there are `most_rows` rows.
    Results are compared at the scale of the largest network. Metrics leave out `scale`
    pixels at each border.

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
        metrics: which, of `metrics.table.OF_IMAGES`.
        run: training of the last network; the page shows its verdict and curves.
        commands: more commands to show.

    Raises:
        UserError: `run` is none, weights of a metric are missing, an image cannot be
            read, a ground truth has another size, or the crop is outside of an image.
    """
    scale = max(upscaler.scale for upscaler in upscalers.values())
    truths = match_ground_truths(inputs, gt)
    wanted = [name for name in metrics if truths or not METRICS[name].needs_gt]
    opened = {name: open_metric(name, scale) for name in wanted}
    crops_per_image = 1 if crop else crops
    shown = set(evenly_spaced(inputs, max(1, most_rows // crops_per_image)))
    names = list(upscalers)
    from_run = run_summary(run) if run else Summary()

    all_measured, rows = [], []
    for path in inputs:
        lq, measured = measure(path, truths.get(path), upscalers, scale, opened)
        all_measured.append(measured.without_results())
        if path in shown:
            given = [inside(path, lq, crop)] if crop else []
            chosen = given or differing(measured, names, crop_size, crops)
            rows += _rows(path.name, lq, measured, chosen, opened)

    grids = Grids.of([each.grid_indices for each in all_measured])
    found = metrics_of(inputs, all_measured)
    done = ImageComparison(
        sheet=Path(output) / SHEET,
        page=Path(output) / PAGE,
        means=_means(found, grids),
        remark=described(len(inputs), len(truths), scale, metrics),
        warnings=grids.warnings(names),
        verdict=networks_verdict(names, only_finite(found)),
    )
    write_comparison(done, rows, names, scale, from_run.below(done.verdict, commands))
    return done


def measure(
    path: Path,
    gt: Path | None,
    upscalers: Mapping[str, Upscaler],
    scale: int,
    metrics: Mapping[str, OpenMetric],
) -> tuple[np.ndarray, Measured]:
    """Upscale one image by each method; return it, and what can be measured."""
    if gt is None:
        lq, truth = read_rgb8(path), None
    else:
        lq, truth = read_pair(Pair(path.name, gt, path), scale)
    results = {BICUBIC: enlarge(lq, scale)}
    for name, upscaler in upscalers.items():
        results[name] = upscaler(lq, outscale=scale)

    values = {}
    if metrics:
        values = {
            name: measure_image(sr, truth, metrics) for name, sr in results.items()
        }
    if truth is not None:
        results[GT] = truth
    grid_indices = {name: grid_index(sr, scale) for name, sr in results.items()}
    return lq, Measured(results, values, grid_indices, scale)


def metrics_of(inputs: Sequence[Path], measured: Sequence[Measured]) -> Metrics:
    """Return the metrics of each method by the name of the image."""
    found: Metrics = {}
    for path, each in zip(inputs, measured, strict=True):
        for method, values in each.values.items():
            add_image(found.setdefault(method, {}), path.stem, values)
    return found


def _means(found: Metrics, grids: Grids) -> list[Mean]:
    """Return the mean metrics of each method, over the images that have them."""
    means = []
    for method, images in found.items():
        values: dict[MetricFormat, float] = {}
        for name, mean in means_of(images).items():
            values[METRICS[name]] = mean
        index = grids.indices[method]
        means.append(Mean(method, values, index, grids.shows(method)))
    return means


def write_comparison(
    done: ImageComparison,
    rows: Sequence[SheetRow],
    names: Sequence[str],
    scale: int,
    summary: Summary,
) -> None:
    """Write the sheet, and the page that compares the first with the last network."""
    page = image_page(
        rows,
        done.means,
        headline=f"Before and after, x{scale}: {', '.join(names)}",
        remark=done.remark,
        warnings=done.warnings,
        before=names[0] if len(names) > 1 else BICUBIC,
        after=names[-1],
        summary=summary,
    )
    crops = [row for row in rows if not row.is_whole]
    sheet = contact_sheet(crops, done.means, done.remark, done.warnings)
    write_image(done.sheet, sheet)
    with atomic_path(done.page) as temporary:
        temporary.write_text(page, encoding="utf-8")


def inside(path: Path, lq: np.ndarray, crop: Crop) -> Crop:
    """Return the crop; UserError if it is partly outside of the image."""
    height, width = lq.shape[:2]
    if crop.right > width or crop.bottom > height:
        raise UserError(
            f"{path}: has {width}x{height} pixels, so the crop {crop} is partly outside; "
            "choose another --crop"
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
    """Return the ground truth of each input that has one, of a/1.png a/1.* in it, or 1.*.

    UserError if none has, or two have the same.
    """
    if gt is None:
        return {}
    if gt.is_file() and len(inputs) == 1:
        return {inputs[0]: gt}
    images = list_images(gt, recursive=True)
    by_name = {path.relative_to(gt).with_suffix(""): path for path in images}
    found: dict[Path, Path] = {}
    for path in inputs:
        name = Path(path.stem)
        truth = by_name.get(path.parent.name / name, by_name.get(name))
        if truth in found.values():
            raise UserError(
                f"{truth}: is the ground truth of two inputs, one of them {path}; compare "
                "them one after the other, or repeat their folders in --gt"
            )
        found |= {path: truth} if truth else {}
    if not found:
        raise UserError(
            f"{gt}: no image here is named like an input, such as {inputs[0].stem}.png"
        )
    return found


def _rows(
    name: str,
    lq: np.ndarray,
    measured: Measured,
    crops: Sequence[Crop],
    metrics: Mapping[str, OpenMetric],
) -> list[SheetRow]:
    """Return the row of the whole image, unless a crop is all of it, and those of crops."""
    height, width = lq.shape[:2]
    whole = Crop(0, 0, width, height)
    if list(crops) == [whole]:
        return [_crop_row(name, lq, measured, whole, metrics)]

    boxes = [
        (c.x / width, c.y / height, c.width / width, c.height / height) for c in crops
    ]
    rows = [_row(name, lq, measured, whole, measured.values, boxes)]
    for crop in crops:
        title = f"{name}, {crop.width}x{crop.height} pixels at ({crop.x}, {crop.y})"
        rows.append(_crop_row(title, lq, measured, crop, metrics))
    return rows


def _crop_row(
    title: str,
    lq: np.ndarray,
    measured: Measured,
    crop: Crop,
    metrics: Mapping[str, OpenMetric],
) -> SheetRow:
    """Return the row of a crop, with the metrics of that crop alone."""
    scale = measured.scale
    values: dict[str, ImageMetrics] = {}
    truth = measured.results.get(GT)
    if truth is not None and scale * min(crop.width, crop.height) >= MEASURED_SIDE:
        compared = {key: each for key, each in metrics.items() if each.metric.needs_gt}
        gt = np.ascontiguousarray(crop.of(truth, scale))
        for method in measured.values:
            image = np.ascontiguousarray(crop.of(measured.results[method], scale))
            values[method] = measure_image(image, gt, compared)
    return _row(title, lq, measured, crop, values)


def _row(
    title: str,
    lq: np.ndarray,
    measured: Measured,
    crop: Crop,
    values: Mapping[str, ImageMetrics],
    boxes: Sequence[tuple[float, float, float, float]] = (),
) -> SheetRow:
    """Return the panels of a part: the input's pixels repeated, then each result."""
    scale = measured.scale
    pixels = crop.of(lq).repeat(scale, 0).repeat(scale, 1)
    panels = [Panel(INPUT, pixels, repeated=scale)]
    for method, result in measured.results.items():
        image = np.ascontiguousarray(crop.of(result, scale))
        notes = []
        for metric, value in values.get(method, {}).items():
            notes.append(f"{METRICS[metric].text(value)} {METRICS[metric].label}")
        panels.append(Panel(method, image, ", ".join(notes)))
    return SheetRow(title, panels, is_whole=bool(boxes), boxes=boxes)
