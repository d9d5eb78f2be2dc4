"""The commands of tools/ from an installed package: `python -m realesrgan_paddle <command>`."""

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from realesrgan_paddle.utils.cli import run
from realesrgan_paddle.utils.errors import did_you_mean

COMMANDS = {
    "quickstart": "see the whole chain at work on one video",
    "convert_torch": "convert weights between torch, Paddle, safetensors and ncnn, or get a released model",
    "extract_keyframes": "take the key frames out of a video",
    "build_domain_set": "make a training set of videos or frames, in one go",
    "extract_subimages": "cut large images into training images",
    "generate_multiscale": "add smaller versions of training images",
    "generate_meta_info": "list training images",
    "generate_meta_info_pairdata": "list pairs of training images",
    "preflight": "look at all images of a training run before it",
    "describe_options": "explain the keys of the option files",
    "predict": "enlarge images with a network's weights",
    "export_model": "write a network as a static graph",
    "infer": "enlarge images with an exported model",
    "compare": "show networks side by side",
    "plot_run": "draw the curves of training runs",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names, with the others, and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m realesrgan_paddle COMMAND [--help] ...\n")
        print(
            "\n".join(f"  {name:<28} {summary}" for name, summary in COMMANDS.items())
        )
        return 0 if words else 2
    name = words[0].replace("-", "_")
    if name not in COMMANDS:
        sys.stderr.write(
            f"error: unknown command {words[0]!r}{did_you_mean(name, COMMANDS)} (see --help)\n"
        )
        return 2
    sys.argv[0] = f"realesrgan_paddle {name}"  # argparse names the program by it
    return importlib.import_module(f"realesrgan_paddle.tools.{name}").main(words[1:])


def command() -> NoReturn:
    """Run `main` as a program: the script `realesrgan-paddle` of an installed package."""
    run(main)


if __name__ == "__main__":
    command()
