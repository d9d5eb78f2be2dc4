"""A sheet of all frames of a set, kept and dropped, for a person to look over."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.manifest import (
    FAILED,
    KEPT,
    MANIFEST,
    Record,
    read_records,
)
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.report.contact_sheet import contact_sheet
from realesrgan_paddle.utils.report.gallery import GalleryImage, Section, gallery
from realesrgan_paddle.utils.report.panels import Panel, Row

THUMBS = ".thumbs"
"""Hidden folder of the small pictures, so that no training takes them for images."""

WIDTH, HEIGHT = 240, 135
"""The most that a small picture takes [pixels]."""

LETTERS = 16
"""Of a video's name, above a picture of the PNG sheet."""

COLUMNS, MOST_ROWS = 6, 8
"""Of each section of the PNG sheet; where there are more frames, they are taken at even distances."""


def thumb_path(sheet: Path, file: str) -> Path:
    """Return where the small picture of a frame is."""
    return sheet / THUMBS / f"{Path(file).stem}.jpg"


def write_thumb(path: Path, image: np.ndarray) -> None:
    """Write a frame, uint8 RGB (H, W, 3), as a small JPEG, if it is not there."""
    if not path.exists():
        factor = min(WIDTH / image.shape[1], HEIGHT / image.shape[0], 1)
        size = tuple(
            max(1, round(side * factor)) for side in (image.shape[1], image.shape[0])
        )
        write_image(path, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def kind(record: Record) -> str:
    """Return what became of a frame: "kept", or the reason without the names of other frames."""
    if record["decision"] == KEPT:
        return KEPT
    return (
        "near-duplicates" if record["reason"].startswith("like ") else record["reason"]
    )


def write_sheet(output: Path, sheet: Path) -> Path | None:
    """Write contact_sheet.png and index.html into `sheet` from the manifest of a set; return the latter.

    None if there is no frame to show.
    """
    groups: dict[str, list[Record]] = {}
    for record in read_records(output / MANIFEST):
        if (
            record["decision"] != FAILED
            and thumb_path(sheet, record.get("file", "")).exists()
        ):
            groups.setdefault(kind(record), []).append(record)
    if not groups:
        return None
    for records in groups.values():
        records.sort(key=lambda record: (record["source"], record["seconds"]))
    order = sorted(groups, key=lambda name: (name != KEPT, -len(groups[name]), name))
    headline = f"{output.name}: {len(groups.get(KEPT, []))} of {sum(map(len, groups.values()))} frames kept"
    rows = [row for name in order for row in _rows(name, groups[name], sheet)]
    write_image(sheet / "contact_sheet.png", contact_sheet(rows, [], headline))
    sections = [
        Section(name, [_picture(record) for record in groups[name]]) for name in order
    ]
    remark = "Red boxes: overlays that do not move; tools/extract_subimages.py --manifest cuts around them."
    page = sheet / "index.html"
    with atomic_path(page) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(gallery(sections, headline, remark))
    return page


def _rows(name: str, records: Sequence[Record], sheet: Path) -> Iterable[Row]:
    """Yield the rows of one section of the PNG sheet."""
    shown = min(len(records), COLUMNS * MOST_ROWS)
    chosen = [
        records[round(n * (len(records) - 1) / max(1, shown - 1))] for n in range(shown)
    ]
    for start in range(0, shown, COLUMNS):
        title = f"{name} ({len(records)})" if start == 0 else ""
        yield Row(
            title, [_panel(record, sheet) for record in chosen[start : start + COLUMNS]]
        )


def _panel(record: Record, sheet: Path) -> Panel:
    """Return the small picture in a frame of one size, overlays in red."""
    small = read_image(thumb_path(sheet, record["file"]))[..., :3].copy()
    lines, columns = small.shape[:2]
    for left, top, width, height in _shares(record):
        first = (round(left * columns), round(top * lines))
        last = (round((left + width) * columns), round((top + height) * lines))
        cv2.rectangle(small, first, last, (230, 0, 30), 1)
    image = cv2.copyMakeBorder(
        small,
        0,
        HEIGHT - lines,
        0,
        WIDTH - columns,
        cv2.BORDER_CONSTANT,
        value=(230, 230, 230),
    )
    like = record["reason"].removeprefix("like ")
    note = (
        f"score {record['score']:.2f}"
        if like == record["reason"]
        else f"like {_short(like)}"
    )
    return Panel(_short(record["file"]), image, note)


def _short(file: str) -> str:
    """Return the name of a frame's video, cut to fit above its picture, and the time: "match 12.5 s"."""
    video, _, seconds = Path(file).stem.rpartition("_")
    return f"{video[:LETTERS]} {float(seconds):.1f} s"


def _picture(record: Record) -> GalleryImage:
    measured = (
        f"score {record['score']:.2f}, sharpness {record['sharpness']:.2f}, blockiness {record['blockiness']:.2f}, "
        f"contrast {record['contrast']:.0f}, shot {record['shot']}"
    )
    note = f"{record['reason']}; {measured}" if record["reason"] else measured
    file = f"{THUMBS}/{thumb_path(Path(), record['file']).name}"
    return GalleryImage(file, record["file"], note, _shares(record))


def _shares(record: Record) -> list[tuple[float, float, float, float]]:
    """Return the overlays as shares of the picture: left, top, width, height."""
    width, height = record["size"]
    return [
        (x / width, y / height, w / width, h / height)
        for x, y, w, h in record["overlays"]
    ]
