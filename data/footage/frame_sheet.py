"""A page and a contact sheet of all frames of a set, kept and dropped, to look over."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.views.decisions import COPY
from realesrgan_paddle.data.sets.manifest import (
    EXTRACTED,
    FAILED,
    KEPT,
    MANIFEST,
    Record,
    read_records,
)
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.report.contact_sheet import (
    Panel,
    SheetRow,
    contact_sheet,
    rows_of,
)
from realesrgan_paddle.utils.report.gallery import About, GalleryImage, Section, gallery
from realesrgan_paddle.utils.spaced import evenly_spaced

FRAMES = "frames"
"""The folder of frames in a set of tools/build_domain_set.py."""
THUMBS = ".thumbs"
"""Hidden folder of the thumbnails, so that training does not take them for images."""

WIDTH, HEIGHT = 240, 135
"""Largest size of a thumbnail [pixels]."""

NAME_LENGTH = 16
"""Letters of a video's name above a panel of the contact sheet."""

COLUMNS, MAX_ROWS = 6, 8
"""Panels of each section of the contact sheet; of more frames, evenly spaced ones."""

OVERLAY_COLOR = (230, 0, 30)
PAD_COLOR = (230, 230, 230)

LIKE = "like "
"""Start of the reason to drop a near-duplicate; the other's name follows."""

REMARK = (
    "Red boxes mark overlays that do not move; "
    "tools/extract_subimages.py --manifest leaves them out."
)

Groups = dict[str, list[Record]]
"""The frames by `outcome`."""


def thumb_path(sheet: Path, file: str) -> Path:
    """Return the path of a frame's thumbnail."""
    stem = Path(file).stem
    return sheet / THUMBS / f"{stem}.jpg"


def write_thumb(path: Path, image: np.ndarray) -> None:
    """Write a thumbnail of a frame, uint8 RGB (H, W, 3), unless the file exists."""
    if path.exists():
        return
    height, width = image.shape[:2]
    factor = min(WIDTH / width, HEIGHT / height, 1)
    thumb_width = max(1, round(width * factor))
    thumb_height = max(1, round(height * factor))

    size = (thumb_width, thumb_height)
    thumb = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    write_image(path, thumb)


def outcome(record: Record) -> str:
    """Return "kept", or why a frame was dropped, without the names of other frames."""
    if record["decision"] == KEPT:
        return KEPT
    reason = record["reason"]
    if reason.startswith(COPY):
        return "copies"
    return "near-duplicates" if reason.startswith(LIKE) else reason


def write_sheet(
    output: Path, sheet: Path, about: Mapping[str, About] | None = None
) -> Path | None:
    """Write contact_sheet.png and index.html into `sheet` from the manifest of a set.

    Args:
        output: folder of the set.
        sheet: folder to write into.
        about: what the page says of the sources, by their names in the manifest.

    Returns:
        The page; None if there is no frame to show.
    """
    groups = _shown_frames(output, sheet)
    if not groups:
        return None
    kept = len(groups.get(KEPT, []))
    total = sum(map(len, groups.values()))
    name = output.parent.name if output.name == FRAMES else output.name
    headline = f"{name}: {kept} of {total} frames kept"

    rows: list[SheetRow] = []
    for title, records in groups.items():
        rows += _rows(title, records, sheet)
    write_image(sheet / "contact_sheet.png", contact_sheet(rows, [], headline))

    by_source: dict[str, list[Record]] = {}
    for records in groups.values():
        for record in records:
            by_source.setdefault(record["source"], []).append(record)
    about = about or {}
    sections = []
    for source in sorted(by_source):
        images = [
            _image(record, place) for place, record in enumerate(by_source[source])
        ]
        about_it = about.get(source, About())
        sections.append(Section(Path(source).name, images, about_it))

    dropped = _listed({key: len(each) for key, each in groups.items() if key != KEPT})
    lead = f"{kept} of {total} frames are kept to train on"
    lead += f"; dropped: {dropped}." if dropped else "."
    page = sheet / "index.html"
    with atomic_path(page) as temporary:
        text = gallery(sections, f"Frames of {name}", lead, REMARK)
        temporary.write_text(text, encoding="utf-8")
    return page


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _shown_frames(output: Path, sheet: Path) -> Groups:
    """Return the frames of a set that have a thumbnail, by outcome.

    Kept frames come first, then the reasons by how often they occur.
    """
    groups: Groups = {}
    for record in read_records(output / MANIFEST, EXTRACTED):
        if record["decision"] == FAILED:
            continue
        if thumb_path(sheet, record.get("file", "")).exists():
            groups.setdefault(outcome(record), []).append(record)

    for records in groups.values():
        records.sort(key=lambda record: (record["source"], record["seconds"]))

    def rank(title: str) -> tuple[bool, int, str]:
        """Return what the groups are sorted by."""
        is_dropped = title != KEPT
        count = len(groups[title])
        return is_dropped, -count, title

    return {title: groups[title] for title in sorted(groups, key=rank)}


