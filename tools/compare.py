"""Compare networks side by side: metrics, a PNG sheet, a self-contained HTML page."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.made_folders import images_to_compare
from realesrgan_paddle.models.inference.upscale_files import find_inputs
from realesrgan_paddle.utils.cli import Parser, int_range, named_value, run
from realesrgan_paddle.utils.crops import parse_crop
from realesrgan_paddle.utils.machine.cpu import start_paddle
from realesrgan_paddle.utils.machine.devices import DEVICES
from realesrgan_paddle.utils.report.panels import METRIC_FORMATS


def parse_flags(argv: Sequence[str] | None) -> Namespace:
    """Return the flags; exit with 2 where they are wrong."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--input",
        required=True,
        nargs="+",
        help="low-quality images, folders, or a set of tools/build_domain_set.py",
    )
    add(
        "--gt",
        type=Path,
        help="ground truth: an image, or a folder of images named like the inputs",
    )
    add(
        "--models",
        required=True,
        nargs="+",
        type=named_value,
        metavar="NAME=MODEL",
        help="networks to compare: weights, exported folders or released models",
    )
    add("--output", default="compare", help="folder for the sheet and the page")
    add(
        "--crop",
        type=parse_crop,
        metavar="X,Y,W,H",
        help="the crop to show, in input pixels; without it, the most detailed ones",
    )
    add(
        "--crop_size",
        type=int_range(1),
        default=96,
        help="width and height of the crops, in input pixels",
    )
    add(
        "--metrics",
        nargs="+",
        choices=METRIC_FORMATS,
        help="metrics; without it, all but DISTS, which is slow",
    )
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
    return parser.parse(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = parse_flags(argv)
    folders, gt = images_to_compare(args.input, args.gt)
    inputs = [path for folder in folders for path in find_inputs(folder)]

    start_paddle()
    from realesrgan_paddle.compare import compare, load_upscalers
    from realesrgan_paddle.comparison_metrics import metrics_to_measure

    upscalers = load_upscalers(
        args.models, tile=args.tile, tile_pad=args.tile_pad, device=args.device
    )
    metrics, remarks = metrics_to_measure(args.metrics, gt)
    done = compare(
        inputs,
        upscalers,
        args.output,
        gt=gt,
        crop=args.crop,
        crop_size=args.crop_size,
        metrics=metrics,
    )
    print(done, *remarks, sep="\n")
    return 0


if __name__ == "__main__":
    run(main)
