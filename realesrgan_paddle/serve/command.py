"""Serve a web page that upscales pictures: drop one, choose a model, compare, download."""

import ipaddress
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from realesrgan_paddle.inference.graph.exported_files import is_exported
from realesrgan_paddle.models.weights.catalogue import list_models
from realesrgan_paddle.serve.page import STYLE, build_page, import_gradio
from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, say
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.machine.cpu import start_paddle
from realesrgan_paddle.utils.machine.devices import DEVICES

MOST_PORTS = 65535


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command until it is interrupted."""
    args = _parser().parse(argv)
    limits = Limits(args.max_mb, args.max_megapixels)
    models = args.model or list_models()
    service = Service(models, limits, device=args.device, threads=args.threads)

    # Removed at the end: uploads and results are nobody's afterwards.
    with tempfile.TemporaryDirectory(prefix="serve_") as folder:
        gr = import_gradio(Path(folder))
        if args.device == "gpu" or not all(map(is_exported, models)):
            # Paddle takes over SIGTERM, which only the main thread can undo.
            start_paddle()

        page = build_page(gr, service)
        page.queue(max_size=args.max_waiting, default_concurrency_limit=1)
        if not _is_local(args.host):
            sys.stderr.write(
                f"warning: whoever reaches {printable(args.host)}:{args.port} can use "
                "this page, there is no password\n"
            )
        _launch(gr, page, args.host, args.port, limits.bytes)
        try:
            threading.Event().wait()
        finally:
            page.close(verbose=False)
    return 0


def _parser() -> Parser:
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--model",
        action="append",
        help="an exported folder, a weight file or a released model's name; may be given "
        "several times; all released models if not given",
    )
    add("--host", default="127.0.0.1", help="the address to listen at")
    add("--port", type=int_range(1, MOST_PORTS), default=7860, help="the port")
    add("--max_mb", type=int_range(1), default=20, help="largest file, in megabytes")
    add(
        "--max_megapixels",
        type=float_range(0.001),
        default=4.0,
        help="largest picture, in megapixels",
    )
    add(
        "--max_waiting",
        type=int_range(1),
        default=8,
        help="most pictures that wait; one is computed at a time",
    )
    add("--device", choices=DEVICES, default="auto", help="where to compute")
    add(
        "--threads", type=int_range(1, 1024), help="CPU threads; all cores if not given"
    )
    return parser


def _launch(gr: Any, page: Any, host: str, port: int, most_bytes: int) -> None:
    """Open the page at its address; it runs in threads of its own."""
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            max_file_size=most_bytes,
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
            f"{host}:{port} cannot be listened at: the port is in use, or the address is "
            "not this machine's; choose another --port or --host"
        ) from error
    say(f"{address} (Ctrl-C ends it)")


def _is_local(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
