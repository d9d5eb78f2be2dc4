"""The tab where networks are made of clips: what is dropped, and how far each of them is."""

import html
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realesrgan_paddle.serve.parts import Parts, or_error, quiet
from realesrgan_paddle.serve.tunes import MINUTES, SUFFIXES, State
from realesrgan_paddle.utils.images import read_rgb, to_uint8

LOOKED_AT_EVERY = 3
"""How often the page looks how far a network is [s]."""


def make_tab(parts: Parts) -> tuple[Any, Callable[[], Any]]:
    """Lay out the tab: clips and minutes, and below how far the networks are.

    Returns:
        The list of networks, and what fills it when the page is opened.
    """
    gr, tunes = parts.gr, parts.tunes

    def start(
        name: str, good: list[str] | None, poor: list[str] | None, minutes: float
    ) -> tuple:
        """Begin to make a network, and show it."""
        files = [Path(each) for each in good or []], [Path(each) for each in poor or []]
        or_error(gr, tunes.start, name.strip(), *files, minutes)
        return gr.Dropdown(choices=tunes.names, value=name.strip()), *shown(
            name.strip()
        )

    def go_on(name: str | None) -> tuple:
        """Go on with a network that was stopped."""
        if name:
            or_error(gr, tunes.go_on, name)
        return shown(name)

    def stop(name: str | None) -> tuple:
        """Stop what is being made; what is done is kept."""
        if name == tunes.running:
            tunes.stop()
        return shown(name)

    def shown(name: str | None, seen: tuple[str, str] = ("", "")) -> tuple:
        """Return what the outputs show of a network; what was `seen` stays as it is."""
        if not name:
            return ("", ""), *_blank(gr)
        state = or_error(gr, tunes.state, name)
        written = state.progress["written"] if state.progress else ""
        pictures = f"{name} {state.sheet} {len(state.frames)}"
        now = (pictures, f"{name} {len(state.clips)} {written}")
        fresh = Fresh(pictures=now[0] != seen[0], numbers=now[1] != seen[1])
        return now, *_outputs(gr, parts, name, state, fresh)

    def listed() -> Any:
        """Return the list of networks, with the one that is being made chosen."""
        names = tunes.names
        return gr.Dropdown(
            choices=names, value=tunes.running or next(iter(names), None)
        )

    inputs, begin = _inputs(gr)
    job, again, end, outputs = _results(gr)
    seen, *_ = outputs
    begin.click(start, inputs, [job, *outputs], **quiet())
    again.click(go_on, job, outputs, **quiet())
    end.click(stop, job, outputs, **quiet())
    job.change(shown, job, outputs, **quiet())
    gr.Timer(LOOKED_AT_EVERY).tick(shown, [job, seen], outputs, **quiet())
    return job, listed


def _inputs(gr: Any) -> tuple[list[Any], Any]:
    """Lay out what a network is made of; return the inputs and the button."""
    files: dict[str, Any] = {
        "file_count": "multiple",
        "file_types": [*SUFFIXES],
        "height": 150,
    }
    with gr.Row():
        good = gr.File(label="Sharp clips to learn from", elem_id="good", **files)
        poor = gr.File(label="Poor clips to be restored", elem_id="poor", **files)
        with gr.Column(min_width=240):
            name = gr.Textbox(label="Name", placeholder="match1", elem_id="name")
            minutes = gr.Slider(*MINUTES, value=15, step=1, label="Minutes in all")
            begin = gr.Button("Make the network", variant="primary", elem_id="begin")
    return [name, good, poor, minutes], begin


def _results(gr: Any) -> tuple[Any, Any, Any, list[Any]]:
    """Lay out what becomes of it; return the list, two buttons and the outputs."""
    with gr.Row():
        job = gr.Dropdown([], label="Network", elem_id="job", scale=2)
        again = gr.Button("Go on", elem_id="go_on", interactive=False)
        end = gr.Button("Stop", variant="stop", elem_id="stop", interactive=False)
        download = gr.DownloadButton(
            "Download the network", interactive=False, elem_id="network"
        )
    text = gr.Markdown(elem_id="state")
    shown = {"visible": False, "interactive": False}
    clips = gr.Dataframe(
        headers=["clip", "verdict", "why"], wrap=True, label="The set", **shown
    )
    with gr.Row():
        axes = {"x": "iteration", "y": "value", "color": "line"}
        plots = [
            gr.LinePlot(**axes, visible=False, height=260, min_width=320)
            for _ in range(2)
        ]
    sheet = gr.Image(label="Newest crops", show_label=False, **shown)
    frames = gr.Gallery(
        visible=False,
        columns=6,
        height=260,
        object_fit="contain",
        label="Frames it has",
    )
    log = gr.Textbox(label="Log", lines=8, **shown)
    outputs = [
        gr.State(("", "")), text, again, end, download, clips, *plots, sheet, frames, log
    ]  # fmt: skip
    return job, again, end, outputs


