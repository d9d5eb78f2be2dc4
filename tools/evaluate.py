"""Measure networks and bicubic on benchmark sets: tables of metrics, and what each costs."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.evaluate import (
    USUAL,
    check_flags,
    evaluate,
    parse_model,
    what_follows,
)
from realesrgan_paddle.inference.open_runner import ENGINES, PRECISIONS
from realesrgan_paddle.metrics.data_sets import parse_folder
from realesrgan_paddle.metrics.table import METRICS, parse_metric
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.devices import DEVICES
from realesrgan_paddle.utils.next_steps import print_next


def parse_flags(argv: Sequence[str] | None) -> Namespace:
    """Return the flags; exit with 2 where they are wrong."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--models",
        required=True,
        nargs="+",
        type=parse_model,
        metavar="[NAME=]MODEL",
        help="what to measure: weights, exported folders, released models, bicubic",
    )
    add(
        "--gt",
        required=True,
        nargs="+",
        type=parse_folder,
        metavar="[NAME=]FOLDER",
        help="ground truth, a folder for each benchmark set",
    )
    add(
        "--input",
        nargs="+",
        type=parse_folder,
        metavar="FOLDER",
        help="the low-quality images of each --gt, in the same order",
    )
    add(
        "--degrade",
        metavar="WAY",
        help="make the low-quality images: bicubic (MATLAB's, as in papers), or an "
        "option file of make_lq_data.py or of a training",
    )
    add(
        "--seed",
        type=int_range(0),
        help="of all draws of --degrade FILE.yml, instead of its manual_seed",
    )
    _add_rules(parser)
    args = parser.parse(argv)
    check_flags(parser, args)
    return args


def _add_rules(parser: Parser) -> None:
    """Add the flags that say how it is measured."""
    add = parser.add_argument
    add(
        "--metrics",
        nargs="+",
        type=parse_metric,
        default=list(USUAL),
        metavar="METRIC",
        help=f"any of {', '.join(METRICS)}",
    )
    add(
        "--scale",
        type=int_range(1, 16),
        help="how much larger the ground truth is; that of the networks if not given",
    )
    add(
        "--crop_border",
        type=int_range(0),
        help="pixels left out at each border; the scale if not given, as in papers",
    )
    add(
        "--size",
        type=int_range(1),
        help="measure the center of each image, of at most SIZE x SIZE input pixels",
    )
    add(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["fp32"],
        help="what networks compute in; of several, each is a row",
    )
    add("--engine", choices=ENGINES, default="auto", help="what runs networks")
    add("--device", choices=DEVICES, default="auto", help="where to compute")
    add(
        "--json", type=Path, metavar="FILE", help="write all metrics, of each image too"
    )
    add("--markdown", type=Path, metavar="FILE", help="write the tables of papers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image was not measured."""
    args = parse_flags(argv)
    found = evaluate(args)
    print(found.text())
    print_next(what_follows(args, found))
    return report_failures(found.failures)


if __name__ == "__main__":
    run(main)
