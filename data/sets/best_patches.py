"""Frames cut into their best patches, with a contact sheet of chosen and rejected ones."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.choose_patches import (
    CHOSEN,
    Example,
    PatchChoice,
    choose_patches,
)
from realesrgan_paddle.data.sets.naming import check_outside
from realesrgan_paddle.data.sets.subimages import (
    CutImages,
    Cutting,
    keep_cut,
    stems_without_scale,
)
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, parse_object, read_regular
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.jobs import run_each
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    SheetRow,
    contact_sheet,
    rows_of,
)
from realesrgan_paddle.utils.spaced import evenly_spaced

CHOICE_FILE = ".patches.json"
"""The chosen patches of each frame; written before any of them is cut, so that each run
with the same flags leaves the same files."""

SHEET = "patches.png"
"""Name of the sheet in its folder."""

SIDE = 160
"""Width and height of a patch on the sheet [pixels]."""

COLUMNS = 10
CHOSEN_ROWS, REJECTED_ROWS = 5, 1
"""Rows of chosen patches, and of those that were rejected for each reason."""

NAME_LENGTH = 17
"""Letters of a frame's name above its patch: its end, which tells frames apart."""

Boxes = dict[str, list[list[int]]]
"""Number, x, y, width and height of each chosen patch, by the name of its frame."""


def extract_best_patches(
    source: Path, output: Path, cutting: Cutting, sheet: Path
) -> CutImages:
    """Cut the best patches of every image below `source` into `output`.

    docs/footage.md says which. The choice is made over all images, written, then cut: an
    interrupted run is resumed by running it again. Images that came in since are added;
    their patches are compared with one another only.

    Args:
        source: folder of images.
        output: folder of the patches, "name_s001.png" as of `extract_subimages`.
        cutting: where patches may lie, and which are chosen.
        sheet: folder for a sheet of chosen and rejected patches.

    Raises:
        UserError: as `extract_subimages`.
    """
    check_outside(output, source)
    check_outside(sheet, source)
    stems = stems_without_scale(source)
    names = {path: stem.as_posix() for path, stem in stems.items()}
    keep_cut(output, cutting, best=True)

    done = CutImages()
    boxes = _read_boxes(output / CHOICE_FILE)
    new = [path for path in names if names[path] not in boxes]
    if new:
        taken = sum(map(len, boxes.values()))
        chosen = choose_patches(new, cutting, taken)
        boxes |= _boxes(chosen, names)
        _write_boxes(output / CHOICE_FILE, boxes)
        _write_sheet(sheet, chosen)
        done.rejected, done.failures = chosen.rejected, chosen.failures

    level = cutting.png_compression
    work = partial(_cut, names=names, boxes=boxes, output=output, png_compression=level)
    wanted = [path for path in names if boxes.get(names[path])]
    counts, failures = run_each(work, wanted, threads=cutting.threads)
    done.count = sum(counts)
    done.failures += failures
    return done


def _cut(
    path: Path,
    names: Mapping[Path, str],
    boxes: Boxes,
    output: Path,
    png_compression: int | None,
) -> int:
    """Write the missing patches of an image; return how many it has."""
    name = names[path]
    missing: dict[Path, Crop] = {}
    for number, *box in boxes[name]:
        target = output / f"{name}_s{number:03d}.png"
        if not target.exists():
            missing[target] = Crop(*box)

    image = read_image(path) if missing else None
    for target, crop in missing.items():
        assert image is not None
        write_image(target, crop.of(image), png_compression=png_compression)
    return len(boxes[name])


def _boxes(chosen: PatchChoice, names: Mapping[Path, str]) -> Boxes:
    """Return the chosen patches as they are written."""
    boxes: Boxes = {}
    for path, patches in chosen.chosen.items():
        rows = [(patch.number, patch.crop) for patch in patches]
        rows.sort(key=lambda row: row[0])
        boxes[names[path]] = [
            [number, crop.x, crop.y, crop.width, crop.height] for number, crop in rows
        ]
    return boxes


def _write_boxes(path: Path, boxes: Boxes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(boxes), encoding="utf-8")


def _read_boxes(path: Path) -> Boxes:
    """Return the chosen patches of an earlier run; none if there was none.

    Raises:
        UserError: the file was changed.
    """
    if not path.exists():
        return {}
    try:
        boxes = parse_object(read_regular(path))
        for rows in boxes.values():
            _check_rows(rows)
    except ValueError as error:
        raise UserError(
            f"{path}: not the list of a set's patches ({error}); use another --output"
        ) from None
    return boxes


def _check_rows(rows: object) -> None:
    """Raise ValueError for what `_write_boxes` does not write."""
    if not isinstance(rows, list):
        raise ValueError("a frame without a list")
    for row in rows:
        is_box = isinstance(row, list) and len(row) == 5
        if not is_box or any(type(value) is not int for value in row):
            raise ValueError("a patch that is not five numbers")
        number, x, y, width, height = row
        if min(number, width, height) < 1 or min(x, y) < 0:
            raise ValueError("a patch outside of its frame")


def _write_sheet(folder: Path, choice: PatchChoice) -> Path | None:
    """Write the sheet into `folder`; return its path, None if there is nothing to show.

    Of more patches than there is room for, evenly spaced ones are shown.
    """
    titles = sorted(choice.examples, key=lambda title: title != CHOSEN)
    rows: list[SheetRow] = []
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


def _rows(title: str, examples: Sequence[Example]) -> list[SheetRow]:
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
