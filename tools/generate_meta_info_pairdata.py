"""Write the names of paired images, "ground truth, low quality", into a meta-info file."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.meta_info import write_pair_meta_info
from realesrgan_paddle.utils.cli import Parser, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--input",
        nargs=2,
        required=True,
        help="folder of ground truth, folder of low quality",
    )
    parser.add_argument(
        "--root",
        nargs="+",
        help="what the names are relative to: one, or one per input; none: the parents",
    )
    parser.add_argument(
        "--meta_info", required=True, help="text file to write, one pair per line"
    )
    args = parser.parse(argv)
    folders = [Path(folder) for folder in args.input]
    roots = (
        [Path(root) for root in args.root]
        if args.root
        else [folder.absolute().parent for folder in folders]
    )
    count = write_pair_meta_info(folders, roots, Path(args.meta_info))
    print(f"{args.meta_info}: {count} pairs")
    return 0


if __name__ == "__main__":
    run(main)
