"""The figures of a clip's steadiness, and how they are printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from realesrgan_paddle.utils.errors import printable

UNKNOWN = "-"
"""Printed where a figure could not be measured."""
CELL = 10
"""Letters of a printed figure, with the space before it."""


@dataclass(frozen=True)
class Figures:
    """The steadiness of one step from a frame to the next, or the mean of a clip's.

    NaN where it cannot be measured: `tof`, `tlp` and `difference_error` need a ground
    truth (`tlp` also LPIPS), `flicker` and `still` the input, `sharpness` either.
    """

    tof: float
    """tOF [pixels]: how far its optical flow is from that of the ground truth."""
    tlp: float
    """tLP: how far LPIPS of the two frames is from that of the ground truth, x100."""
    difference_error: float
    """How far its change is from that of the ground truth [8-bit levels]."""
    flicker: float
    """How much changes where the input stands still [8-bit levels]."""
    still: float
    """Share of the frame where the input stands still."""
    sharpness: float
    """Mean gradient of the later frame, that of the ground truth, or else of the bicubic
    enlargement of the input, being 1."""


@dataclass(frozen=True)
class Column:
    """How a figure is printed."""

    name: str
    field: str
    digits: int
    meaning: str

    def text(self, figures: Figures) -> str:
        """Return the figure, or "-" if it could not be measured."""
        value = getattr(figures, self.field)
        if np.isnan(value):
            return UNKNOWN
        return f"{value:.{self.digits}f}"


COLUMNS = (
    Column("tOF", "tof", 3, "error of the optical flow, pixels"),
    Column("tLP", "tlp", 2, "error of LPIPS from frame to frame, x100"),
    Column("change", "difference_error", 2, "error of the frame difference, levels"),
    Column("flicker", "flicker", 2, "change where the input stands still, levels"),
    Column("sharp", "sharpness", 2, "mean gradient; blur is steady, too"),
)
"""What is printed, in this order. Less is better, except for the last."""


@dataclass(frozen=True)
class Steadiness:
    """The figures of a clip."""

    steps: Sequence[Figures]
    """From each frame to the next: one fewer than there are frames."""

    @property
    def mean(self) -> Figures:
        """The means over the steps that have the figure."""
        means = {}
        for field in fields(Figures):
            values = np.array([getattr(step, field.name) for step in self.steps])
            known = values[~np.isnan(values)]
            means[field.name] = float(known.mean()) if known.size else np.nan
        return Figures(**means)

    def __str__(self) -> str:
        """Return the means, such as "tOF 0.213, tLP 1.20, ... sharp 0.91"."""
        mean = self.mean
        texts = [f"{column.name} {column.text(mean)}" for column in COLUMNS]
        return ", ".join(texts)


def steadiness_table(clips: Mapping[str, Steadiness]) -> list[str]:
    """Return the means of clips by name as aligned lines, with what they mean below.

    Figures that no clip has are left out.
    """
    names = [printable(name) for name in clips]
    means = [clip.mean for clip in clips.values()]
    rows = ["", *names]
    meanings = []
    for column in COLUMNS:
        texts = [column.text(mean) for mean in means]
        if set(texts) == {UNKNOWN}:
            continue
        cells = [column.name, *texts]
        rows = _beside(rows, cells)
        meanings.append(f"{column.name}: {column.meaning}")
    return rows + meanings


def _beside(rows: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return the rows with one more cell each, right-aligned."""
    longest = max(map(len, rows))
    result = []
    for row, cell in zip(rows, cells, strict=True):
        left = row.ljust(longest)
        right = cell.rjust(CELL)
        result.append(left + right)
    return result
