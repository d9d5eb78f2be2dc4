"""The commands as `python -m realesrgan_paddle <command>`, also of an installed package."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from realesrgan_paddle import __version__
from realesrgan_paddle.utils.cli import run
from realesrgan_paddle.utils.errors import did_you_mean
from realesrgan_paddle.utils.machine.devices import (
    pick_device,
    start_paddle,
    use_one_blas_thread,
)
from realesrgan_paddle.utils.signals import ending_at_once

COMMANDS = {
    "upscale": "upscale images and videos, with a network that suits them or yours",
    "quickstart": "run the whole chain on one video",
    "convert_torch": "convert weights between frameworks, or get a released model",
    "extract_keyframes": "extract the key frames of videos",
    "build_domain_set": "make a training set from videos or frames, in one go",
    "extract_subimages": "cut large images into training images",
    "generate_multiscale": "add downscaled versions of training images",
    "generate_meta_info": "list training images",
    "generate_meta_info_pairdata": "list pairs of training images",
    "preflight": "check all images of a training run before it starts",
    "describe_options": "explain the keys of the option files",
    "predict": "upscale images with a network's weights",
    "export_model": "export a network as a static graph",
    "quantize": "make an exported model ready for int8",
    "infer": "upscale images with an exported model",
    "compare": "compare networks side by side",
    "evaluate": "measure networks on benchmark sets",
    "plot_run": "plot the curves of training runs",
    "serve": "upscale pictures on a web page",
    "doctor": "show what this machine has, what is missing and what to install",
}
NOT_IN_TOOLS = {
    "describe_options": "realesrgan_paddle.options.reading.describe_options",
    "serve": "realesrgan_paddle.serve.page",
}
"""The modules of commands that no script of tools/ starts."""

SMALL_PRODUCTS = (
    "extract_keyframes",
    "build_domain_set",
    "upscale",
    "infer",
    "predict",
)
"""Commands whose products of matrices, if any, are too small for several threads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m realesrgan_paddle COMMAND [--help] ...")
        print("       python -m realesrgan_paddle --version\n")
        for name, summary in COMMANDS.items():
            print(f"  {name:<28} {summary}")
        return 0 if words else 2
    if words == ["--version"]:
        print(versions())
        return 0

    name = words[0].replace("-", "_")
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        sys.stderr.write(f"error: unknown command {words[0]!r}{hint} (see --help)\n")
        return 2

    if name in SMALL_PRODUCTS:
        use_one_blas_thread()
    sys.argv[0] = f"realesrgan_paddle {name}"  # argparse names the program by it
    with ending_at_once():
        place = NOT_IN_TOOLS.get(name, f"realesrgan_paddle.tools.{name}")
        tool = importlib.import_module(place)
    return tool.main(words[1:])


def versions() -> str:
    """Return the versions of the toolkit and of Paddle, and the device it would take."""
    toolkit = f"realesrgan-paddle {__version__}"
    if find_spec("paddle") is None:
        return f"{toolkit}, PaddlePaddle is not installed"

    start_paddle()
    import paddle

    device, reason = pick_device()
    return f"{toolkit}, PaddlePaddle {paddle.__version__}, {device} ({reason})"


def command() -> NoReturn:
    """Run `main` as the script `realesrgan-paddle` of an installed package."""
    run(main)


if __name__ == "__main__":
    command()
