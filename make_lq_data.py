"""Write a low-quality PNG for each image of a folder, with the degradation of training.

All random values depend on the seed and on the file's name: the same file is always
degraded in the same way.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realesrgan_paddle.commands.what_follows import after_pairs
from realesrgan_paddle.utils.atomic import check_target
from realesrgan_paddle.utils.cli import Parser, int_range, run, say
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.cpu import start_paddle
from realesrgan_paddle.utils.next_steps import next_line, print_next

DEFAULTS = Path(__file__).parent / "options" / "generate_lq_data.yml"
"""Option file without --yml_path: its degradation is what --write compares with."""

if TYPE_CHECKING:
    from realesrgan_paddle.options.schema.degradation import LQConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    args = _arguments(argv)
    for path in (args.meta_info, args.fit_report, args.write):
        if path is not None:
            check_target(path)

    # Everything that loads Paddle is imported after this, here and below.
    start_paddle()
    options = _read_options(args)

    failures: list[str] = []
    if args.preview:
        _preview(options, args.preview)
    if args.write:
        failures += _solve(options, args.fit, args.write, args.fit_report)
    elif args.fit:
        failures += _compare(options, args.fit, args.fit_report)
    if args.save_dir:
        failures += _write(options, args.save_dir, args.meta_info, args.overwrite)

    print_next(_what_follows(args, options))
    distinct = list(dict.fromkeys(failures))  # --fit and --save_dir may name the same
    return report_failures(distinct)


def _read_options(args: argparse.Namespace) -> "LQConfig":
    """Return the options of the yml file, with those that flags replace."""
    from realesrgan_paddle.data.lq.folder import read_lq_options

    overrides = list(args.overrides)
    if args.seed is not None:
        overrides.append(f"manual_seed={args.seed}")
    options = read_lq_options(args.yml_path or DEFAULTS, overrides)
    for key, reason in options.ignored.items():
        sys.stderr.write(f"option {printable(key)} is ignored: {reason}\n")

    root = args.input or args.hr
    if root is None:
        return options
    return options.model_copy(update={"dataroot_gt": root, "meta_info": None})


def _preview(options: "LQConfig", sheet: Path) -> None:
    """Write the sheet of --preview."""
    from realesrgan_paddle.data.lq.preview import write_preview

    count = write_preview(options, sheet)
    say(f"{sheet}: {count} images before and after degradation")


def _compare(options: "LQConfig", real: Path, plot: Path | None) -> Sequence[str]:
    """Print the comparison of --fit; return a line for each unreadable image."""
    from realesrgan_paddle.data.lq.fit import fit
    from realesrgan_paddle.data.lq.fit_plot import check_plotting, write_plot

    if plot is not None:
        check_plotting()
    found = fit(options, real)
    sys.stdout.write(f"{found}\n")
    if plot is not None:
        write_plot(found, plot)
    return found.failures


def _solve(
    options: "LQConfig", real: Path, path: Path, sheet: Path | None
) -> Sequence[str]:
    """Write the option file of --write and its sheet; return unreadable images."""
    from realesrgan_paddle.data.lq.option_file import write_options, write_sheet
    from realesrgan_paddle.data.lq.solve import solve_for

    solved = solve_for(options, real)
    sys.stdout.write(f"{solved}\n")
    write_options(solved, options, real, path)
    sheet = sheet or path.with_suffix(".png")
    write_sheet(solved, sheet)
    say(f"{path}: the degradation; {sheet}: real windows beside synthetic ones")
    return solved.failures


def _write(
    options: "LQConfig", save_dir: Path, meta_info: Path | None, overwrite: bool
) -> Sequence[str]:
    """Write the low-quality images; return a line for each that failed."""
    from realesrgan_paddle.data.lq.folder import write_lq_folder, write_pairs

    done = write_lq_folder(options, save_dir, overwrite=overwrite)
    if meta_info is not None:
        write_pairs(done.pairs, meta_info)

    count = f"{len(done.pairs)} low-quality images"
    if done.skipped:
        count += f", {done.skipped} of them existed before (--overwrite replaces them)"
    say(f"{save_dir}: {count}; {len(done.failures)} failed")
    return done.failures


def _what_follows(args: argparse.Namespace, options: "LQConfig") -> str:
    """Return the command that trains on the pairs, or writes what was only looked at."""
    if args.write:
        return next_line("option file", file=args.write)
    listed = options.meta_info is not None and args.meta_info is None
    if args.save_dir and not listed:
        gt = Path(options.dataroot_gt)
        return after_pairs(gt, args.save_dir, args.meta_info, options.scale)

    save_dir = args.save_dir or Path("LQ")
    meta_info = None
    if options.meta_info is not None:  # which are the pairs is not seen in the folders
        meta_info = args.meta_info or Path(f"{save_dir}_pairs.txt")
    return next_line(
        "preview of pairs",
        yml_path=args.yml_path,
        save_dir=save_dir,
        meta_info=meta_info,
        input=args.input,
        seed=args.seed,
        overrides=args.overrides,
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    args = parser.parse(argv)
    if args.write and not args.fit:
        parser.error("--write FILE.yml writes what --fit REAL finds; give both")
    if args.write and args.save_dir:
        parser.error(
            "--write comes first; then degrade with what it wrote: --yml_path FILE.yml "
            "--save_dir DIR"
        )
    if args.hr and not args.write:
        parser.error("--hr goes with --fit and --write; otherwise: --input")
    if args.yml_path is None and not (args.write and args.hr):
        parser.error(
            "--yml_path FILE is needed; only --fit REAL --hr HR --write FILE.yml works "
            "without it"
        )
    only_looks = (args.preview or args.fit) and not args.meta_info
    if args.save_dir is None and not only_looks:
        parser.error(
            "--save_dir DIR, the folder for the low-quality images, is needed; "
            "only --preview and --fit work without it"
        )
    if args.fit_report and not args.fit:
        parser.error("--fit_report FILE.png plots the comparison of --fit; give both")
    return args


def _parser() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--yml_path",
        metavar="FILE",
        help="options/generate_lq_data.yml, or the option file of a training",
    )
    parser.add_argument(
        "--save_dir", type=Path, metavar="DIR", help="folder for the low-quality images"
    )
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="FILE.png",
        help="write a sheet of some images before and after degradation",
    )
    _add_fit_flags(parser)
    parser.add_argument(
        "--input",
        metavar="DIR",
        help="degrade all images in DIR instead of those the options name",
    )
    parser.add_argument(
        "--seed", type=int_range(0), help="seed of all draws, instead of manual_seed"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace low-quality images that exist",
    )
    parser.add_argument(
        "--meta_info",
        type=Path,
        metavar="FILE",
        help='also write the pairs to FILE, one line "gt, lq" each',
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="a.b=c",
        help="option that replaces the file's",
    )
    return parser


def _add_fit_flags(parser: Parser) -> None:
    """Add the flags that look at real low-quality images."""
    parser.add_argument(
        "--fit",
        type=Path,
        metavar="REAL",
        help="compare the degraded images with real low-quality images: a folder; with "
        "--write also an image, a video or a folder of videos",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE.yml",
        help="search the degradation that makes --hr look like --fit, and write it as "
        "an option file for train.py and make_lq_data.py",
    )
    parser.add_argument(
        "--hr",
        metavar="HR",
        help="with --write: the ground truth; by default that of --yml_path",
    )
    parser.add_argument(
        "--fit_report",
        type=Path,
        metavar="FILE.png",
        help="plot the comparison of --fit; with --write, the sheet of real windows "
        "beside synthetic ones",
    )


if __name__ == "__main__":
    run(main)
