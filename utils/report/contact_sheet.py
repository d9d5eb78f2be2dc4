"""Rows of pictures as one picture, to be sent or printed."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from realesrgan_paddle.utils.report.panels import Mean, Row

MARGIN = 12  # [pixels], like all sizes here
TEXT = 16  # height of the letters
LINE = 24  # height of a line of text
INK, PAPER = (20, 20, 20), (255, 255, 255)


def contact_sheet(
    rows: Sequence[Row], means: Sequence[Mean], headline: str
) -> np.ndarray:
    """Return a sheet, uint8 RGB (H, W, 3): the means on top, then the rows, panels side by side at their own size.

    Args:
        rows: what to show; at least one.
        means: one line each; none where no ground truth is known.
        headline: the first line.
    """
    lines = [headline, *(f"{mean.label}: {mean}" for mean in means)]
    width = MARGIN + max(
        sum(panel.image.shape[1] + MARGIN for panel in row.panels) for row in rows
    )
    heights = [2 * LINE + row.panels[0].image.shape[0] + LINE + MARGIN for row in rows]
    sheet = Image.new(
        "RGB", (width, 2 * MARGIN + LINE * len(lines) + sum(heights)), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        _write(draw, line, MARGIN, MARGIN + LINE * number)
    top = 2 * MARGIN + LINE * len(lines)
    for row, height in zip(rows, heights, strict=True):
        _paste_row(sheet, draw, row, top)
        top += height
    return np.array(sheet)


def _paste_row(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int
) -> None:
    """Draw the title at `top`, below it the labels, the panels and their notes."""
    _write(draw, row.title, MARGIN, top)
    left = MARGIN
    for panel in row.panels:
        _write(draw, panel.label, left, top + LINE)
        sheet.paste(Image.fromarray(panel.image), (left, top + 2 * LINE))
        _write(
            draw,
            panel.note,
            left,
            top + 2 * LINE + panel.image.shape[0] + (LINE - TEXT) // 2,
        )
        left += panel.image.shape[1] + MARGIN


def _write(draw: ImageDraw.ImageDraw, text: str, left: int, top: int) -> None:
    draw.text((left, top), text, fill=INK, font=ImageFont.load_default(TEXT))
