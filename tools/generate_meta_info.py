"""Write the names of the images in one or more folders into a meta-info file, relative to a root."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.meta_info import write_meta_info
from realesrgan_paddle.utils.cli import Parser, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image was left out."""
    parser = Parser(__doc__)
    parser.add_argument("--input", nargs="+", required=True, help="folders of images")
    parser.add_argument(
        "--root",
        nargs="+",
        required=True,
        help="what the names are relative to: one, or one per input",
    )
    parser.add_argument(
        "--meta_info", required=True, help="text file to write, one image per line"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="decode every image and leave the unreadable ones out",
    )
    args = parser.parse(argv)
    folders, roots = (
        [Path(folder) for folder in args.input],
        [Path(root) for root in args.root],
    )
    count, failures = write_meta_info(
        folders, roots, Path(args.meta_info), check=args.check
    )
    print(
        f"{args.meta_info}: {count} images"
        + (f"; {len(failures)} unreadable ones left out" if args.check else "")
    )
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
