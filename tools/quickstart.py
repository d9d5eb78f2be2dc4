"""Finetune the small network on one video and compare it with the released one.

Released weights, key frames, training images, finetuning, export, inference and a
before/after page: each step is a command of this project, printed as you would type it.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.quickstart import quickstart
from realesrgan_paddle.utils.cli import Parser, int_range, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--video",
        type=Path,
        help="your footage; without it, ten seconds of street traffic",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("quickstart"), help="folder to work in"
    )
    parser.add_argument(
        "--iterations",
        type=int_range(1),
        default=300,
        help="training iterations; 300 take minutes on a CPU",
    )
    args = parser.parse(argv)
    print(quickstart(args.video, args.output, args.iterations))
    return 0


if __name__ == "__main__":
    run(main)
