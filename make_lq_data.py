"""Write a low-quality PNG for each image of a folder, by the very degradation that training uses.

Draws are keyed by the seed and by each file's name: the same file is always degraded
the same way.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.utils.atomic import check_target
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.cpu import start_paddle


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    args = _arguments(argv)
    for path in filter(None, (args.meta_info, args.fit_report)):
        check_target(path)
    start_paddle()
    # Imported here: they load Paddle, which `start_paddle` must do first.
    from realesrgan_paddle.data.lq.fit import fit
    from realesrgan_paddle.data.lq.fit_plot import check_plotting, write_plot
    from realesrgan_paddle.data.lq.folder import (
        read_lq_options,
        write_lq_folder,
        write_pairs,
    )
    from realesrgan_paddle.data.lq.preview import write_preview

    seed = [] if args.seed is None else [f"manual_seed={args.seed}"]
    options = read_lq_options(args.yml_path, [*args.overrides, *seed])
    for key, reason in options.ignored.items():
        sys.stderr.write(f"option {key} is ignored: {reason}\n")
    if args.input is not None:
        options = options.model_copy(
            update={"dataroot_gt": args.input, "meta_info": None}
        )
    failures: list[str] = []
    if args.preview:
        sys.stdout.write(
            f"{args.preview}: {write_preview(options, args.preview)} images and what becomes of them\n"
        )
    if args.fit:
        if args.fit_report:
            check_plotting()
        found = fit(options, args.fit)
        sys.stdout.write(f"{found}\n")
        failures += found.failures
        if args.fit_report:
            write_plot(found, args.fit_report)
    if args.save_dir:
        done = write_lq_folder(options, args.save_dir, overwrite=args.overwrite)
        if args.meta_info:
            write_pairs(done.pairs, args.meta_info)
        there = (
            f", {done.skipped} of them there before (--overwrite makes them again)"
            if done.skipped
            else ""
        )
        sys.stdout.write(
            f"{args.save_dir}: {len(done.pairs)} low-quality images{there}; {len(done.failures)} failed\n"
        )
        failures += done.failures
    return report_failures(dict.fromkeys(failures))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument(
        "--yml_path",
        required=True,
        metavar="FILE",
        help="options/generate_lq_data.yml or a training's",
    )
    parser.add_argument(
        "--save_dir", type=Path, metavar="DIR", help="folder for the low-quality images"
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="write a sheet of some images beside what becomes of them",
    )
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="DIR",
        help="compare what is made with the real low-quality images of this folder",
    )
    parser.add_argument(
        "--fit_report", type=Path, metavar="FILE.png", help="draw what --fit finds"
    )
    parser.add_argument(
        "--input",
        metavar="DIR",
        help="take all images of this folder, not those the options name",
    )
    parser.add_argument(
        "--seed", type=int_range(0), help="seed of all draws, in place of manual_seed"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="make those again that are there already",
    )
    parser.add_argument(
        "--meta_info",
        type=Path,
        metavar="FILE",
        help='also write the pairs, one "gt, lq" a line',
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="a.b=c", help="option that replaces the file's"
    )
    args = parser.parse(argv)
    if args.save_dir is None and (not (args.preview or args.fit) or args.meta_info):
        parser.error(
            "--save_dir DIR: where the low-quality images are to be; only --preview and --fit go without"
        )
    if args.fit_report and not args.fit:
        parser.error("--fit_report FILE.png draws what --fit DIR finds; give both")
    return args


if __name__ == "__main__":
    run(main)
