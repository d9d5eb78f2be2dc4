"""A contact sheet of chosen and rejected patches, to look over."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.patches.choose import CHOSEN, Choice, Example
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    Row,
    contact_sheet,
    evenly_spaced,
    rows_of,
)

SHEET = "patches.png"
"""Name of the sheet in its folder."""

SIDE = 160
"""Width and height of a patch on the sheet [pixels]."""

COLUMNS = 10
CHOSEN_ROWS, REJECTED_ROWS = 5, 1
"""Rows of chosen patches, and of those that were rejected for each reason."""

NAME_LENGTH = 17
"""Letters of a frame's name above its patch: its end, which tells frames apart."""


def write_sheet(folder: Path, choice: Choice) -> Path | None:
    """Write the sheet into `folder`; return its path, None if there is nothing to show.

    Of more patches than there is room for, evenly spaced ones are shown.
    """
    titles = sorted(choice.examples, key=lambda title: title != CHOSEN)
    rows: list[Row] = []
    for title in titles:
        is_chosen = title == CHOSEN
        all_of_them = choice.examples[title]
        count = len(all_of_them) if is_chosen else choice.rejected[title]
        room = COLUMNS * (CHOSEN_ROWS if is_chosen else REJECTED_ROWS)
        shown = evenly_spaced(all_of_them, room)
        rows += _rows(f"{title} ({count})", shown)
    if not rows:
        return None

    path = folder / SHEET
    headline = f"{len(choice.examples[CHOSEN])} patches of {len(choice.chosen)} images"
    write_image(path, contact_sheet(rows, [], headline))
    return path


def _rows(title: str, examples: Sequence[Example]) -> list[Row]:
    """Return the rows of panels of one reason; frames that are gone are left out."""
    panels: list[Panel] = []
    for example in examples:
        try:
            image = read_image(example.path)
        except (UserError, OSError):
            continue
        panels.append(_panel(example, image))
    return rows_of(title, panels, COLUMNS)


def _panel(example: Example, image: np.ndarray) -> Panel:
    """Return a patch as large as all panels."""
    crop = example.crop
    patch = crop.of(image)
    if patch.dtype == np.uint16:
        patch = (patch >> 8).astype(np.uint8)
    if patch.ndim == 2:
        patch = np.repeat(patch[..., None], 3, axis=2)
    size = (SIDE, SIDE)
    color = patch[..., :3]
    small = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
    name = example.path.stem[-NAME_LENGTH:]
    return Panel(name, small, f"at {crop.x}, {crop.y}")
