"""The page itself, made with Gradio."""

import html
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from realesrgan_paddle.serve.service import Service
from realesrgan_paddle.utils.errors import UserError, error_line
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES

if TYPE_CHECKING:
    import gradio

T = TypeVar("T")

CLEAN_EVERY, KEPT = 600, 3600
"""How often files are looked through, and how long they are kept for download [s]."""
TITLE = "Real-ESRGAN on PaddlePaddle"
STYLE = "footer {display: none !important} .gradio-container {max-width: 1400px}"


def import_gradio(folder: Path) -> Any:
    """Return Gradio, which keeps its files in `folder` and reports to nobody.

    It reads these variables when it is imported.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("gradio") is None:
        raise UserError(
            "the web page needs Gradio, which is not installed: "
            'pip install "realesrgan-paddle[serve]"'
        )
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # which can be sent elsewhere
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio

    return gradio


def build_page(gr: Any, service: Service) -> "gradio.Blocks":
    """Return the page: a picture, a model, a button; before and after; the file.

    Args:
        gr: the module, from `import_gradio`.
        service: what the button does.
    """

    def checked(picture: str | None) -> str:
        """Return the remark on a picture that has just been dropped."""
        path = _given(gr, picture)
        return _or_error(gr, service.check, path)

    def upscaled(picture: str | None, model: str) -> Iterator[tuple]:
        """Yield what the outputs show; Gradio copies the files before it goes on."""
        path = _given(gr, picture)
        with tempfile.TemporaryDirectory(prefix="serve_") as folder:
            made = _or_error(gr, service.upscale, path, model, Path(folder))
            shown = (str(made.before), str(made.after))
            download = gr.DownloadButton(value=str(made.full), interactive=True)
            yield shown, download, made.text

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(CLEAN_EVERY, KEPT)
    ) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                picture = gr.File(
                    label=_allowed(service), file_types=[*IMAGE_SUFFIXES], height=180
                )
                model = gr.Dropdown(
                    [*service.models], value=service.models[0], label="Model"
                )
                button = gr.Button("Upscale", variant="primary", elem_id="upscale")
                remark = gr.Markdown(elem_id="remark")
            with gr.Column(scale=3, min_width=500):
                slider = gr.ImageSlider(
                    label="Before and after",
                    type="filepath",
                    interactive=False,
                    max_height=640,
                    buttons=["fullscreen"],
                )
                download = gr.DownloadButton(
                    "Download the PNG", interactive=False, elem_id="download"
                )

        # Not queued: only a header is read, while a picture may be computed.
        picture.upload(checked, picture, remark, show_progress="hidden", queue=False)
        button.click(
            upscaled,
            [picture, model],
            [slider, download, remark],
            api_name="upscale",
            concurrency_limit=1,
        )
    return page


def _allowed(service: Service) -> str:
    limits = service.limits
    return f"Picture: up to {limits.megabytes} MB, {limits.megapixels:g} megapixels"


def _given(gr: Any, picture: str | None) -> Path:
    """Return the path of the uploaded file."""
    if picture is None:
        raise gr.Error("drop a picture first", print_exception=False)
    return Path(picture)


def _or_error(gr: Any, work: Callable[..., T], *arguments: Any) -> T:
    """Return what `work` returns; a UserError becomes a message on the page.

    Gradio shows messages as HTML, and a file's name may hold some.
    """
    try:
        return work(*arguments)
    except (UserError, OSError) as error:
        message = html.escape(error_line(str(error)))
        raise gr.Error(message, print_exception=False) from error
