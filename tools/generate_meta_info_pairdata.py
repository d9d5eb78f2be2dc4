"""Write a meta-info file of image pairs: ground truth, low quality."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_pairs
from realesrgan_paddle.data.sets.meta_info import write_pair_meta_info
from realesrgan_paddle.utils.cli import Parser, run, say
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    flag = parser.add_argument
    flag(
        "--input",
        nargs=2,
        required=True,
        type=Path,
        help="folder of ground truth, folder of low-quality images",
    )
    flag(
        "--root",
        nargs="+",
        type=Path,
        help="what the names are relative to: one, or one per input; without it: "
        "the folders that the inputs are in",
    )
    flag(
        "--meta_info",
        required=True,
        type=Path,
        help="text file to write, one pair per line",
    )
    args = parser.parse(argv)

    roots = args.root or [folder.absolute().parent for folder in args.input]
    count = write_pair_meta_info(args.input, roots, args.meta_info)
    say(f"{args.meta_info}: {count} pairs")
    print_next(after_pairs(roots[0], roots[-1], args.meta_info))
    return 0


if __name__ == "__main__":
    run(main)
