"""HTML pages: rows of panels with a before/after slider each, and galleries of thumbnails."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from urllib.parse import quote

import cv2
import numpy as np

from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.report.contact_sheet import Panel, Row
from realesrgan_paddle.utils.report.metric_formats import Mean

PAGE = "index.html"
"""The name of a page that stands alone in its folder."""


def read_asset(name: str) -> str:
    """Return the text of a style or script file of this package."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def escaped(text: str) -> str:
    """Return `text` as HTML that shows it, with escapes for what is not printable."""
    return escape(printable(text))


def page_head(headline: str, stylesheet: str) -> str:
    """Return a page up to its headline, with a style file of this package inside."""
    title = escaped(headline)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{read_asset(stylesheet)}</style>
</head>
<body>
<h1>{title}</h1>
"""


@dataclass(frozen=True)
class Summary:
    """The top of a page; empty parts are left out."""

    lines: Sequence[str] = ()
    """The verdict; what belongs to the line before begins with a space."""
    curves: bytes = b""
    """A PNG of a run's curves."""
    commands: Sequence[str] = ()
    """Commands to paste."""

    def below(self, lines: Sequence[str], commands: Sequence[str]) -> "Summary":
        """Return the summary with other lines and commands above its own."""
        all_lines = [*lines, *self.lines]
        all_commands = [*commands, *self.commands]
        return Summary(all_lines, self.curves, all_commands)

    def html(self) -> str:
        """Return the summary as HTML."""
        parts = []
        for line in self.lines:
            kind = "detail" if line.startswith(" ") else "verdict"
            parts.append(f'<p class="{kind}">{escaped(line.strip())}</p>\n')

        if self.curves:
            encoded = base64.b64encode(self.curves).decode()
            source = f"data:image/png;base64,{encoded}"
            image = f'<img alt="curves of the run" src="{source}">'
            parts.append(
                f"<details><summary>curves of the run</summary>{image}</details>\n"
            )
        if self.commands:
            listed = "\n".join(map(escaped, self.commands))
            parts.append(
                f"<details><summary>commands</summary><pre>{listed}</pre></details>\n"
            )
        return "".join(parts)


NOTHING = Summary()


def html_page(
    rows: Sequence[Row],
    means: Sequence[Mean],
    *,
    headline: str,
    remark: str,
    warnings: Sequence[str],
    before: str,
    after: str,
    wide: bool = False,
    summary: Summary = NOTHING,
) -> str:
    """Return the page: a table of means, and for each row a slider and its panels.

    Args:
        rows: what to show; at least one. The sliders offer the labels that all rows
            have.
        means: the table's rows; without any there is no table.
        headline: the page's title.
        remark: a sentence below it, such as how the metrics were measured.
        warnings: what is wrong with a method's images.
        before: the label shown left of the slider at first.
        after: the label shown right of it.
        wide: the slider is as wide as the page, with the panels below, not beside.
        summary: what stands above all.
    """
    in_all_rows = set.intersection(
        *({panel.label for panel in row.panels} for row in rows)
    )
    labels = [panel.label for panel in rows[0].panels if panel.label in in_all_rows]
    sections = "".join(_section(row) for row in rows)
    kind = "wide" if wide else ""
    paragraphs = "".join(
        f'<p class="warning">{escaped(warning)}</p>\n' for warning in warnings
    )
    return f"""{page_head(headline, "html_page.css")}{summary.html()}{_table(means)}
<p>{escaped(remark)}</p>
{paragraphs}<nav hidden>
<label>left <select>{_options(labels, before)}</select></label>
<label>right <select>{_options(labels, after)}</select></label>
move the pointer over an image
</nav>
<main class="{kind}">
{sections}</main>
<script>
{read_asset("html_page.js")}</script>
</body>
</html>
"""


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
    return f"<table><tr>{head}</tr>{body}</table>"


def _options(labels: Sequence[str], chosen: str) -> str:
    options = ""
    for label in labels:
        selected = " selected" if label == chosen else ""
        options += f"<option{selected}>{escaped(label)}</option>"
    return options


def _section(row: Row) -> str:
    """Return one row: title, slider (hidden until the script runs) and panels."""
    figures = "".join(_figure(panel) for panel in row.panels)
    return f"""<section>
<h2>{escaped(row.title)}</h2>
<div>
<div class="stage" hidden><img alt="right"><img alt="left"><b></b><b></b>
<input type="range" aria-label="position of the cut"></div>
<div class="panels">{figures}</div>
</div>
</section>
"""


def _figure(panel: Panel) -> str:
    label = escaped(panel.label)
    source = quote(panel.file)
    if not source:
        source = f"data:image/png;base64,{_png(panel.image)}"
    caption = f"<b>{label}</b> <span>{escaped(panel.note)}</span>"
    return (
        f'<figure data-label="{label}"><img alt="{label}" loading="lazy" src="{source}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _png(image: np.ndarray) -> str:
    """Return uint8 RGB (H, W, 3) as a PNG file in base64."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", bgr)
    encoded = base64.b64encode(data.tobytes())
    return encoded.decode()


@dataclass(frozen=True)
class GalleryImage:
    """One image of the page."""

    file: str
    """Path relative to the page."""
    label: str
    note: str
    boxes: Sequence[tuple[float, float, float, float]] = ()
    """Red frames: left, top, width, height as shares of the image."""


@dataclass(frozen=True)
class Section:
    """Images under one headline."""

    title: str
    images: Sequence[GalleryImage]


def gallery(
    sections: Sequence[Section],
    headline: str,
    remark: str,
    lead: Iterable[str] = (),
) -> Iterable[str]:
    """Yield the pieces of the page: links to the sections, then each with its images.

    Args:
        sections: what to show.
        headline: the page's title.
        remark: a sentence below it.
        lead: HTML that is shown before the sections.
    """
    yield page_head(headline, "gallery.css")
    yield f"<p>{escaped(remark)}</p>\n<nav>"
    titles = [f"{escaped(part.title)} ({len(part.images)})" for part in sections]
    for number, title in enumerate(titles):
        yield f'<a href="#s{number}">{title}</a>'
    yield "</nav>\n"
    yield from lead

    for number, section in enumerate(sections):
        yield f'<h2 id="s{number}">{titles[number]}</h2>\n<section>\n'
        yield from map(_thumbnail, section.images)
        yield "</section>\n"
    yield "</body>\n</html>\n"


def _thumbnail(image: GalleryImage) -> str:
    frames = ""
    for x, y, width, height in image.boxes:
        style = f"left:{x:.2%};top:{y:.2%};width:{width:.2%};height:{height:.2%}"
        frames += f'<i style="{style}"></i>'
    label = escaped(image.label)
    source = quote(image.file)
    return (
        f'<figure><div><img loading="lazy" alt="{label}" src="{source}">{frames}</div>'
        f"<figcaption>{label}<br><span>{escaped(image.note)}</span></figcaption>"
        "</figure>\n"
    )
