"""Curves of training runs, read from `metrics.jsonl` and drawn with matplotlib."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path, figures_of, read_regular

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS_FILE = "metrics.jsonl"

TITLES = {
    "lr": "learning rate",
    "images_per_s": "images per second",
    "data_wait": "share of time waiting for data",
    "memory_mb": "peak memory [MB]",
    "gpu_memory_mb": "peak memory of the GPU [MB]",
}
"""Titles of what a run reports besides losses and metrics."""

MACHINE = ("images_per_s", "data_wait", "memory_mb", "gpu_memory_mb")
"""Values about the machine, whose panels come last."""

NOISELESS = ("lr", "memory_mb", "gpu_memory_mb")
"""Values that are not smoothed; neither are those of validations."""

LARGEST = float(np.finfo(np.float32).max)
"""Of a value that is drawn: losses are float32, and matplotlib fails at far larger ones."""
NOT_DRAWN = frozenset({"iter", "left_s"})

LOG_RATIO = 30
"""Ratio of maximum to minimum from which positive values get a logarithmic axis.

Chosen by eye.
"""

SMOOTHED_FROM = 30
"""Curves of fewer points are not smoothed, and show their points."""

COLUMNS = 3
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_HEIGHT = 540, 320, 50  # [pixels]
COLORS = 10  # of matplotlib's default cycle, "C0" to "C9"
STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Curve:
    """One reported value of one run.

    Attributes:
        run: the run's name.
        name: such as "l_g_pix"; "SET/METRIC" for a validation.
        iterations: (points,), rising.
        values: (points,); NaN where the value was not finite.
    """

    run: str
    name: str
    iterations: np.ndarray
    values: np.ndarray


def plot_runs(
    inputs: Sequence[str | Path],
    output: str | Path,
    titles: Mapping[str, str],
    levels: Mapping[str, float],
) -> int:
    """Write a PNG with a panel for each reported value; return the number of panels.

    Args:
        inputs: folders of runs, or their `metrics.jsonl`; a run may be active. Several
            runs are drawn into the same panels.
        output: the file to write.
        titles: panel titles of the losses by name; one title is one panel.
        levels: where panels get a dotted line, by title.

    Raises:
        UserError: a run has no numbers, a line is not of a run, or matplotlib is not
            installed.
    """
    curves: list[Curve] = []
    for name, path in _name_runs(inputs).items():
        curves += read_curves(path, name)
    shown = panels(curves, titles)
    runs = list(dict.fromkeys(curve.run for curve in curves))
    figure = _draw(shown, runs, levels)
    with atomic_path(Path(output)) as temporary:
        figure.savefig(temporary, format="png")
    return len(shown)


def read_curves(path: Path, run: str) -> list[Curve]:
    """Return the curves of a `metrics.jsonl`, in the order in which they first appear.

    A last line without a line break is ignored: it is being written.

    Args:
        path: the file.
        run: the run's name in the curves.

    Raises:
        UserError: the file does not exist, holds no numbers, or a line is not of a run.
    """
    if not path.exists():
        raise UserError(
            f"{path}: no such file; "
            "--input takes the folder of a run, such as experiments/NAME"
        )

    points: dict[str, list[tuple[int, float]]] = {}
    text = read_regular(path).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            continue
        record = _parse_record(line, f"{path}: line {number}")
        for name, value in record.items():
            if name in NOT_DRAWN:
                continue
            if abs(value) > LARGEST:
                value = math.nan
            points.setdefault(name, []).append((int(record["iter"]), value))
    if not points:
        raise UserError(
            f"{path}: no numbers in it yet; "
            "a run reports once in logger.print_freq iterations"
        )

    curves = []
    for name, pairs in points.items():
        array = np.array(sorted(pairs))
        curves.append(Curve(run, name, array[:, 0], array[:, 1]))
    return curves


def panels(
    curves: Sequence[Curve], titles: Mapping[str, str]
) -> dict[str, list[Curve]]:
    """Return the curves by the title of their panel.

    Losses come first, then validations, with one panel for a metric of several sets,
    then the machine's values.
    """

    def order(curve: Curve) -> tuple[bool, int]:
        """Return the sort key of a curve; validations are named SET/METRIC."""
        about_machine = curve.name in MACHINE
        depth = curve.name.count("/")
        return about_machine, depth

    shown: dict[str, list[Curve]] = {}
    for curve in sorted(curves, key=order):
        name = curve.name.rpartition("/")[2]  # of a validation: SET/METRIC
        title = {**TITLES, **titles}.get(name, name)
        shown.setdefault(title, []).append(curve)
    return shown


def smooth(values: np.ndarray) -> np.ndarray:
    """Return an exponential moving average over a thirtieth of the curve, without NaN.

    It is corrected for its start from 0 (Kingma and Ba 2015, "Adam", section 3).
    """
    decay = math.exp(-SMOOTHED_FROM / len(values))
    mean, weight = 0.0, 0.0
    smoothed = np.full(len(values), np.nan)
    for i, value in enumerate(values):
        if np.isfinite(value):
            mean = decay * mean + (1 - decay) * value
            weight = decay * weight + (1 - decay)
        if weight:
            smoothed[i] = mean / weight
    return smoothed


def _parse_record(line: str, where: str) -> dict[str, float]:
    """Return the numbers of a line of `metrics.jsonl`; NaN for null."""
    try:
        return figures_of(line)
    except ValueError:
        raise UserError(
            f"{where} is no record of a run: {line.strip()[:60]!r}"
        ) from None


def _name_runs(inputs: Sequence[str | Path]) -> dict[str, Path]:
    """Return the metrics file of each run by a name that is unique among them."""
    files = []
    for path in map(Path, inputs):
        file = path / METRICS_FILE if path.is_dir() else path
        files.append(file)

    names = [file.resolve().parent.name for file in files]
    repeated = len(set(names)) < len(names)
    if repeated:
        names = [str(file.parent) for file in files]
    return dict(zip(names, files, strict=True))


def _draw(
    shown: Mapping[str, Sequence[Curve]],
    runs: Sequence[str],
    levels: Mapping[str, float],
) -> "Figure":
    """Return the figure.

    With one run, color tells the curves of a panel apart. With several, color tells the
    runs apart, and dashes the curves.
    """
    rows = math.ceil(len(shown) / COLUMNS)
    height = PANEL_HEIGHT * rows + LEGEND_HEIGHT
    figure = blank_figure(PANEL_WIDTH * COLUMNS, height)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes[len(shown) :]:
        axis.set_visible(False)

    last = max(curve.iterations[-1] for curves in shown.values() for curve in curves)
    for axis, (title, curves) in zip(axes, shown.items(), strict=False):
        _draw_panel(axis, title, curves, runs)
        if title in levels:
            axis.axhline(levels[title], color="gray", linestyle=":", linewidth=1)
        axis.set_xlim(-0.03 * last, 1.03 * last)

    if len(runs) == 1:
        figure.suptitle(plot_text(runs[0]))
        return figure
    handles = []
    for number in range(len(runs)):
        (handle,) = axes[0].plot([], [], color=f"C{number % COLORS}", linewidth=3)
        handles.append(handle)
    columns = min(4, len(runs))
    names = list(map(plot_text, runs))
    figure.legend(handles, names, loc="outside upper center", ncols=columns)
    return figure


def _draw_panel(
    axis: "Axes", title: str, curves: Sequence[Curve], runs: Sequence[str]
) -> None:
    names = list(dict.fromkeys(curve.name for curve in curves))
    for curve in curves:
        number = names.index(curve.name)
        color, style = number, "-"
        if len(runs) > 1:
            color, style = runs.index(curve.run), STYLES[number % len(STYLES)]
        line = {"color": f"C{color % COLORS}", "linestyle": style}
        label = plot_text(curve.name) if curve.run == curves[0].run else None
        _draw_curve(axis, curve, {**line, "label": label})

    _scale(axis, curves)
    axis.set_title(plot_text(title), fontsize=11)
    axis.set_xlabel("iteration", fontsize=9)
    axis.grid(alpha=0.3)
    if len(names) > 1:
        axis.legend(fontsize=8)


def _draw_curve(axis: "Axes", curve: Curve, line: Mapping[str, Any]) -> None:
    """Draw a curve; a noisy one smoothed, with its values in pale behind it."""
    values = curve.values
    few = len(values) < SMOOTHED_FROM
    is_noisy = "/" not in curve.name and curve.name not in NOISELESS
    if is_noisy and not few:
        axis.plot(
            curve.iterations, values, color=line["color"], alpha=0.25, linewidth=0.8
        )
        values = smooth(values)
    marker = "o" if few else None
    axis.plot(curve.iterations, values, marker=marker, markersize=3.5, **line)


def _scale(axis: "Axes", curves: Sequence[Curve]) -> None:
    """Choose a logarithmic axis for a wide range; start those of the machine at 0."""
    values = np.concatenate([curve.values for curve in curves])
    finite = values[np.isfinite(values)]
    from_zero = curves[0].name in MACHINE
    if not len(finite):
        if from_zero:
            axis.set_ylim(0, None)
        return
    least, most = finite.min(), finite.max()
    if least > 0 and most > LOG_RATIO * least:
        axis.set_yscale("log")
    elif from_zero:
        axis.set_ylim(0, 1.1 * most)


def blank_figure(width: int, height: int) -> "Figure":
    """Return an empty figure of `width` x `height` pixels whose texts do not overlap.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "plots are drawn by matplotlib, which is not installed: "
            "pip install matplotlib"
        ) from None
    return Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")


def plot_text(text: str) -> str:
    """Return a name as matplotlib shows it: as it is, without a dollar's formulas."""
    return printable(text).replace("$", r"\$")
