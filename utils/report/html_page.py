"""Rows of pictures as one HTML file that needs nothing else: pictures, style and script are inside."""

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from realesrgan_paddle.utils.report.panels import METRIC_FORMATS, Mean, Panel, Row

STYLE = """
body { margin: 0 auto; max-width: 1600px; padding: 0 24px 48px; background: #fff; color: #1c1c1c;
       font: 16px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; margin: 16px 0; }
th, td { padding: 4px 24px 4px 0; border-bottom: 1px solid #ddd; text-align: right;
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
h2 { font-size: 18px; margin: 40px 0 8px; }
nav { position: sticky; top: 0; z-index: 2; padding: 8px 0; background: #fffe; border-bottom: 1px solid #ddd; }
select { font: inherit; padding: 2px 8px; }
section > div { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); gap: 12px; align-items: start; }
@media (max-width: 900px) { section > div { grid-template-columns: minmax(0, 1fr); } }
.stage { position: relative; cursor: ew-resize; touch-action: pan-y; }
.stage img { display: block; width: 100%; }
.stage img + img { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--cut)) 0 0); }
.stage::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--cut); border-left: 2px solid #fff;
                box-shadow: 0 0 3px #000; pointer-events: none; }
.stage b { position: absolute; top: 0; padding: 0 8px; background: #fffc; font-weight: 400; font-size: 14px; }
.stage b + b { right: 0; }
.stage input { position: absolute; left: 0; bottom: 4px; width: 100%; margin: 0; opacity: 0; }
.stage input:focus-visible { opacity: 1; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; }
figure { margin: 0; }
figure img { display: block; width: 100%; }
figcaption { font-size: 14px; }
figcaption span { color: #595959; }
"""

SCRIPT = """
const [left, right] = document.querySelectorAll("nav select");
const rows = [...document.querySelectorAll("section")];
const picture = (row, label) =>
  [...row.querySelectorAll("figure")].find((figure) => figure.dataset.label === label).querySelector("img").src;
function choose() {
  for (const row of rows) {
    const [under, over] = row.querySelectorAll(".stage img");
    under.src = picture(row, right.value);
    over.src = picture(row, left.value);
    row.querySelectorAll(".stage b").forEach((name, side) => name.textContent = [left, right][side].value);
  }
}
for (const row of rows) {
  const stage = row.querySelector(".stage"), range = stage.querySelector("input");
  const cut = (percent) => { range.value = percent; stage.style.setProperty("--cut", percent + "%"); };
  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    cut(Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)));
  });
  range.addEventListener("input", () => cut(range.value));
  cut(50);
  stage.hidden = false;
}
for (const select of [left, right]) select.addEventListener("change", choose);
choose();
document.querySelector("nav").hidden = false;
"""


def html_page(
    rows: Sequence[Row],
    means: Sequence[Mean],
    *,
    headline: str,
    remark: str,
    before: str,
    after: str,
) -> str:
    """Return the page: a table of means, and for each row a slider between two panels, and all panels.

    Args:
        rows: what to show; at least one. The slider offers the labels that all rows
            have.
        means: the table's rows; no table where there are none.
        headline: the page's title.
        remark: a sentence below it, such as how the figures were measured.
        before: the label that is left of the slider at first.
        after: the label that is right of it.
    """
    everywhere = set.intersection(
        *({panel.label for panel in row.panels} for row in rows)
    )
    labels = [panel.label for panel in rows[0].panels if panel.label in everywhere]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(headline)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(headline)}</h1>
{_table(means)}
<p>{escape(remark)}</p>
<nav hidden>
<label>left <select>{_options(labels, before)}</select></label>
<label>right <select>{_options(labels, after)}</select></label>
move the pointer over a picture
</nav>
{"".join(map(_section, rows))}
<script>{SCRIPT}</script>
</body>
</html>
"""


def _table(means: Sequence[Mean]) -> str:
    """Return the means as a table, the best figures bold; nothing for none."""
    if not means:
        return ""
    names = list(means[0].values)
    best = {
        name: (min if METRIC_FORMATS[name].lower_is_better else max)(
            mean.values[name] for mean in means
        )
        for name in names
    }
    heads = "".join(
        f"<th>{METRIC_FORMATS[name].name}{' [dB]' * (METRIC_FORMATS[name].unit == 'dB')}</th>"
        for name in names
    )
    lines = [
        f"<tr><td>{escape(mean.label)}</td>"
        + "".join(
            _cell(
                f"{mean.values[name]:.{METRIC_FORMATS[name].digits}f}",
                mean.values[name] == best[name],
            )
            for name in names
        )
        + "</tr>"
        for mean in means
    ]
    return f"<table><tr><th></th>{heads}</tr>{''.join(lines)}</table>"


def _cell(text: str, best: bool) -> str:
    return f'<td class="best">{text}</td>' if best else f"<td>{text}</td>"


def _options(labels: Sequence[str], chosen: str) -> str:
    return "".join(
        f"<option{' selected' * (label == chosen)}>{escape(label)}</option>"
        for label in labels
    )


def _section(row: Row) -> str:
    """Return one row: its title, the slider (shown once the script runs) and the panels."""
    return f"""<section>
<h2>{escape(row.title)}</h2>
<div>
<div class="stage" hidden><img alt="right"><img alt="left"><b></b><b></b>
<input type="range" aria-label="position of the cut"></div>
<div class="panels">{"".join(map(_figure, row.panels))}</div>
</div>
</section>
"""


def _figure(panel: Panel) -> str:
    label = escape(panel.label)
    return (
        f'<figure data-label="{label}"><img alt="{label}" src="data:image/png;base64,{_png(panel.image)}">'
        f"<figcaption><b>{label}</b> <span>{escape(panel.note)}</span></figcaption></figure>"
    )


def _png(image: np.ndarray) -> str:
    """Return uint8 RGB (H, W, 3) as a PNG file in base64."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return base64.b64encode(data.tobytes()).decode()
