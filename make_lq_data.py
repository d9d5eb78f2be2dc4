"""Write a low-quality PNG for each image of a folder, by the very degradation that training uses.

Draws are keyed by the seed and by each file's name: the same file is always degraded the same way.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.utils.atomic import check_target
from realesrgan_paddle.utils.cli import Parser, run, whole
from realesrgan_paddle.utils.cpu import start_paddle
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--yml_path", required=True, metavar="FILE", help="options/generate_lq_data.yml or a training's"
    )
    parser.add_argument("--save_dir", type=Path, metavar="DIR", help="folder for the low-quality images")
    parser.add_argument(
        "--preview", type=Path, metavar="FILE.png", help="write a sheet of some images beside what becomes of them"
    )
    parser.add_argument("--input", metavar="DIR", help="take all images of this folder, not those the options name")
    parser.add_argument("--seed", type=whole(0), help="seed of all draws, in place of manual_seed")
    parser.add_argument("--overwrite", action="store_true", help="make those again that are there already")
    parser.add_argument("--meta_info", type=Path, metavar="FILE", help='also write the pairs, one "gt, lq" a line')
    parser.add_argument("overrides", nargs="*", metavar="a.b=c", help="option that replaces the file's")
    args = parser.parse(argv)
    if args.save_dir is None and (args.preview is None or args.meta_info):
        parser.error("--save_dir DIR: where the low-quality images are to be; only --preview goes without")
    if args.meta_info:
        check_target(args.meta_info)
    start_paddle()
    # Imported here: it loads Paddle, which `start_paddle` must do first.
    from realesrgan_paddle.data.lq import read_lq_options, write_lq_folder, write_pairs
    from realesrgan_paddle.data.preview import write_preview

    seed = [] if args.seed is None else [f"manual_seed={args.seed}"]
    options = read_lq_options(args.yml_path, [*args.overrides, *seed])
    for key, reason in options.ignored.items():
        sys.stderr.write(f"option {key} is ignored: {reason}\n")
    if args.input is not None:
        options = options.model_copy(update={"dataroot_gt": args.input, "meta_info": None})
    if args.preview:
        sys.stdout.write(f"{args.preview}: {write_preview(options, args.preview)} images and what becomes of them\n")
    if args.save_dir is None:
        return 0
    done = write_lq_folder(options, args.save_dir, overwrite=args.overwrite)
    if args.meta_info:
        write_pairs(done.pairs, args.meta_info)
    there = f", {done.skipped} of them there before (--overwrite makes them again)" if done.skipped else ""
    sys.stdout.write(f"{args.save_dir}: {len(done.pairs)} low-quality images{there}; {len(done.failures)} failed\n")
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
