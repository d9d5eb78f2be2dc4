"""Rows of panels as one image, to be sent or printed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.report.metric_formats import Mean

MARGIN = 12  # [pixels], like all sizes here
TEXT = 16  # font size
LINE = 24  # height of a line of text
INK, PAPER = (20, 20, 20), (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """One crop of an image as one method made it."""

    label: str
    """The method; the column's heading."""
    image: np.ndarray
    """uint8 RGB (H, W, 3); all panels of a row have the same aspect ratio."""
    note: str = ""
    """Text below the panel, such as "27.31 dB"."""
    file: str = ""
    """Path of the image relative to a page that shall not hold the image itself."""
    repeated: int = 1
    """How often each pixel is repeated in a row and in a column, to enlarge a picture."""

    @property
    def stored(self) -> np.ndarray:
        """The image with each repeated pixel once."""
        return np.ascontiguousarray(self.image[:: self.repeated, :: self.repeated])


@dataclass(frozen=True)
class SheetRow:
    """Panels that show the same crop of one image."""

    title: str
    panels: Sequence[Panel]
    is_whole: bool = False
    """Whether they show all of the image; its crops are the rows that follow."""
    boxes: Sequence[tuple[float, float, float, float]] = ()
    """Places of these crops: left, top, width, height as shares of the image."""


def contact_sheet(
    rows: Sequence[SheetRow],
    means: Sequence[Mean],
    headline: str,
    warnings: Sequence[str] = (),
) -> np.ndarray:
    """Return a sheet, uint8 RGB (H, W, 3).

    The means are at the top, then the rows, with panels side by side at full size.

    Args:
        rows: what to show; at least one.
        means: one line each; none without ground truth.
        headline: the first line.
        warnings: lines below it.
    """
    lines = [headline, *warnings, *(f"{mean.label}: {mean}" for mean in means)]
    text_height = LINE * len(lines)
    heights = [_row_height(row) for row in rows]
    width = MARGIN + max(_panels_width(row) for row in rows)
    height = 2 * MARGIN + text_height + sum(heights)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)

    for number, line in enumerate(lines):
        _write(draw, line, MARGIN, MARGIN + LINE * number)
    top = 2 * MARGIN + text_height
    for row, row_height in zip(rows, heights, strict=True):
        _paste_row(sheet, draw, row, top)
        top += row_height
    return np.array(sheet)


def _row_height(row: SheetRow) -> int:
    """Return the height of a row: title, labels, panels, notes and a margin."""
    panel = row.panels[0].image
    note_lines = max(1, *(len(_lines_of_note(each)) for each in row.panels))
    return (2 + note_lines) * LINE + panel.shape[0] + MARGIN


def _lines_of_note(panel: Panel) -> list[str]:
    """Return a panel's note in lines that are not wider than it, broken at spaces."""
    font = ImageFont.load_default(TEXT)
    width = panel.image.shape[1]
    lines: list[str] = []
    for word in printable(panel.note).split():
        longer = f"{lines[-1]} {word}" if lines else ""
        if longer and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _panels_width(row: SheetRow) -> int:
    width = 0
    for panel in row.panels:
        width += panel.image.shape[1] + MARGIN
    return width


def _paste_row(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, top: int
) -> None:
    """Draw the title at `top`, below it the labels, the panels and their notes."""
    _write(draw, row.title, MARGIN, top)
    left = MARGIN
    for panel in row.panels:
        height, width = panel.image.shape[:2]
        panel_top = top + 2 * LINE
        note_top = panel_top + height + (LINE - TEXT) // 2
        _write(draw, panel.label, left, top + LINE)
        sheet.paste(Image.fromarray(panel.image), (left, panel_top))
        for number, line in enumerate(_lines_of_note(panel)):
            _write(draw, line, left, note_top + LINE * number)
        left += width + MARGIN


def _write(draw: ImageDraw.ImageDraw, text: str, left: int, top: int) -> None:
    font = ImageFont.load_default(TEXT)
    place = (left, top)
    shown = printable(text)
    draw.text(place, shown, fill=INK, font=font)


def rows_of(title: str, panels: Sequence[Panel], columns: int) -> list[SheetRow]:
    """Return rows of so many panels each, the title above the first row only."""
    rows = []
    for start in range(0, len(panels), columns):
        rows.append(SheetRow(title, panels[start : start + columns]))
        title = ""
    return rows
