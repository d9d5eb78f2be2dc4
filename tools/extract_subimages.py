"""Cut large images into overlapping sub-images, which load faster in training."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.subimages import CropGrid, extract_subimages
from realesrgan_paddle.next_command import after_sub_images, print_next
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, run, say
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    parser = Parser(__doc__)
    add, size, level = parser.add_argument, int_range(1), int_range(0, 9)
    add("--input", required=True, type=Path, help="folder of images")
    add("--output", required=True, type=Path, help="folder; existing files stay")
    add("--crop_size", type=size, default=480, help="side of a sub-image")
    add("--step", type=size, default=240, help="pixels to the next sub-image")
    add(
        "--thresh_size",
        type=int_range(0),
        default=0,
        help="leave out a remainder at the border that is not wider than this",
    )
    add(
        "--manifest",
        type=Path,
        help="of extract_keyframes.py: leave out sub-images with logos, scoreboards",
    )
    add(
        "--min_detail",
        type=float_range(0, 1),
        default=0.0,
        help="leave out sub-images with detail in less than this share; try 0.05",
    )
    add("--n_thread", type=size, help="images at a time; without it: one per CPU")
    add("--compression_level", type=level, default=3, help="PNG: 0 fast, 9 small")
    args = parser.parse(argv)

    cut = extract_subimages(
        args.input,
        args.output,
        CropGrid(args.crop_size, args.step, args.thresh_size),
        manifest=args.manifest,
        min_detail=args.min_detail,
        threads=args.n_thread,
        png_compression=args.compression_level,
    )
    flat = f", {cut.flat} flat ones dropped" if args.min_detail else ""
    counts = f"{cut.count} sub-images{flat}; {len(cut.failures)} images failed"
    say(f"{args.output}: {counts}")
    if cut.count:
        print_next(after_sub_images(args.input, args.output))
    return report_failures(cut.failures)


if __name__ == "__main__":
    run(main)
