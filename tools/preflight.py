"""List the images that a run cannot train on: unreadable, too small, unfit pairs.

Checks the images of a run, by its option file, or of folders: headers, or all with --check.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_check
from realesrgan_paddle.recipes.set_options import load_training
from realesrgan_paddle.training.training_data import (
    check_folders,
    check_run,
    open_datasets,
)
from realesrgan_paddle.utils.cli import Parser, int_range, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import next_line, print_next


def parse_flags(argv: Sequence[str] | None) -> Namespace:
    """Return the flags; exit with 2 where they are wrong."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--yml_path", metavar="FILE", help="option file: check all images of its run")
    add(
        "--input",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="check folders of images instead",
    )
    add(
        "--lq",
        type=Path,
        metavar="FOLDER",
        help="with one --input: the low-quality images of its pairs",
    )
    add(
        "--scale",
        type=int_range(1, 8),
        default=4,
        help="how much larger than those of --lq the images of --input are",
    )
    add(
        "--min_size",
        type=int_range(1),
        default=1,
        help="with --input: the shorter side that an image must have, in pixels",
    )
    add(
        "--check",
        action="store_true",
        help="decode every image, which also finds damage behind the header",
    )
    add("overrides", nargs="*", metavar="a.b=c", help="override an option of the file")
    args = parser.parse(argv)
    one_source = bool(args.yml_path) != bool(args.input)
    overrides_without_file = args.overrides and not args.yml_path
    lq_without_folder = args.lq and len(args.input or []) != 1
    if not one_source or overrides_without_file or lq_without_folder:
        parser.error(
            "--yml_path FILE is needed, with or without a.b=c, or --input FOLDER; --lq "
            "goes with one --input"
        )
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if there is anything to list."""
    args = parse_flags(argv)
    if args.input:
        report = check_folders(
            args.input, args.lq, args.scale, args.min_size, decode=args.check
        )
        following = after_check(args.input, args.lq, args.scale)
    else:
        cfg, _ = load_training(args.yml_path, args.overrides)
        report = check_run(cfg, *open_datasets(cfg), decode=args.check)
        following = next_line(
            "option file", file=args.yml_path, overrides=args.overrides
        )

    findings = [*report.problems, *report.small]
    say(f"{report.count} image files checked; {len(findings)} findings")
    if not report.problems:
        print_next(following)
    return report_failures(findings)


if __name__ == "__main__":
    run(main)
