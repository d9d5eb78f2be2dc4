"""Networks side by side on the same images: measured where a ground truth is known, and shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.models.inference.upscaler import TILE_PAD, Upscaler
from realesrgan_paddle.options.schema.config import MetricOptions
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_rgb, to_uint8, write_image
from realesrgan_paddle.utils.metrics import psnr, ssim
from realesrgan_paddle.utils.report.contact_sheet import contact_sheet
from realesrgan_paddle.utils.report.html_page import html_page
from realesrgan_paddle.utils.report.panels import (
    METRIC_FORMATS,
    Mean,
    Panel,
    Row,
    evenly_spaced,
)

INPUT, BICUBIC, GT = "input", "bicubic", "ground truth"
SHEET, PAGE = "sheet.png", "index.html"


@dataclass(frozen=True)
class Comparison:
    """What `compare` wrote and measured."""

    sheet: Path
    page: Path
    means: list[Mean]
    """Bicubic first, then the networks in the order given; empty without ground truth."""
    remark: str
    """How many images were measured, and how."""

    def __str__(self) -> str:
        """Return what was measured, and where it is shown, as lines."""
        means = (f"  {mean.label:<16} {mean}" for mean in self.means)
        return "\n".join([self.remark, *means, str(self.sheet), str(self.page)])


@dataclass(frozen=True)
class Measured:
    """One image, enlarged by each method: uint8 RGB of one size."""

    results: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    """The metrics of each method; empty without ground truth."""


def load_upscalers(
    models: Sequence[tuple[str, str]],
    *,
    tile: int = 0,
    tile_pad: int = TILE_PAD,
    device: str = "auto",
) -> dict[str, Upscaler]:
    """Return the upscalers of (name, model) pairs by their names; see `Upscaler.load`.

    Raises:
        UserError: two have one name, or a name is that of another column.
    """
    upscalers: dict[str, Upscaler] = {}
    for name, model in models:
        if name in (INPUT, BICUBIC, GT, *upscalers):
            raise UserError(
                f"two columns cannot be named {name!r}; give {model} another name"
            )
        upscalers[name] = Upscaler.load(
            model, tile=tile, tile_pad=tile_pad, device=device
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
) -> Comparison:
    """Enlarge `inputs` by bicubic interpolation and by each network; write a sheet and a page into `output`.

    All images are measured; so many are shown that there are `most_rows` rows. Results
    are compared at the scale of the largest network. Metrics leave out `scale` pixels
    at each border; PSNR and SSIM are of the Y channel.

    Args:
        inputs: low-quality images.
        upscalers: the networks by the names to show.
        output: folder, made when missing; files of an earlier run are replaced.
        gt: the ground truth of the one input, or a folder of images named as the inputs
            are.
        crop: the piece of each input to show; None for those of most detail.
        crop_size: sides of the pieces in input pixels, without `crop`.
        crops: pieces of one image, without `crop`.
        most_rows: rows in all.
        metrics: which, of `METRIC_FORMATS`.

    Raises:
        UserError: weights that a metric needs cannot be had, an image cannot be read, a
            ground truth has another size, or the crop is outside.
    """
    scale = max(upscaler.scale for upscaler in upscalers.values())
    truths = _match(inputs, gt)
    measures = _open_measures(metrics if truths else (), scale)
    shown = set(evenly_spaced(inputs, max(1, most_rows // (1 if crop else crops))))
    rows: list[Row] = []
    scores = []
    for path in inputs:
        lq = to_uint8(read_rgb(path))
        pieces = _pieces(path, lq, crop, crop_size, crops) if path in shown else []
        measured = _measure(path, lq, upscalers, scale, truths.get(path), measures)
        rows += [_row(path.name, lq, measured, piece, scale) for piece in pieces]
        if measured.scores:
            scores.append(measured.scores)
    means = [
        Mean(
            name,
            {
                metric: float(np.mean([score[name][metric] for score in scores]))
                for metric in metrics
            },
        )
        for name in (scores[0] if scores else ())
    ]
    remark = _remark(len(inputs), len(scores), scale, metrics)
    names = list(upscalers)
    headline = f"Before and after, x{scale}: {', '.join(names)}"
    page = html_page(
        rows,
        means,
        headline=headline,
        remark=remark,
        before=_before(names),
        after=names[-1],
    )
    done = Comparison(Path(output) / SHEET, Path(output) / PAGE, means, remark)
    write_image(done.sheet, contact_sheet(rows, means, remark))
    with atomic_path(done.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return done


def usual_metrics() -> tuple[list[str], list[str]]:
    """Return the names of PSNR, SSIM, and LPIPS where its weights can be had; else, a remark that says why not."""
    from realesrgan_paddle.run.available_metrics import (
        missing_weights,  # it loads Paddle, which exported graphs bring along anyway
    )

    reason = missing_weights("calculate_lpips")
    return (
        (["psnr", "ssim"], [f"LPIPS is left out: {reason}"])
        if reason
        else (["psnr", "ssim", "lpips"], [])
    )


def _open_measures(
    metrics: Sequence[str], scale: int
) -> Mapping[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Return the metrics by name: PSNR and SSIM of the Y channel, all without `scale` pixels at each border."""
    luma = {"psnr": psnr, "ssim": ssim}
    measures = {
        name: partial(luma[name], crop_border=scale, y_channel=True)
        for name in metrics
        if name in luma
    }
    if set(metrics) <= set(luma):
        return measures
    from realesrgan_paddle.run.available_metrics import open_metric  # it loads Paddle

    networks = {
        "lpips": MetricOptions(type="calculate_lpips", crop_border=scale),
        "dists": MetricOptions(type="calculate_dists", crop_border=scale),
    }
    return {
        **measures,
        **{name: open_metric(networks[name]) for name in metrics if name in networks},
    }


