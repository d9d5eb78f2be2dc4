"""Write smaller versions of high-resolution images: 0.75, 0.5 and 1/3 as large, and one with a shortest edge of 400."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.multiscale import generate_multiscale
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    parser = Parser(__doc__)
    parser.add_argument("--input", required=True, help="folder of images")
    parser.add_argument(
        "--output",
        required=True,
        help="folder for the smaller versions; what is there is left alone",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        help="of extract_keyframes.py: list, in OUTPUT, where logos and scoreboards are",
    )
    parser.add_argument(
        "--n_thread", type=int_range(1), help="images at a time; none: one per CPU"
    )
    args = parser.parse(argv)
    count, failures = generate_multiscale(
        Path(args.input),
        Path(args.output),
        manifest=args.manifest,
        threads=args.n_thread,
    )
    print(f"{args.output}: {count} smaller versions; {len(failures)} images failed")
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
