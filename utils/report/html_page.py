"""Rows of panels as one self-contained HTML file, with a before/after slider each."""

import base64
from collections.abc import Sequence
from urllib.parse import quote

import cv2
import numpy as np

from realesrgan_paddle.utils.report.document import escaped, page_head, read_asset
from realesrgan_paddle.utils.report.panels import METRIC_FORMATS, Mean, Panel, Row
from realesrgan_paddle.utils.report.summary import Summary

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
    for name in means[0].values:
        metric = METRIC_FORMATS[name]
        unit = " [dB]" if metric.unit == "dB" else ""
        head += f"<th>{metric.name}{unit}</th>"

        values = [mean.values[name] for mean in means]
        sound = [mean.values[name] for mean in means if not mean.has_grid]
        best = min(sound) if metric.lower_is_better else max(sound)
        for number, value in enumerate(values):
            is_best = value == best and not means[number].has_grid
            mark = ' class="best"' if is_best else ""
            lines[number] += f"<td{mark}>{value:.{metric.digits}f}</td>"

    head += "<th>lattice</th>"
    for number, mean in enumerate(means):
        mark = ' class="warning"' if mean.has_grid else ""
        lines[number] += f"<td{mark}>{mean.lattice:.2f}</td>"
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
