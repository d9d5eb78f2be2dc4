"""Serve a web page that upscales pictures: drop one, choose a model, compare, download."""

import html
import logging
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.models.weights.catalogue import list_models
from realesrgan_paddle.serve.guard import Guard, Names, is_local
from realesrgan_paddle.serve.kept import KEPT, KeptFiles, own_folder
from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.utils.cli import (
    float_range,
    int_range,
    parse_flags,
    say,
    setting,
)
from realesrgan_paddle.utils.errors import UserError, error_line, printable
from realesrgan_paddle.utils.images import IMAGE_SUFFIXES
from realesrgan_paddle.utils.machine.devices import DEVICES, start_paddle

if TYPE_CHECKING:
    import gradio

T = TypeVar("T")

CLEAN_EVERY = 600
"""How often Gradio looks for files that were kept for `KEPT` [s]."""
TITLE = "Real-ESRGAN on PaddlePaddle"
STYLE = "footer {display: none !important} .gradio-container {max-width: 1400px}"
MOST_PORTS = 65535


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    model: list[str] | None = setting(
        None,
        "an exported folder, a weight file or a released model's name; may be given "
        "several times; all released models if not given",
        action="extend",
    )
    host: str = setting("127.0.0.1", "the address to listen at")
    port: int = setting(7860, "the port", int_range(1, MOST_PORTS))
    name: list[str] | None = setting(
        None,
        "a name by which browsers may ask for the page, besides its address; may be "
        "given several times",
        action="extend",
    )
    max_mb: int = setting(20, "largest file, in megabytes", int_range(1))
    max_kept_mb: int = setting(
        2000,
        "most megabytes of all uploads and results, which are kept for an hour",
        int_range(1),
    )
    max_megapixels: float = setting(
        4.0, "largest picture, in megapixels", float_range(0.001)
    )
    max_waiting: int = setting(
        8, "most pictures that wait; one is computed at a time", int_range(1)
    )
    device: str = setting("auto", "where to compute", choices=DEVICES)
    threads: int | None = setting(
        None, "CPU threads; all cores if not given", int_range(1, 1024)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command until it is interrupted."""
    flags = parse_flags(Flags, __doc__, argv)
    limits = Limits(flags.max_mb, flags.max_megapixels)
    models = flags.model or list_models()
    service = Service(models, limits, device=flags.device, threads=flags.threads)

    with own_folder() as folder:
        kept = KeptFiles(folder, flags.max_kept_mb)
        gr = import_gradio(kept.files)
        if flags.device == "gpu" or not all(map(is_exported, models)):
            # Paddle takes over SIGTERM, which only the main thread can undo.
            start_paddle()

        page = build_page(gr, service, kept, flags.max_waiting)
        if not is_local(flags.host):
            sys.stderr.write(
                f"warning: whoever reaches {printable(flags.host)}:{flags.port} can use "
                "this page, there is no password\n"
            )
        names = Names(flags.host, tuple(flags.name or ()))
        launch(gr, page, names, flags.port, kept, limits.bytes)
        try:
            threading.Event().wait()
        finally:
            page.close(verbose=False)
    return 0


def launch(
    gr: Any, page: Any, names: Names, port: int, kept: KeptFiles, most_bytes: int
) -> None:
    """Open the page at its address; it runs in threads of its own.

    Args:
        gr: the module, from `import_gradio`.
        page: from `build_page`.
        names: what it listens at, and is asked for by.
        port: the port.
        kept: where uploads go.
        most_bytes: of an upload.

    Raises:
        UserError: the port is in use, or the address is not this machine's.
    """
    from starlette.middleware import Middleware

    # Gradio asks its own address when it starts, which no proxy should see.
    os.environ["no_proxy"] = ",".join(("localhost", names.host, _no_proxy()))
    guard = Middleware(Guard, names=names, kept=kept, most_bytes=most_bytes)
    try:
        _, address, _ = page.launch(
            server_name=names.host,
            server_port=port,
            max_file_size=most_bytes,
            app_kwargs={"middleware": [guard]},
            theme=gr.themes.Default(
                font=["system-ui", "sans-serif"], font_mono=["monospace"]
            ),
            css=STYLE,
            footer_links=[],
            share=False,
            inbrowser=False,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=False,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError as error:
        raise UserError(
            f"{names.host}:{port} cannot be listened at: the port is in use, or the "
            "address is not this machine's; choose another --port or --host"
        ) from error
    say(f"{address} (Ctrl-C ends it)")


def _no_proxy() -> str:
    """Return the hosts that are asked without a proxy, as the user has set them."""
    return os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))


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

    async def refuse(*_: object, **__: object) -> NoReturn:
        """Raise gradio.Error in the place of fetching what a client names."""
        raise gradio.Error("nothing is fetched from addresses", print_exception=False)

    gradio.processing_utils.async_ssrf_protected_download = refuse
    # What clients do wrong is one line each on stderr, not a page.
    traceback.print_exc = _print_error
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(_without_traceback)
    return gradio


def _print_error(*_: object, **__: object) -> None:
    """Print the exception that is being handled as one line."""
    error = sys.exc_info()[1]
    sys.stderr.write(f"error: a request failed: {_in_words(error)}\n")


def _without_traceback(record: logging.LogRecord) -> bool:
    """Keep a record, as one line."""
    if record.exc_info:
        record.msg = f"a request failed: {_in_words(record.exc_info[1])}"
        record.args, record.exc_info = None, None
    return True


def _in_words(error: BaseException | None) -> str:
    return error_line(f"{type(error).__name__}: {error}")


def build_page(
    gr: Any, service: Service, kept: KeptFiles, most_waiting: int
) -> "gradio.Blocks":
    """Return the page: a picture, a model, a button; before and after; the file.

    Args:
        gr: the module, from `import_gradio`.
        service: what the button does.
        kept: where results go.
        most_waiting: pictures that wait while one is computed.
    """

    def is_awaited() -> bool:
        """Return whether the client of the one picture that is computed is still there.

        Gradio itself asks only between the results of a function.
        """
        jobs = [job for job in page._queue.active_jobs if job]
        return page.is_running and any(event.alive for job in jobs for event in job)

    def checked(picture: str | None) -> str:
        """Return the remark on a picture that has just been dropped."""
        path = _given(gr, picture)
        return _or_error(gr, service.check, path)

    def upscaled(picture: str | None, model: str) -> Iterator[tuple]:
        """Yield what the outputs show; Gradio copies the files before it goes on."""
        path = _given(gr, picture)
        _or_error(gr, kept.check_room)
        with tempfile.TemporaryDirectory(dir=kept.folder) as folder:
            made = _or_error(gr, service.upscale, path, model, Path(folder), is_awaited)
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
    # Not open: whoever asks past the page waits as well.
    page.queue(max_size=most_waiting, default_concurrency_limit=1, api_open=False)
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
