"""Cut large images into overlapping sub-images, which load faster in training."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.subimages import CropGrid, extract_subimages
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    parser = Parser(__doc__)
    parser.add_argument("--input", required=True, help="folder of images")
    parser.add_argument(
        "--output",
        required=True,
        help="folder for the sub-images; what is there is left alone",
    )
    parser.add_argument(
        "--crop_size", type=int_range(1), default=480, help="side of a sub-image"
    )
    parser.add_argument(
        "--step",
        type=int_range(1),
        default=240,
        help="pixels from one sub-image to the next",
    )
    parser.add_argument(
        "--thresh_size",
        type=int_range(0),
        default=0,
        help="drop what is left at a border if not wider than this",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        help="of extract_keyframes.py: leave out what shows logos, scoreboards",
    )
    parser.add_argument(
        "--min_detail",
        type=float_range(0, 1),
        default=0.0,
        help="drop those that are flat but for this share",
    )
    parser.add_argument(
        "--n_thread", type=int_range(1), help="images at a time; none: one per CPU"
    )
    parser.add_argument(
        "--compression_level",
        type=int_range(0, 9),
        default=3,
        help="of PNG: 0 fast to 9 small",
    )
    args = parser.parse(argv)
    grid = CropGrid(args.crop_size, args.step, args.thresh_size)
    cut = extract_subimages(
        Path(args.input),
        Path(args.output),
        grid,
        manifest=args.manifest,
        min_detail=args.min_detail,
        threads=args.n_thread,
        png_compression=args.compression_level,
    )
    flat = f", {cut.flat} flat ones dropped" if args.min_detail else ""
    print(
        f"{args.output}: {cut.count} sub-images{flat}; {len(cut.failures)} images failed"
    )
    return report_failures(cut.failures)


if __name__ == "__main__":
    run(main)
