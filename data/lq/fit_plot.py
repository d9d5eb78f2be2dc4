"""A picture of how synthetic low-quality images compare with real ones: their statistics, and some of both."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from realesrgan_paddle.data.lq.fit import Compared, Fit, spread_of
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.report.contact_sheet import contact_sheet
from realesrgan_paddle.utils.report.panels import Panel, Row, evenly_spaced
from realesrgan_paddle.utils.report.plots import blank_figure, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
SHOWN = 6
"""Windows of each set that are shown."""
PANEL = 256
"""Their side, enlarged without smoothing [pixels]."""
BINS = 24
COLOURS = ("C0", "C1")
SCALES = {
    "noise": "8-bit levels",
    "blockiness": "0: no blocks",
    "sharpness": "to the right: sharper",
    "spectral slope": "to the right: more of the finest detail, or noise",
    "chroma detail": "to the right: finer colour, or coloured noise",
    "contrast": "8-bit levels",
}
"""What stands below each statistic."""


def check_plotting() -> None:
    """Raise a UserError if matplotlib is not installed, before anything is measured."""
    blank_figure(100, 100)


def write_plot(fit: Fit, path: Path) -> None:
    """Write a PNG: the distributions of each statistic laid over one another, below them windows of both sets.

    Raises:
        UserError: matplotlib is not installed.
    """
    rows_of_windows = [
        _row(note, windows)
        for note, windows in zip(fit.notes, (fit.real, fit.synthetic), strict=True)
    ]
    windows = contact_sheet(
        rows_of_windows, [], "Some of the windows, enlarged without smoothing"
    )
    rows = -(-len(fit.compared) // COLUMNS)
    figure = blank_figure(windows.shape[1], 300 * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, compared in zip(axes, fit.compared, strict=False):
        _draw(axis, compared)
    write_image(path, np.concatenate([render(figure), windows]))


def _draw(axis: "Axes", compared: Compared) -> None:
    """Draw the histograms of both sets, and their medians as lines."""
    axis.set_title(f"{compared.name}: distance {compared.distance:.2f}", fontsize=11)
    axis.set_xlabel(SCALES[compared.name], fontsize=9)
    axis.set_yticks([])
    both = (compared.real, compared.synthetic)
    if np.isnan(compared.distance):
        return
    low, high = np.percentile(np.concatenate(both), [1, 99])
    ends = np.linspace(low, high, BINS + 1).tolist()
    for values, colour, label in zip(both, COLOURS, ("real", "synthetic"), strict=True):
        shown = np.clip(values, low, high)
        axis.hist(
            shown, ends, color=colour, alpha=0.45, label=f"{label}: {spread_of(values)}"
        )
        axis.axvline(np.median(shown), color=colour, linewidth=1.5)
    axis.legend(fontsize=8)


def _row(title: str, windows: Sequence[np.ndarray]) -> Row:
    size = (PANEL, PANEL)
    large = [
        cv2.resize(window, size, interpolation=cv2.INTER_NEAREST)
        for window in evenly_spaced(windows, SHOWN)
    ]
    return Row(title, [Panel("", picture) for picture in large])
