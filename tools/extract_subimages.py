"""Cut large images into overlapping sub-images, which load faster in training."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_sub_images
from realesrgan_paddle.data.sets.patches.choose import PatchChoice
from realesrgan_paddle.data.sets.patches.extract import BestPatches, cut_images
from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


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
    add(
        "--patches",
        choices=("grid", "best"),
        default="grid",
        help="best: detailed ones in focus that do not repeat; with --min_detail 0.05",
    )
    add(
        "--patches_per_frame",
        type=size,
        default=PatchChoice.patches_per_frame,
        help="with --patches best: the most of one image",
    )
    add(
        "--max_patches",
        type=int_range(0),
        default=0,
        help="with --patches best: the most of all, of all kinds and shots; 0: no limit",
    )
    add("--n_thread", type=size, help="images at a time; without it: one per CPU")
    add("--compression_level", type=level, default=3, help="PNG: 0 fast, 9 small")
    args = parser.parse(argv)

    output: Path = args.output
    cut = cut_images(
        args.input,
        output,
        CropGrid(args.crop_size, args.step, args.thresh_size),
        PatchChoice(args.min_detail, args.patches_per_frame, args.max_patches),
        best=args.patches == "best",
        sheet=output.with_name(f"{output.name}_sheet"),
        manifest=args.manifest,
        threads=args.n_thread,
        png_compression=args.compression_level,
    )
    return _report(args.input, output, cut, judges=args.min_detail > 0)


def _report(source: Path, output: Path, cut: BestPatches, *, judges: bool) -> int:
    """Say what was cut and what to do next; return the exit code."""
    flat = f", {cut.flat} flat ones dropped" if judges else ""
    others = f" ({reasons})" if (reasons := cut.other_reasons()) else ""
    counts = f"{cut.count} sub-images{flat}{others}; {len(cut.failures)} images failed"
    say(f"{output}: {counts}")
    if cut.count:
        print_next(after_sub_images(source, output))
    return report_failures(cut.failures)


if __name__ == "__main__":
    run(main)
