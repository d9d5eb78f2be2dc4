"""Turn weights of any known format into .pdparams (or .safetensors, .pth); get the released models.

Without arguments: obtain RealESRGAN_x4plus and write
weights/RealESRGAN_x4plus.pdparams, ready to finetune. Reads torch .pth, .safetensors,
.pdparams and ncnn .param/.bin, and says which network it found.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

import logging
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import table
from realesrgan_paddle.models.weights.convert import LAYOUTS, WRITERS, convert
from realesrgan_paddle.models.weights.fetch import fetch
from realesrgan_paddle.utils.cli import Parser, run
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--input", type=Path, help="the weight file to convert")
    source.add_argument(
        "--name",
        default="RealESRGAN_x4plus",
        help="the released model to obtain and convert",
    )
    source.add_argument(
        "--list", action="store_true", help="list the released models and stop"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="the file to write (by default weights/NAME.pdparams)",
    )
    parser.add_argument(
        "--to",
        choices=list(WRITERS),
        help="the format to write (by default as --output says)",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="basicsr",
        help="whose tensor names to write",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an output that holds something else",
    )
    args = parser.parse(argv)
    if args.list:
        print(table())
        return 0
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = args.input or fetch(args.name, "weights")
    done = convert(path, args.output, args.to, args.layout, args.overwrite)
    print(done)
    if isinstance(done.network, Generator):
        print_next(after_weights(done.output))
    return 0


if __name__ == "__main__":
    run(main)
