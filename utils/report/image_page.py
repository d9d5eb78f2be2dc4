"""The page that compares images: a stage with a divider for each row, and its panels."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow
from realesrgan_paddle.utils.report.metric_formats import Mean
from realesrgan_paddle.utils.report.pages import (
    NOTHING,
    Summary,
    escaped,
    filled,
    whole_page,
)

WHOLE_SIDE = 960
"""Longest side of a whole picture on the page [pixels]: crops show the pixels."""
WHOLE_QUALITY = 75
"""Of WebP: at 960x540 some 45 kB."""
QUALITIES = (95, 90, 85)
"""Of the JPEG of crops, without chroma subsampling, the best that fits is taken."""
MOST_BYTES = 2_150_000
"""Of the images of up to `PICTURES` pictures: 2.9 MB of a page, in base64."""
PICTURES = 5

Encode = Callable[[np.ndarray], tuple[str, bytes]]
"""Returns the type and bytes of an image file."""


def image_page(
    rows: Sequence[SheetRow],
    means: Sequence[Mean],
    *,
    headline: str,
    remark: str,
    warnings: Sequence[str],
    before: str,
    after: str,
    summary: Summary = NOTHING,
) -> str:
    """Return the page: a summary, a table of means, and each row with a stage.

    Args:
        rows: what to show; at least one. The stages offer the labels that all rows
            have.
        means: the table's rows; without any there is no table.
        headline: the page's title.
        remark: a sentence below it, such as how the metrics were measured.
        warnings: what is wrong with a method's images.
        before: the label shown left of the divider at first.
        after: the label shown right of it.
        summary: what stands above all.
    """
    labels_of = [{panel.label for panel in row.panels} for row in rows]
    in_all_rows = set.intersection(*labels_of)
    labels = [panel.label for panel in rows[0].panels if panel.label in in_all_rows]
    sources, encoding = _sources(rows)
    remarks = [text for text in (remark, encoding) if text]
    paragraphs = [f'<p class="faint">{escaped(text)}</p>\n' for text in remarks]
    paragraphs += [f'<p class="warning">{escaped(text)}</p>\n' for text in warnings]
    body = filled(
        "image_page.html",
        summary=summary.html(),
        table=_table(means),
        paragraphs="".join(paragraphs),
        left=_options(labels, before),
        right=_options(labels, after),
        sections="".join(_sections(rows, sources)),
    )
    assets = (
        "stage.css",
        "curves.css",
        "image_page.css",
        "stage.js",
        "image_page.js",
    )
    return whole_page(headline, body, *assets)


def _sources(rows: Sequence[SheetRow]) -> tuple[Iterator[str], str]:
    """Return the address of each panel's image in turn, and how crops are encoded.

    They are lossless where all fit into the bytes of a page, else as good as fits.
    """
    pictures = max(PICTURES, sum(row.is_whole for row in rows))
    panels = [(row, panel) for row in rows for panel in row.panels if not panel.file]
    wholes = [_webp(panel.image) for row, panel in panels if row.is_whole]
    small = [panel for row, panel in panels if not row.is_whole]
    room = MOST_BYTES * pictures / PICTURES - sum(len(data) for _, data in wholes)

    said = "Crops are as the networks made them, without loss."
    crops = [_png(panel.stored) for panel in small]
    for quality in QUALITIES:
        if sum(len(data) for _, data in crops) <= room:
            break
        said = f"Crops are JPEG files of quality {quality}, to keep this page light."
        # What is stored small, the input, stays as it is.
        crops = [
            _png(panel.stored) if panel.repeated > 1 else _jpeg(panel.image, quality)
            for panel in small
        ]
    sides = [max(panel.image.shape) for row, panel in panels if row.is_whole]
    if any(side > WHOLE_SIDE for side in sides):
        said += f" Whole pictures are reduced to {WHOLE_SIDE} pixels."

    in_turn = {True: iter(wholes), False: iter(crops)}
    files = (
        quote(panel.file) if panel.file else _address(*next(in_turn[row.is_whole]))
        for row in rows
        for panel in row.panels
    )
    return files, said if small else ""


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png(image: np.ndarray) -> tuple[str, bytes]:
    """Return uint8 RGB (H, W, 3) as a PNG file."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return "png", data.tobytes()