def _rows(title: str, records: Sequence[Record], sheet: Path) -> list[SheetRow]:
    """Return the rows of one section of the contact sheet."""
    shown = evenly_spaced(records, COLUMNS * MAX_ROWS)
    panels = [_panel(record, sheet) for record in shown]
    return rows_of(f"{title} ({len(records)})", panels, COLUMNS)


def _panel(record: Record, sheet: Path) -> Panel:
    """Return the thumbnail, padded to `WIDTH` x `HEIGHT`, with overlays in red."""
    file = record["file"]
    stored = read_image(thumb_path(sheet, file))
    thumb = stored[..., :3].copy()
    _draw_overlays(thumb, record)

    height, width = thumb.shape[:2]
    padded = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    padded[:] = PAD_COLOR
    padded[:height, :width] = thumb
    return Panel(_short_name(file), padded, _panel_note(record))


def _draw_overlays(thumb: np.ndarray, record: Record) -> None:
    """Draw the boxes around overlays into a thumbnail."""
    height, width = thumb.shape[:2]
    for left, top, box_width, box_height in _overlay_shares(record):
        right = left + box_width
        bottom = top + box_height
        first_x = round(left * width)
        first_y = round(top * height)
        last_x = round(right * width)
        last_y = round(bottom * height)
        first = (first_x, first_y)
        last = (last_x, last_y)
        cv2.rectangle(thumb, first, last, OVERLAY_COLOR, thickness=1)


def _panel_note(record: Record) -> str:
    reason = record["reason"]
    if reason.startswith(LIKE):
        return f"like {_short_name(reason.removeprefix(LIKE))}"
    return f"score {record['score']:.2f}"


def _short_name(file: str) -> str:
    """Return the start of the video's name and the time of a frame: "match 12.5 s"."""
    video, _, seconds = Path(file).stem.rpartition("_")
    time = float(seconds)
    return f"{video[:NAME_LENGTH]} {time:.1f} s"


def _image(record: Record, place: int) -> GalleryImage:
    """Return the frame's entry on the page; `place` is where it stands at first."""
    scores = {
        "score, best first": -record["score"],
        "sharpness, least first": record["sharpness"],
        "blocks, most first": -record["blockiness"],
        "contrast, least first": record["contrast"],
    }
    is_kept = record["decision"] == KEPT
    reason = record["reason"]
    note = f"{record['seconds']:.1f} s, score {record['score']:.2f}"
    if reason and reason != outcome(record):
        note += f"; {reason}"
    return GalleryImage(
        file=f"{THUMBS}/{thumb_path(Path(), record['file']).name}",
        label=record["file"],
        note=note,
        group=outcome(record),
        is_kept=is_kept,
        order={"kept first": place, "time": record["seconds"], **scores},
        boxes=_overlay_shares(record),
    )


def _overlay_shares(record: Record) -> list[tuple[float, float, float, float]]:
    """Return the overlays as shares of the image: left, top, width, height."""
    width, height = record["size"]
    return [
        (x / width, y / height, w / width, h / height)
        for x, y, w, h in record["overlays"]
    ]
