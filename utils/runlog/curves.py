"""The numbers of training runs, read from their `metrics.jsonl` and drawn as curves."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.report.plots import blank_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE = "metrics.jsonl"
TITLES = {
    "l_g_pix": "pixel loss",
    "l_g_percep": "perceptual loss",
    "l_g_style": "style loss",
    "l_g_gan": "adversarial loss of the generator",
    "l_g_artifact": "artifact loss",
    "l_g_lpips": "LPIPS as a loss",
    "l_g_dists": "DISTS as a loss",
    "lr": "learning rate",
    "psnr": "psnr (higher is better)",
    "ssim": "ssim (higher is better)",
    "lpips": "lpips (lower is better)",
    "dists": "dists (lower is better)",
    "images_per_s": "images per second",
    "data_wait": "share of time waiting for data",
    "memory_mb": "peak memory [MB]",
    "gpu_memory_mb": "peak memory of the GPU [MB]",
}
"""Of figures that have a panel of their own; others go by their names."""
TOGETHER = {
    "l_d_real": "discriminator losses (untrained: ln 2)",
    "l_d_fake": "discriminator losses (untrained: ln 2)",
    "out_d_real": "discriminator outputs (above 0: real)",
    "out_d_fake": "discriminator outputs (above 0: real)",
}
"""Figures that share a panel, by its title."""
LEVELS = {TOGETHER["l_d_real"]: math.log(2), TOGETHER["out_d_real"]: 0.0}
"""What a panel shows as a dotted line."""
MACHINE = ("images_per_s", "data_wait", "memory_mb", "gpu_memory_mb")
LEFT_OUT = frozenset({"iter", "left_s"})
LOG_RATIO = 30
"""A panel of positive numbers gets a logarithmic axis where the largest is so many times the smallest."""
SMOOTHED_FROM = 30
"""Curves of fewer reports are drawn as they are."""
COLUMNS = 3
STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Curve:
    """One figure of one run: iterations in rising order, and values, NaN where a number was not finite."""

    run: str
    figure: str
    iterations: np.ndarray
    values: np.ndarray


def plot_runs(inputs: Sequence[str | Path], output: str | Path) -> int:
    """Write a PNG with a panel for each figure of the runs, laid over one another; return how many panels.

    Args:
        inputs: folders of runs, or their `metrics.jsonl`; a run may still be going on.
        output: the file to write.

    Raises:
        UserError: a run has no numbers, a line is none of a run, or matplotlib is not
            installed.
    """
    curves = [
        curve
        for name, path in _names(inputs).items()
        for curve in read_curves(path, name)
    ]
    shown = panels(curves)
    figure = _draw(shown, [*dict.fromkeys(curve.run for curve in curves)])
    with atomic_path(Path(output)) as temporary:
        figure.savefig(temporary, format="png")
    return len(shown)


def read_curves(path: Path, run: str) -> list[Curve]:
    """Return the figures of a `metrics.jsonl`, in the order in which they first appear; `run` is what they are named.

    A last line without its end is left out: it is being written.

    Raises:
        UserError: the file is not there, holds no numbers, or a line is not of a run.
    """
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; --input takes the folder of a run, such as experiments/NAME"
        )
    points: dict[str, list[tuple[int, float]]] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if line.endswith("\n"):
            record = _record(line, f"{path}: line {number}")
            for figure in record.keys() - LEFT_OUT:
                points.setdefault(figure, []).append(
                    (int(record["iter"]), record[figure])
                )
    if not points:
        raise UserError(
            f"{path}: no numbers in it yet; a run reports once in logger.print_freq iterations"
        )
    order = [
        figure for line in lines if line.endswith("\n") for figure in json.loads(line)
    ]
    arrays = {
        figure: np.array(sorted(points[figure]))
        for figure in dict.fromkeys(order)
        if figure in points
    }
    return [
        Curve(run, figure, array[:, 0], array[:, 1]) for figure, array in arrays.items()
    ]


def panels(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Return the curves by the titles of their panels: losses, validation (`SET/FIGURE`, by figure), the machine's."""
    shown: dict[str, list[Curve]] = {}
    for curve in sorted(
        curves, key=lambda curve: (curve.figure in MACHINE, curve.figure.count("/"))
    ):
        shown.setdefault(_title(curve.figure), []).append(curve)
    return shown


