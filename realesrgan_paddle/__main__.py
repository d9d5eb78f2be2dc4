"""The program `realesrgan-paddle COMMAND`, also `python -m realesrgan_paddle COMMAND`."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from realesrgan_paddle import __version__
from realesrgan_paddle.utils.cli import HELP_ALL, run
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.machine.devices import (
    NO_PADDLE,
    pick_device,
    start_paddle,
    use_one_blas_thread,
)
from realesrgan_paddle.utils.next_steps import PROGRAM, SHORT_NAMES
from realesrgan_paddle.utils.parser import COMPLETING, complete
from realesrgan_paddle.utils.signals import ending_at_once

COMMANDS = {
    "upscale": "make images and videos larger and better",
    "tune": "make a network for your own footage, and tell whether it is better",
    "train": "train or finetune a network with an option file, or --recipe auto",
    "frames": "extract the frames of videos that are worth training on",
    "set": "make a training set from videos or images",
    "degrade": "degrade images as training does, or as real footage is",
    "convert": "convert weights between frameworks, or get a released network",
    "export": "export a network as a static graph",
    "compare": "compare networks side by side, on images or a video",
    "evaluate": "measure networks on benchmark sets",
    "serve": "the same on a web page",
    "models": "list the released networks, and where they can be had from here",
    "doctor": "show what this machine has, what is missing and what to install",
}
"""What most people need, in the order of the help."""
MORE_COMMANDS = {
    "quickstart": "run the whole chain on one video",
    "infer": "upscale with an exported network: all engines and precisions",
    "predict": "upscale with a network's weights",
    "quantize": "make an exported network ready for int8",
    "clips": "cut clips of consecutive frames out of videos, for a recurrent network",
    "extract_subimages": "cut large images into training images",
    "generate_multiscale": "add downscaled versions of training images",
    "generate_meta_info": "list training images",
    "generate_meta_info_pairdata": "list pairs of training images",
    "preflight": "check all images of a training run before it starts",
    "plot_run": "plot the curves of training runs",
    "describe_options": "write the pages that explain the keys of the option files",
}
"""The others; `--help all` shows them."""
SHELLS = ("bash", "zsh", "fish")
EXIT_CODES = (
    "exit codes: 0 all is done; 1 something failed, be it one of many files, and a line",
    "says what; 2 words that are not understood; 129, 130 and 143 ended by a closed",
    "terminal, Ctrl-C or SIGTERM: what is resumable then goes on when it is typed again",
)
NOT_IN_TOOLS = {
    "train": "realesrgan_paddle.commands.train",
    "make_lq_data": "realesrgan_paddle.commands.make_lq_data",
    "describe_options": "realesrgan_paddle.options.reading.describe_options",
    "serve": "realesrgan_paddle.serve.page",
}
"""The modules of commands that no script of tools/ starts."""

SMALL_PRODUCTS = ("frames", "clips", "set", "upscale", "infer", "predict")
"""Commands whose products of matrices, if any, are too small for several threads."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if COMPLETING in os.environ:
        words = _words_to_complete()
    if words[:1] == ["completion"]:
        print(_completion(words[1:]))
        return 0
    if not words or words[0] in ("-h", "--help"):
        print(usage(shows_all=tuple(words) == HELP_ALL))
        return 0 if words else 2
    if words == ["--version"]:
        print(versions())
        return 0

    # Underscores or dashes, and the script's name or its short one: all are the same.
    typed = words[0].replace("-", "_")
    name = SHORT_NAMES.get(typed, typed)
    known = COMMANDS | MORE_COMMANDS
    if name not in known:
        hint = did_you_mean(name, known)
        sys.stderr.write(f"error: unknown command {words[0]!r}{hint} (see --help)\n")
        return 2

    if name in SMALL_PRODUCTS:
        use_one_blas_thread()
    # argparse names the program by it, and the next command's line follows it.
    sys.argv[0] = f"{PROGRAM} {typed}"
    with ending_at_once():
        tool = importlib.import_module(module_of(name))
    return tool.main(words[1:])


def usage(*, shows_all: bool) -> str:
    """Return the page of --help: the commands, in two groups."""
    lines = [
        f"usage: {PROGRAM} COMMAND [--help] ...",
        "",
        f"  {PROGRAM} upscale match.mp4 photos",
        f"  {PROGRAM} tune match1.mp4 match2.mp4 --lq stream.mp4 --minutes 15",
        f"  {PROGRAM} upscale stream.mp4 -m tuned/match1",
        "",
    ]
    lines += [f"  {name:<10} {about}" for name, about in COMMANDS.items()]
    lines.append("")
    if shows_all:
        lines += [f"  {name:<28} {about}" for name, about in MORE_COMMANDS.items()]
        lines.append("")
        lines += [f"  {old:<28} the same as {new}" for old, new in SHORT_NAMES.items()]
        lines += ["", *EXIT_CODES]
    else:
        lines.append(
            "More commands and exit codes: --help all; the versions: --version; completion "
            f'in a\nshell: eval "$({PROGRAM} completion bash)" (zsh; fish: ... | source)'
        )
    return "\n".join(lines)


def _completion(words: Sequence[str]) -> str:
    """Return what a shell evaluates to complete the commands and their flags."""
    if len(words) != 1 or words[0] not in SHELLS:
        raise UserError(f"completion: name the shell: {', '.join(SHELLS)}")
    if find_spec("argcomplete") is None:
        raise UserError(
            "completion needs argcomplete, which is not installed: pip install argcomplete"
        )
    import argcomplete

    return argcomplete.shellcode([PROGRAM], shell=words[0])


def _words_to_complete() -> list[str]:
    """Return the command whose flags the shell asks for; complete the command itself."""
    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    program, *typed = line.split()
    if len(typed) > 1 or (typed and line.endswith(" ")):
        os.environ[COMPLETING] = "2"  # the parser's program is the second word
        return typed[:1]
    parser = argparse.ArgumentParser(program)
    parser.add_argument("command", choices=[*COMMANDS, *MORE_COMMANDS])
    complete(parser)
    return typed


def module_of(name: str) -> str:
    """Return the module of a command whose `main` runs it."""
    scripts = {short: script for script, short in SHORT_NAMES.items()}
    script = scripts.get(name, name)
    return NOT_IN_TOOLS.get(script, f"realesrgan_paddle.tools.{script}")


def versions() -> str:
    """Return the versions of the toolkit and of Paddle, and the device it would take."""
    toolkit = f"realesrgan-paddle {__version__}"
    if find_spec("paddle") is None:
        return f"{toolkit}, {NO_PADDLE}"

    start_paddle()
    import paddle

    device, reason = pick_device()
    return f"{toolkit}, PaddlePaddle {paddle.__version__}, {device} ({reason})"


def command() -> NoReturn:
    """Run `main` as the script `realesrgan-paddle` of an installed package."""
    run(main)


if __name__ == "__main__":
    command()
