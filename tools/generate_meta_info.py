"""Write a meta-info file: the images of one or more folders, relative to a root."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_list
from realesrgan_paddle.data.sets.meta_info import write_meta_info
from realesrgan_paddle.utils.cli import Parser, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image was left out."""
    parser = Parser(__doc__)
    flag = parser.add_argument
    flag("--input", nargs="+", required=True, type=Path, help="folders of images")
    flag(
        "--root",
        nargs="+",
        required=True,
        type=Path,
        help="what the names are relative to: one, or one per input",
    )
    flag(
        "--meta_info",
        required=True,
        type=Path,
        help="text file to write, one image per line",
    )
    flag(
        "--check",
        action="store_true",
        help="decode every image and leave the unreadable ones out",
    )
    args = parser.parse(argv)

    count, failures = write_meta_info(
        args.input, args.root, args.meta_info, check=args.check
    )
    unreadable = f"; {len(failures)} unreadable ones left out" if args.check else ""
    say(f"{args.meta_info}: {count} images{unreadable}")
    if len(set(args.root)) == 1:  # the one folder that training looks for them in
        print_next(after_list(args.root[0], args.meta_info))
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
