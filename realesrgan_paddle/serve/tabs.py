"""The page's tabs: upscale a picture or video, compare two networks, make a network."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realesrgan_paddle.data.footage.video_names import VIDEO_SUFFIXES, is_video_name
from realesrgan_paddle.metrics.table import BICUBIC
from realesrgan_paddle.serve.kept import KEPT
from realesrgan_paddle.serve.make_tab import make_tab
from realesrgan_paddle.serve.parts import Parts, named, or_error, quiet
from realesrgan_paddle.serve.service import Service
from realesrgan_paddle.serve.videos import check_video, upscale_video
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES, read_rgb, to_uint8

if TYPE_CHECKING:
    import gradio

CLEAN_EVERY = 600
"""How often Gradio looks for files that were kept for `KEPT` [s]."""
TITLE = "Real-ESRGAN on PaddlePaddle"
ADVICE = (
    "*realesr-general-x4v3* and *realesr-animevideov3* are small and quick, "
    "*RealESRGAN_x4plus* is some thirty times slower. Networks made here are named by "
    "their folder."
)


def build_page(parts: Parts, most_waiting: int) -> "gradio.Blocks":
    """Return the page; `most_waiting` pictures or videos wait while one is computed."""
    gr = parts.gr

    def is_awaited() -> bool:
        """Return whether the client of the one thing that is computed is still there.

        Gradio itself asks only between the results of a function.
        """
        jobs = [job for job in page._queue.active_jobs if job]
        return page.is_running and any(event.alive for job in jobs for event in job)

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(CLEAN_EVERY, KEPT)
    ) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Tab("Upscale", id="upscale"):
            model = _upscale_tab(parts, is_awaited)
        with gr.Tab("Compare", id="compare"):
            pair = _compare_tab(parts, is_awaited)
        with gr.Tab("Make a network", id="make"):
            job, listed = make_tab(parts)

        def choices() -> tuple[Any, ...]:
            """Return the lists of networks, with those that were made since."""
            models = named(parts.service.choices)
            own = gr.Dropdown(choices=models)
            return own, *(gr.Dropdown(choices=[BICUBIC, *models]) for _ in pair)

        page.load(choices, None, [model, *pair], **quiet())
        page.load(listed, None, job, **quiet())
    # Not open: whoever asks past the page waits as well.
    page.queue(max_size=most_waiting, default_concurrency_limit=1, api_open=False)
    return page


def _upscale_tab(parts: Parts, is_awaited: Callable[[], bool]) -> Any:
    """Lay out the tab; return its list of networks."""
    gr, service, kept = parts.gr, parts.service, parts.kept

    def checked(file: str | None) -> str:
        """Return the remark on a file that has just been dropped."""
        path = _given(gr, file)
        if is_video_name(path):
            return or_error(gr, check_video, path, service.limits)
        return or_error(gr, service.check, path)

    bar = gr.Progress()

    def upscaled(file: str | None, model: str, progress: Any = bar) -> Iterator[tuple]:
        """Yield what the outputs show; Gradio copies the files before it goes on."""
        path = _given(gr, file)
        or_error(gr, kept.check_room)
        with tempfile.TemporaryDirectory(dir=kept.folder) as folder:
            if is_video_name(path):
                result = or_error(
                    gr, _upscaled_video, parts, path, model, Path(folder), is_awaited,
                    progress,
                )  # fmt: skip
                download = gr.DownloadButton(value=str(result), interactive=True)
                shown = gr.Video(value=str(result), visible=True)
                yield gr.ImageSlider(visible=False), shown, download, "Done."
                return
            made = or_error(gr, service.upscale, path, model, Path(folder), is_awaited)
            pair = (str(made.before), str(made.after))
            download = gr.DownloadButton(value=str(made.full), interactive=True)
            slider = gr.ImageSlider(value=pair, visible=True)
            yield slider, gr.Video(visible=False), download, made.text

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            file = gr.File(
                label=_allowed(service),
                file_types=[*IMAGE_SUFFIXES, *VIDEO_SUFFIXES],
                height=180,
            )
            model = gr.Dropdown(
                named(service.choices), value=service.choices[0], label="Network"
            )
            gr.Markdown(ADVICE)
            button = gr.Button("Upscale", variant="primary", elem_id="upscale")
            remark = gr.Markdown(elem_id="remark")
        with gr.Column(scale=3, min_width=300):
            slider = _slider(gr, "Before and after")
            video = gr.Video(label="Result", visible=False, interactive=False)
            download = gr.DownloadButton(
                "Download the result", interactive=False, elem_id="download"
            )

    # Not queued: only a header is read, while something may be computed.
    file.upload(checked, file, remark, show_progress="hidden", queue=False)
    button.click(
        upscaled,
        [file, model],
        [slider, video, download, remark],
        api_name="upscale",
        concurrency_limit=1,
        concurrency_id="compute",
        show_progress_on=[slider, video],
    )
    return model


def _upscaled_video(
    parts: Parts,
    path: Path,
    model: str,
    folder: Path,
    is_awaited: Callable[[], bool],
    progress: Any,
) -> Path:
    """Upscale a video while nothing else is computed."""
    check_video(path, parts.service.limits)
    parts.service.check_model(model)
    flags = ["--device", parts.service.device]
    if parts.service.threads:
        flags += ["--threads", str(parts.service.threads)]
    with parts.service.alone(is_awaited):
        return upscale_video(
            path, model, folder, flags, is_awaited,
            lambda share, said: progress(share, desc=said),
        )  # fmt: skip


def _compare_tab(parts: Parts, is_awaited: Callable[[], bool]) -> tuple[Any, Any]:
    """Lay out the tab; return its two lists of networks."""
    gr, service, kept = parts.gr, parts.service, parts.kept

    def compared(
        picture: str | None, left: str, right: str
    ) -> Iterator[tuple[tuple[str, str], str]]:
        """Yield the picture by one network and by the other."""
        path = _given(gr, picture)
        or_error(gr, kept.check_room)
        with tempfile.TemporaryDirectory(dir=kept.folder) as name:
            shown, said = [], []
            for side, model in (("left", left), ("right", right)):
                folder = Path(name) / side
                folder.mkdir()
                # Bicubic interpolation to the size of what it is compared with.
                network = (
                    model if model != BICUBIC else left if right == model else right
                )
                if network == BICUBIC:
                    network = service.choices[0]
                made = or_error(gr, service.upscale, path, network, folder, is_awaited)
                shown.append(made.before if model == BICUBIC else made.after)
                said.append(f"{side}: {model}")
            sizes = {to_uint8(read_rgb(each)).shape for each in shown}
            if len(sizes) > 1:
                said.append("they have different sizes, which are stretched")
            yield (str(shown[0]), str(shown[1])), "; ".join(said)

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            picture = gr.File(label="Picture", file_types=[*IMAGE_SUFFIXES], height=180)
            choices = [BICUBIC, *named(service.choices)]
            left = gr.Dropdown(choices, value=BICUBIC, label="Left")
            right = gr.Dropdown(choices, value=service.choices[0], label="Right")
            button = gr.Button("Compare", variant="primary", elem_id="compare")
            remark = gr.Markdown(elem_id="compared")
        with gr.Column(scale=3, min_width=300):
            slider = _slider(gr, "One and the other")
    button.click(
        compared,
        [picture, left, right],
        [slider, remark],
        api_name="compare",
        concurrency_limit=1,
        concurrency_id="compute",
        show_progress_on=slider,
    )
    return left, right


def _slider(gr: Any, label: str) -> Any:
    return gr.ImageSlider(
        label=label,
        type="filepath",
        interactive=False,
        max_height=640,
        buttons=["fullscreen"],
    )


def _allowed(service: Service) -> str:
    limits = service.limits
    return (
        f"Picture (up to {limits.megabytes} MB, {limits.megapixels:g} megapixels) or "
        f"video (up to {limits.video_megabytes} MB, {limits.video_seconds:g} s)"
    )


def _given(gr: Any, file: str | None) -> Path:
    """Return the path of the uploaded file."""
    if file is None:
        raise gr.Error("drop a picture first", print_exception=False)
    return Path(file)
