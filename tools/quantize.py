"""Make an exported model ready for int8, unless it would lose too much."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.inference.engine.int8.calibrate import (
    LEAST_PSNR,
    calibrate,
    split,
)
from realesrgan_paddle.inference.engine.int8.ranges_file import write_ranges
from realesrgan_paddle.utils.cli import Parser, float_range, int_range, run, say
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.next_steps import next_line, print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--calibration", required=True, help="folder of low-resolution images")
    add(
        "--model_path",
        type=Path,
        default=Path("infer"),
        help="folder with inference.pdmodel, or a .pdmodel file",
    )
    add(
        "--held_out",
        type=float_range(0, 1),
        default=0.2,
        help="share of the images on which the loss is measured, and nothing else",
    )
    add(
        "--threads", type=int_range(1, 1024), help="CPU threads; all cores if not given"
    )
    args = parser.parse(argv)

    calibrating, held_out = split(list_images(args.calibration), args.held_out)
    found = calibrate(args.model_path, calibrating, held_out, args.threads)
    say(
        f"int8 differs from float32 by {found.psnr_db:.1f} dB on {len(held_out)} held-out "
        f"images, {LEAST_PSNR} or more are allowed; ranges are of {len(calibrating)} "
        "others"
    )
    found.check(args.model_path)
    path = write_ranges(args.model_path, found.ranges)
    say(f"wrote {path}")
    print_next(next_line("int8 ranges", graph=args.model_path))
    return 0


if __name__ == "__main__":
    run(main)