def _blank(gr: Any) -> tuple:
    """Return what is shown before there is a network."""
    off = gr.Button(interactive=False)
    hidden = [gr.update(visible=False) for _ in range(6)]
    return (
        "Drop clips, and a network is made for them: the set, its training and the "
        "verdict are shown here. Others wait, or stop it: one thing is computed at a time.",
        off,
        off,
        gr.DownloadButton(interactive=False),
        *hidden,
    )


@dataclass(frozen=True)
class Fresh:
    """What is to be shown anew: plots blink, and pictures take time."""

    pictures: bool
    numbers: bool


def _outputs(gr: Any, parts: Parts, name: str, state: State, fresh: Fresh) -> tuple:
    """Return what the outputs show of a network's state."""
    main = state.progress["main"] if state.progress else []
    validations = [panel for panel in main if ": " in panel["title"]]  # SET: METRIC
    losses = [panel for panel in main if panel not in validations]
    text = "\n\n".join(
        [f"**{html.escape(state.text)}**", *map(html.escape, state.verdict)]
    )
    made = _packed(parts, name, state)
    log = "\n".join(state.log)
    return (
        text,
        gr.Button(interactive=not state.running and state.network is None),
        gr.Button(interactive=state.running),
        gr.DownloadButton(value=made, interactive=made is not None),
        _clips(gr, state) if fresh.numbers else gr.skip(),
        _plot(gr, validations) if fresh.numbers else gr.skip(),
        _plot(gr, losses) if fresh.numbers else gr.skip(),
        _picture(gr, state) if fresh.pictures else gr.skip(),
        _thumbnails(gr, state) if fresh.pictures else gr.skip(),
        gr.Textbox(value=log, visible=bool(log)),
    )


def _clips(gr: Any, state: State) -> Any:
    return gr.Dataframe(
        value=[list(row) for row in state.clips], visible=bool(state.clips)
    )


def _plot(gr: Any, panels: list[dict[str, Any]]) -> Any:
    """Return the plot of the first of some panels, with its base lines."""
    import pandas as pd  # Gradio's

    rows = []
    for panel in panels[:1]:
        for curve in panel["curves"]:
            rows += [(x, y, curve["name"]) for x, y in curve["points"] if y is not None]
        last = max((x for x, _, _ in rows), default=0)
        for level in panel["levels"]:
            rows += [(x, level["value"], level["name"]) for x in (0, last)]
    if not rows:
        return gr.update(visible=False)
    frame = pd.DataFrame(rows, columns=["iteration", "value", "line"])
    return gr.LinePlot(value=frame, title=panels[0]["title"], visible=True)


def _picture(gr: Any, state: State) -> Any:
    if state.sheet is None:
        return gr.update(visible=False)
    return gr.Image(value=to_uint8(read_rgb(state.sheet)), visible=True)


def _thumbnails(gr: Any, state: State) -> Any:
    if not state.frames:
        return gr.update(visible=False)
    images = [to_uint8(read_rgb(path)) for path in state.frames]
    return gr.Gallery(value=images, visible=True)


def _packed(parts: Parts, name: str, state: State) -> str | None:
    """Return an archive of an exported network, made once; None before there is one."""
    if state.network is None:
        return None
    archive = parts.kept.folder / f"{name}.zip"
    if not archive.is_file():
        with tempfile.TemporaryDirectory(dir=parts.kept.folder) as folder:
            inside = Path(folder) / name
            inside.mkdir()
            for path in state.network.glob("inference*"):
                shutil.copyfile(path, inside / path.name)
            shutil.make_archive(str(archive.with_suffix("")), "zip", folder)
    return str(archive)