def _jpeg(image: np.ndarray, quality: int) -> tuple[str, bytes]:
    """Return uint8 RGB (H, W, 3) as a JPEG file with its colors in full."""
    file = io.BytesIO()
    picture = Image.fromarray(image)
    picture.save(file, "JPEG", quality=quality, subsampling=0, optimize=True)
    return "jpeg", file.getvalue()


def _webp(image: np.ndarray) -> tuple[str, bytes]:
    """Return uint8 RGB (H, W, 3), reduced to `WHOLE_SIDE`, as a WebP file."""
    picture = Image.fromarray(image)
    picture.thumbnail((WHOLE_SIDE, WHOLE_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=WHOLE_QUALITY)
    return "webp", file.getvalue()


def _table(means: Sequence[Mean]) -> str:
    """Return the means as a table; "" without means.

    The best values are in bold, of the methods whose images have no regular grid.
    """
    if not means:
        return ""
    head = "<th></th>"
    lines = [f"<td>{escaped(mean.label)}</td>" for mean in means]
    for metric in means[0].values:
        unit = " [dB]" if metric.unit == "dB" else ""
        head += f"<th>{metric.label}{unit}</th>"

        values = [mean.values[metric] for mean in means]
        sound = [mean.values[metric] for mean in means if not mean.has_grid]
        best = min(sound) if metric.lower_is_better else max(sound)
        for number, value in enumerate(values):
            is_best = value == best and not means[number].has_grid and metric.has_best
            mark = ' class="best"' if is_best else ""
            lines[number] += f"<td{mark}>{value:.{metric.digits}f}</td>"

    head += "<th>grid index</th>"
    for number, mean in enumerate(means):
        mark = ' class="warning"' if mean.has_grid else ""
        lines[number] += f"<td{mark}>{mean.grid_index:.2f}</td>"
    body = "".join(f"<tr>{cells}</tr>" for cells in lines)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _options(labels: Sequence[str], chosen: str) -> str:
    options = ""
    for label in labels:
        selected = " selected" if label == chosen else ""
        options += f"<option{selected}>{escaped(label)}</option>"
    return options


def _sections(rows: Sequence[SheetRow], sources: Iterator[str]) -> Iterator[str]:
    """Yield the rows; the crops of a whole picture, which follow it, are linked in it."""
    has_wholes = any(row.is_whole for row in rows)
    for number, row in enumerate(rows):
        is_head = row.is_whole or not has_wholes
        level = "h2" if is_head else "h3"
        marks = ""
        for place, (x, y, width, height) in enumerate(row.boxes, number + 1):
            style = f"left:{x:.2%};top:{y:.2%};width:{width:.2%};height:{height:.2%}"
            marks += f'<a href="#r{place}" draggable="false" aria-label="crop" style="{style}"></a>'
        yield filled(
            "image_row.html",
            number=str(number),
            kind="row whole" if row.is_whole else "row",
            size="{} {}".format(*_shown_size(row)),
            title=f"<{level}>{escaped(row.title)}</{level}>",
            marks=marks,
            panels="".join(_figure(panel, next(sources)) for panel in row.panels),
        )


def _shown_size(row: SheetRow) -> tuple[int, int]:
    """Return width and height of a row's pictures on the page: the largest's."""
    height, width = max(panel.image.shape[:2] for panel in row.panels)
    embedded = not any(panel.file for panel in row.panels)
    if row.is_whole and embedded and max(width, height) > WHOLE_SIDE:
        factor = WHOLE_SIDE / max(width, height)
        return round(width * factor), round(height * factor)
    return width, height


def _figure(panel: Panel, source: str) -> str:
    label = escaped(panel.label)
    kind = ' class="pixels"' if panel.repeated > 1 else ""
    image = f'<img{kind} alt="{label}" loading="lazy" src="{source}">'
    notes = [f"<span>{escaped(note)}</span>" for note in panel.note.split(", ")]
    caption = f"<b>{label}</b>{''.join(notes)}"
    return (
        f'<figure data-label="{label}"><button class="window" aria-label="show {label}">'
        f'<span class="picture">{image}</span></button>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