def _measure(
    path: Path,
    lq: np.ndarray,
    upscalers: Mapping[str, Upscaler],
    scale: int,
    gt: Path | None,
    measures: Mapping[str, Callable[[np.ndarray, np.ndarray], float]],
) -> Measured:
    height, width = lq.shape[0] * scale, lq.shape[1] * scale
    results = {
        BICUBIC: np.array(
            Image.fromarray(lq).resize((width, height), Image.Resampling.BICUBIC)
        )
    }
    results |= {
        name: upscaler(lq, outscale=scale) for name, upscaler in upscalers.items()
    }
    if gt is None:
        return Measured(results, {})
    truth = to_uint8(read_rgb(gt))
    if not (
        0 <= truth.shape[0] - height < scale and 0 <= truth.shape[1] - width < scale
    ):
        raise UserError(
            f"{gt}: {_size(truth)} pixels are not {scale} times the {_size(lq)} of {path}"
        )
    truth = truth[:height, :width]
    scores = {
        method: {name: measures[name](sr, truth) for name in measures}
        for method, sr in results.items()
    }
    return Measured(results | {GT: truth}, scores)


def _row(name: str, lq: np.ndarray, measured: Measured, piece: Crop, scale: int) -> Row:
    """Return the panels of one piece of one image: the input's pixels enlarged, each result, the ground truth."""
    panels = [Panel(INPUT, piece.of(lq).repeat(scale, 0).repeat(scale, 1))]
    for method, result in measured.results.items():
        note = ", ".join(
            METRIC_FORMATS[name].text(value)
            for name, value in measured.scores.get(method, {}).items()
        )
        panels.append(
            Panel(method, np.ascontiguousarray(piece.of(result, scale)), note)
        )
    return Row(
        f"{name}, {piece.width}x{piece.height} pixels at ({piece.x}, {piece.y})", panels
    )


def _pieces(
    path: Path, lq: np.ndarray, crop: Crop | None, size: int, count: int
) -> list[Crop]:
    if crop is None:
        return most_detailed(lq, size, count)
    if crop.x + crop.width > lq.shape[1] or crop.y + crop.height > lq.shape[0]:
        raise UserError(
            f"{path}: has {_size(lq)} pixels, so the crop reaches beyond them: {crop}"
        )
    return [crop]


def _match(inputs: Sequence[Path], gt: Path | None) -> dict[Path, Path]:
    """Return the ground truth of each input that has one."""
    if gt is None:
        return {}
    if gt.is_file() and len(inputs) == 1:
        return {inputs[0]: gt}
    by_stem = {path.stem: path for path in list_images(gt)}
    found = {path: by_stem[path.stem] for path in inputs if path.stem in by_stem}
    if not found:
        raise UserError(
            f"{gt}: no image here is named as an input is, such as {inputs[0].stem}.png"
        )
    return found


def _before(names: Sequence[str]) -> str:
    return names[0] if len(names) > 1 else BICUBIC


def _remark(count: int, measured: int, scale: int, metrics: Sequence[str]) -> str:
    images = f"{count} image{'s' * (count != 1)}"
    if not measured:
        return f"{images}; no ground truth, so nothing is measured"
    of = "" if measured == count else f"; means over the {measured} with a ground truth"
    luma = [METRIC_FORMATS[name].name for name in metrics if name in ("psnr", "ssim")]
    rgb = [
        f"{METRIC_FORMATS[name].name} (lower is better)"
        for name in metrics
        if METRIC_FORMATS[name].lower_is_better
    ]
    kinds = [
        f"{' and '.join(names)} of {what}"
        for names, what in ((luma, "the Y channel"), (rgb, "RGB"))
        if names
    ]
    return f"{images}{of}; {', '.join(kinds)}, whole images but for {scale} pixels at each border"


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
