"""Serve a page to work on: upscale pictures and videos, compare, make networks of clips."""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.models.weights.catalogue import list_models
from realesrgan_paddle.serve.guard import Guard, Names, is_local
from realesrgan_paddle.serve.kept import KeptFiles, own_folder
from realesrgan_paddle.serve.parts import Parts
from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.serve.tabs import build_page
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils.cli import (
    float_range,
    int_range,
    parse_flags,
    say,
    setting,
)
from realesrgan_paddle.utils.errors import UserError, error_line, printable
from realesrgan_paddle.utils.machine.devices import DEVICES, start_paddle

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
    host: str = setting("127.0.0.1", "the address to listen at", heading="address")
    port: int = setting(7860, "the port", int_range(1, MOST_PORTS))
    name: list[str] | None = setting(
        None,
        "a name by which browsers may ask for the page, besides its address; may be "
        "given several times",
        action="extend",
    )
    max_mb: int = setting(
        20, "largest picture, in megabytes", int_range(1), heading="limits"
    )
    max_kept_mb: int = setting(
        2000,
        "most megabytes of all uploads and results, which are kept for an hour",
        int_range(1),
    )
    max_megapixels: float = setting(
        4.0, "largest picture, in megapixels", float_range(0.001)
    )
    max_video_mb: int = setting(200, "largest video, in megabytes", int_range(1))
    max_video_s: float = setting(
        60.0, "longest video that is upscaled, in seconds", float_range(0.1)
    )
    max_waiting: int = setting(
        8, "most pictures and videos that wait; one is computed at a time", int_range(1)
    )
    work: Path = setting(
        Path("studio"),
        "folder of the networks that are made, with their clips; they stay there",
        heading="networks that are made",
    )
    max_work_gb: float = setting(
        20.0,
        "gigabytes in that folder from which on no network is begun",
        float_range(0.1),
    )
    device: str = setting(
        "auto", "where to compute", choices=DEVICES, heading="what computes"
    )
    threads: int | None = setting(
        None, "CPU threads; all cores if not given", int_range(1, 1024)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command until it is interrupted."""
    flags = parse_flags(Flags, __doc__, argv)
    limits = Limits(
        flags.max_mb, flags.max_megapixels, flags.max_video_mb, flags.max_video_s
    )
    models = flags.model or list_models()
    tunes = Tunes(flags.work, flags.max_work_gb)
    service = Service(
        models, limits, device=flags.device, threads=flags.threads, tunes=tunes
    )

    with own_folder() as folder:
        kept = KeptFiles(folder, flags.max_kept_mb)
        gr = import_gradio(kept.files)
        if flags.device == "gpu" or not all(map(is_exported, models)):
            # Paddle takes over SIGTERM, which only the main thread can undo.
            start_paddle()

        page = build_page(Parts(gr, service, tunes, kept), flags.max_waiting)
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
            tunes.close()
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
                primary_hue="blue",  # as the other pages
                font=["system-ui", "sans-serif"],
                font_mono=["monospace"],
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
