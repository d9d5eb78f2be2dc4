"""Compare networks side by side, on images or a video: metrics, a sheet, an HTML page."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.compare import CROP_SIZE, compare_image_flags
from realesrgan_paddle.commands.compare_videos import (
    add_video_flags,
    check_flags,
    compare_video_flags,
)
from realesrgan_paddle.metrics.table import OF_IMAGES, parse_metric
from realesrgan_paddle.utils.cli import Parser, int_range, named_value, run
from realesrgan_paddle.utils.crops import parse_crop
from realesrgan_paddle.utils.machine.devices import DEVICES


def parse_flags(argv: Sequence[str] | None) -> Namespace:
    """Return the flags; exit with 2 where they are wrong."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--input",
        required=True,
        nargs="+",
        help="low-quality images, folders, a set of tools/build_domain_set.py, or with "
        "--video a video",
    )
    add(
        "--gt",
        type=Path,
        help="ground truth: an image, a folder of images named like the inputs, or with "
        "--video a video",
    )
    add(
        "--models",
        nargs="+",
        type=named_value,
        metavar="NAME=MODEL",
        help="networks to compare: weights, exported folders or released models",
    )
    add("--output", default="compare", help="folder for the sheet and the page")
    add(
        "--tile",
        type=int_range(0),
        default=0,
        help="longest side of a tile in input pixels; 0: no tiling",
    )
    add(
        "--tile_pad",
        type=int_range(0),
        help="pixels around each tile that are upscaled with it, against seams; 80 or "
        "what the network needs if not given",
    )
    add("--device", choices=DEVICES, default="auto", help="where to compute")
    _add_image_flags(parser)
    add_video_flags(parser)
    return parser.parse(argv)


def _add_image_flags(parser: Parser) -> None:
    """Declare the flags that only images have."""
    add = parser.add_argument
    add(
        "--crop",
        type=parse_crop,
        metavar="X,Y,W,H",
        help="the crop to show, in input pixels; without it, those where the last "
        "network differs most from the first",
    )
    add(
        "--crop_size",
        type=int_range(1),
        help=f"width and height of the crops, in input pixels (default: {CROP_SIZE})",
    )
    add(
        "--metrics",
        nargs="+",
        type=parse_metric,
        choices=OF_IMAGES,
        metavar="METRIC",
        help=f"any of {', '.join(OF_IMAGES)}; without it, psnr_y, ssim_y and lpips; niqe "
        "needs no ground truth",
    )
    add(
        "--run",
        type=Path,
        metavar="RUN",
        help="folder of a training, experiments/NAME: its verdict, curves and commands "
        "are shown at the top of the page; images only",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = parse_flags(argv)
    check_flags(args)
    compare_flags = compare_video_flags if args.video else compare_image_flags
    print(compare_flags(args))
    return 0


if __name__ == "__main__":
    run(main)
