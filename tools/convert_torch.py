"""Turn weights of any known format into .pdparams (or .safetensors, .pth); get the released models.

    convert --name realesr-general-x4v3
    convert X.pth --output X.pdparams

Without arguments: obtain RealESRGAN_x4plus and write
weights/RealESRGAN_x4plus.pdparams, ready to finetune. Reads torch .pth, .safetensors,
.pdparams and ncnn .param/.bin, and says which network it found.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import is_released, table
from realesrgan_paddle.models.weights.convert import LAYOUTS, WRITERS, convert
from realesrgan_paddle.models.weights.read_generator import fetch
from realesrgan_paddle.utils.cli import parse_flags, run, setting
from realesrgan_paddle.utils.next_steps import print_next

DEFAULT = "RealESRGAN_x4plus"


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: Path | None = setting(
        None, "the weight file to convert, or a released model", takes_words=True
    )
    name: str | None = setting(
        None, f"the released model to obtain and convert, if no --input: {DEFAULT}"
    )
    list: bool = setting(False, "list the released models and stop")
    output: Path | None = setting(
        None,
        "the file to write (by default weights/NAME.pdparams)",
        heading="result",
    )
    to: str | None = setting(
        None, "the format to write (by default as --output says)", choices=WRITERS
    )
    layout: str = setting("basicsr", "whose tensor names to write", choices=LAYOUTS)
    overwrite: bool = setting(False, "replace an output that holds something else")

    def __post_init__(self) -> None:
        given = {"--input": self.input, "--name": self.name, "--list": self.list}
        flags = [flag for flag, value in given.items() if value]
        if len(flags) > 1:
            raise argparse.ArgumentTypeError(
                f"argument {flags[1]}: not allowed with argument {flags[0]}"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    if flags.list:
        print(table())
        return 0

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = flags.input
    if path is None or (not path.exists() and is_released(str(path))):
        path = fetch(str(path or flags.name or DEFAULT), "weights")
    done = convert(path, flags.output, flags.to, flags.layout, flags.overwrite)
    print(done)
    if isinstance(done.network, Generator):
        print_next(after_weights(done.output))
    return 0


if __name__ == "__main__":
    run(main)