def smooth(values: np.ndarray) -> np.ndarray:
    """Return a running mean that forgets over a thirtieth of the curve; NaN is passed over."""
    keep = math.exp(-SMOOTHED_FROM / len(values))
    mean, weight, smoothed = 0.0, 0.0, np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if np.isfinite(value):
            mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        if weight:
            smoothed[i] = (
                mean / weight
            )  # without the start from 0 (Kingma and Ba 2015, section 3)
    return smoothed


def _record(line: str, where: str) -> dict[str, float]:
    """Return the numbers of a line; NaN for null."""
    try:
        record = json.loads(line)
        return {
            name: math.nan if value is None else float(value)
            for name, value in record.items()
        } | {"iter": int(record["iter"])}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{where} is no record of a run: {line.strip()[:60]!r}"
        ) from None


def _names(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Return the metrics file of each run by a name that tells it from the others."""
    files = [path / FILE if path.is_dir() else path for path in map(Path, inputs)]
    short = [file.resolve().parent.name for file in files]
    long = [str(file.parent) for file in files]
    return dict(
        zip(short if len(set(short)) == len(short) else long, files, strict=True)
    )


def _title(figure: str) -> str:
    if "/" in figure:  # SET/FIGURE, drift/SET/FIGURE
        *kind, _, name = figure.split("/")
        return " ".join([*kind, name]) if kind else TITLES.get(name, name)
    title = TITLES.get(figure)
    return TOGETHER.get(figure) or (
        f"{title} ({figure})" if title and figure.startswith("l_") else title or figure
    )


def _draw(shown: Mapping[str, Sequence[Curve]], runs: Sequence[str]) -> "Figure":
    """Return the figure; with one run its curves differ by colour, with more the runs do, and the curves by dashes."""
    rows = -(-len(shown) // COLUMNS)
    figure = blank_figure(540 * COLUMNS, 320 * rows + 50)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    last = max(curve.iterations[-1] for curves in shown.values() for curve in curves)
    for axis, (title, curves) in zip(axes, shown.items(), strict=False):
        _draw_panel(axis, title, curves, runs)
        axis.set_xlim(-0.03 * last, 1.03 * last)
    handles = [
        axes[0].plot([], [], color=f"C{n % 10}", linewidth=3)[0]
        for n in range(len(runs))
    ]
    if len(runs) > 1:
        figure.legend(
            handles, runs, loc="outside upper center", ncols=min(4, len(runs))
        )
    else:
        figure.suptitle(runs[0])
    return figure


def _draw_panel(
    axis: "Axes", title: str, curves: Sequence[Curve], runs: Sequence[str]
) -> None:
    figures = [*dict.fromkeys(curve.figure for curve in curves)]
    for curve in curves:
        number = figures.index(curve.figure)
        colour = f"C{(runs.index(curve.run) if len(runs) > 1 else number) % 10}"
        style = STYLES[number % len(STYLES)] if len(runs) > 1 else "-"
        label = curve.figure if curve.run == curves[0].run else None
        noisy = "/" not in curve.figure and curve.figure not in (
            "lr",
            "memory_mb",
            "gpu_memory_mb",
        )
        smoothed = noisy and len(curve.values) >= SMOOTHED_FROM
        if smoothed:
            axis.plot(
                curve.iterations, curve.values, color=colour, alpha=0.25, linewidth=0.8
            )
        line = smooth(curve.values) if smoothed else curve.values
        marker = "o" if len(line) < SMOOTHED_FROM else None
        axis.plot(
            curve.iterations,
            line,
            style,
            color=colour,
            label=label,
            marker=marker,
            markersize=3.5,
        )
    finite = np.concatenate(
        [curve.values[np.isfinite(curve.values)] for curve in curves]
    )
    if len(finite) and finite.min() > 0 and finite.max() > LOG_RATIO * finite.min():
        axis.set_yscale("log")
    elif curves[0].figure in MACHINE:
        axis.set_ylim(0, 1.1 * finite.max() if len(finite) else None)
    if title in LEVELS:
        axis.axhline(LEVELS[title], color="gray", linestyle=":", linewidth=1)
    axis.set_title(title, fontsize=11)
    axis.set_xlabel("iteration", fontsize=9)
    axis.grid(alpha=0.3)
    if len(figures) > 1:
        axis.legend(fontsize=8)
