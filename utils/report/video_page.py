"""Videos of one scene as an HTML page: two players in step, with a divider between."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from urllib.parse import quote

from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.report.pages import escaped, whole_page

_SPEEDS = {"0.1": "0.1x", "0.25": "0.25x", "0.5": "0.5x", "1": "1x", "2": "2x"}
_ZOOMS = {"0": "fit", "1": "1:1", "2": "2x"}
_PIXELS = {"smooth": "smooth", "pixelated": "pixelated"}

_STAGE = """<div class="stage">
<div class="layer right"><div class="picture"><video muted playsinline preload="auto">
</video></div><b></b></div>
<div class="layer left"><div class="picture"><video muted playsinline preload="auto">
</video></div><b></b></div>
<div class="divider" role="slider" tabindex="0" aria-label="divider"
aria-valuemin="0" aria-valuemax="100"></div>
</div>
<input class="seek" id="seek" type="range" min="0" step="1" value="0" aria-label="frame">
"""
_HELP = """<p class="warning" id="problem"></p>
<p class="faint">Space plays, left and right arrow go by a frame, up and down by a second,
x swaps. Drag the divider, or press Tab and use the arrows.</p>
</div>
"""


@dataclass(frozen=True)
class Clip:
    """One video of the page."""

    label: str
    """The method; the name in the lists."""
    file: str
    """Path of an mp4 relative to the page."""
    size: tuple[int, int]
    """Width and height of the picture as it is shown, in square pixels."""
    times: Sequence[Fraction]
    """When each frame begins [s], the first at 0; then, when the last one ends."""
    has_sound: bool
    padding: tuple[float, float] = (0, 0)
    """What the file has beside the picture, right and below, as shares of its sides."""


@dataclass(frozen=True)
class MetricsTable:
    """A table of metrics: a line for each video."""

    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]
    """Label and metrics."""
    remark: str
    """What the metrics are, and which values are good."""


def video_page(
    clips: Sequence[Clip],
    *,
    headline: str,
    remarks: Sequence[str],
    metrics: MetricsTable | None,
    slices: str,
    left: int,
    right: int,
    start: Fraction,
) -> str:
    """Return the page; the videos are files beside it.

    Args:
        clips: what the players can show; at least two.
        headline: the page's title.
        remarks: lines below it.
        metrics: what was measured.
        slices: path of an image of time slices, relative to the page; "": none.
        left: number of the video that the left player shows at first.
        right: number of that of the right player.
        start: the time of the first frame, where the videos are a part [s].
    """
    paragraphs = "".join(
        f'<p class="faint">{escaped(remark)}</p>\n' for remark in remarks
    )
    files = "".join(map(_file, clips))
    labels = {str(number): clip.label for number, clip in enumerate(clips)}
    body = f"""{_table(metrics)}
{paragraphs}<div class="viewer" hidden>
{_STAGE}{_controls(labels, left, right)}{_HELP}<p class="faint">{files}</p>
<noscript><p class="warning">The players need JavaScript.</p></noscript>
{_slices(slices)}<script type="application/json" id="clips">{_data(clips, start)}</script>"""
    assets = ("stage.css", "video_page.css", "stage.js", "video_page.js")
    return whole_page(headline, body, *assets)


def _controls(labels: Mapping[str, str], left: int, right: int) -> str:
    """Return the buttons and lists below the players."""
    return f"""<div class="controls">
<div><button id="back" title="one frame back" aria-label="one frame back">&#8249;</button>
<button id="play">Play</button>
<button id="forward" title="one frame on" aria-label="one frame on">&#8250;</button></div>
<div><output id="time"></output><output id="frame"></output></div>
<div class="push"><label for="left">left</label>
{_select("left", labels, str(left))}
<button id="swap" title="swap left and right" aria-label="swap left and right">&#8644;</button>
<label for="right">right</label>
{_select("right", labels, str(right))}</div>
<div><label for="speed">speed</label>{_select("speed", _SPEEDS, "1")}</div>
<div><label for="zoom">zoom</label>{_select("zoom", _ZOOMS, "0")}</div>
<div><label for="pixels">pixels</label>{_select("pixels", _PIXELS, "smooth")}</div>
<div><button id="loop" aria-pressed="true">Loop</button>
<button id="sound" title="of the left video">Sound off</button>
<button id="full">Full screen</button></div>
</div>
"""


def _select(name: str, texts: Mapping[str, str], chosen: str) -> str:
    """Return a list to choose from, of texts by value."""
    options = ""
    for value, text in texts.items():
        selected = " selected" if value == chosen else ""
        label = escaped(text)
        options += f'<option value="{value}"{selected}>{label}</option>'
    return f'<select id="{name}">{options}</select>'


def _file(clip: Clip) -> str:
    """Return a link to a video, and what it is."""
    width, height = clip.size
    count = len(clip.times) - 1
    seconds = float(clip.times[-1])
    what = f"{width}x{height}, {count} frames, {seconds:.2f} s"

    file = quote(clip.file)
    label = escaped(clip.label)
    return f'<a href="{file}">{label}</a> ({what}) '


def _table(metrics: MetricsTable | None) -> str:
    """Return the table of metrics; "" without any."""
    if metrics is None:
        return ""
    head = "".join(f"<th>{escaped(name)}</th>" for name in ("", *metrics.columns))
    body = ""
    for label, values in metrics.lines:
        cells = "".join(f"<td>{escaped(text)}</td>" for text in (label, *values))
        body += f"<tr>{cells}</tr>\n"
    caption = f"<figcaption>{escaped(metrics.remark)}</figcaption>"
    return f"<figure><table><tr>{head}</tr>\n{body}</table>{caption}</figure>"


def _slices(file: str) -> str:
    """Return the figure of the time slices; "" without any."""
    if not file:
        return ""
    return (
        f'<figure class="slices"><img src="{quote(file)}" alt="one column of each '
        'video over time"><figcaption>One column of pixels of each frame, from left to '
        "right: what stands still is a line, what flickers is rough.</figcaption>"
        "</figure>\n"
    )


def _data(clips: Sequence[Clip], start: Fraction) -> str:
    """Return what the script needs as JSON that ends no script element."""
    listed = []
    for clip in clips:
        tick, steps = run_lengths(clip.times)
        listed.append(
            {
                "label": printable(clip.label),
                "file": quote(clip.file),
                "size": clip.size,
                "padding": clip.padding,
                "sound": clip.has_sound,
                "tick": [tick.numerator, tick.denominator],
                "steps": steps,
            }
        )
    text = json.dumps({"start": float(start), "clips": listed})
    return text.replace("<", "\\u003c")


def run_lengths(times: Sequence[Fraction]) -> tuple[Fraction, list[list[int]]]:
    """Return times as a tick [s] and runs of frames, [ticks of each, count].

    Two hours at a constant rate are so one run, where the times would be megabytes.
    """
    denominator = math.lcm(*(time.denominator for time in times))
    tick = Fraction(1, denominator)
    runs: list[list[int]] = []
    for before, time in pairwise(times):
        length = int((time - before) / tick)
        if runs and runs[-1][0] == length:
            runs[-1][1] += 1
        else:
            runs.append([length, 1])
    return tick, runs
