"""Plot how synthetic low-quality images compare with real ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from realesrgan_paddle.data.lq.fit import Comparison, Fit, spread_text
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    Row,
    contact_sheet,
    evenly_spaced,
)
from realesrgan_paddle.utils.report.plots import blank_figure, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
ROW_HEIGHT = 300
"""Height of a row of histograms [pixels]."""
SHOWN = 6
"""Windows of each set that are shown."""
PANEL = 256
"""Side of a window on the sheet, upscaled by repetition [pixels]."""
BINS = 24
COLORS = ("C0", "C1")
AXIS_LABELS = {
    "noise": "8-bit levels",
    "blockiness": "0: no blocks",
    "sharpness": "higher: sharper",
    "spectral slope": "higher: more of the finest detail, or noise",
    "chroma detail": "higher: finer color, or color noise",
    "contrast": "8-bit levels",
}
"""Label below the histogram of each statistic."""


def check_plotting() -> None:
    """Raise a UserError if matplotlib is not installed, before anything is measured."""
    blank_figure(100, 100)


def write_plot(fit: Fit, path: Path) -> None:
    """Write a PNG: a histogram of both sets for each statistic, and some windows below.

    Raises:
        UserError: matplotlib is not installed.
    """
    sets = zip(fit.notes, (fit.real, fit.synthetic), strict=True)
    rows = [_row(note, windows) for note, windows in sets]
    title = "Some of the windows, upscaled by repetition"
    windows = contact_sheet(rows, [], title)

    row_count = -(-len(fit.comparisons) // COLUMNS)
    width = windows.shape[1]
    figure = blank_figure(width, ROW_HEIGHT * row_count)
    axes = figure.subplots(row_count, COLUMNS, squeeze=False)
    for axis, comparison in zip(axes.ravel(), fit.comparisons, strict=False):
        _draw(axis, comparison)
    plots = render(figure)
    write_image(path, np.concatenate([plots, windows]))


def _draw(axis: "Axes", comparison: Comparison) -> None:
    """Draw the histograms of both sets, and their medians as lines."""
    title = f"{comparison.name}: distance {comparison.distance:.2f}"
    axis.set_title(title, fontsize=11)
    axis.set_xlabel(AXIS_LABELS[comparison.name], fontsize=9)
    axis.set_yticks([])
    if np.isnan(comparison.distance):
        return

    both = (comparison.real, comparison.synthetic)
    low, high = np.percentile(np.concatenate(both), [1, 99])
    edges = np.linspace(low, high, BINS + 1).tolist()
    for values, color, name in zip(both, COLORS, ("real", "synthetic"), strict=True):
        label = f"{name}: {spread_text(values)}"
        shown = np.clip(values, low, high)
        axis.hist(shown, edges, color=color, alpha=0.45, label=label)
        axis.axvline(np.median(shown), color=color, linewidth=1.5)
    axis.legend(fontsize=8)


def _row(title: str, windows: Sequence[np.ndarray]) -> Row:
    size = (PANEL, PANEL)
    panels = []
    for window in evenly_spaced(windows, SHOWN):
        large = cv2.resize(window, size, interpolation=cv2.INTER_NEAREST)
        panels.append(Panel("", large))
    return Row(title, panels)
