"""List every image that a training run could not use: unreadable, too small, or of a pair that does not fit.

Of a run, by its option file, or of folders. Only headers are read; --check decodes
everything.
"""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.run.file_checks import look_at_folders, look_at_run, open_images
from realesrgan_paddle.utils.cli import Parser, int_range, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if there is anything to list."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--yml_path",
        metavar="FILE",
        help="option file of a run: look at all that it reads",
    )
    parser.add_argument(
        "--input",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="or look at folders of images",
    )
    parser.add_argument(
        "--lq",
        type=Path,
        metavar="FOLDER",
        help="with one --input: low-quality images of its pairs",
    )
    parser.add_argument(
        "--scale",
        type=int_range(1, 8),
        default=4,
        help="how much larger than --lq the images of --input are",
    )
    parser.add_argument(
        "--min_size",
        type=int_range(1),
        default=1,
        help="with --input: the shorter side an image must have",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="decode every image, which finds damage inside a file",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="a.b=c", help="option that replaces the file's"
    )
    args = parser.parse(argv)
    folders = args.input or []
    if (
        bool(args.yml_path) == bool(folders)
        or (folders and args.overrides)
        or (args.lq and len(folders) != 1)
    ):
        parser.error(
            "--yml_path FILE is needed, with or without a.b=c, or --input FOLDER; --lq goes with one --input"
        )
    if folders:
        report = look_at_folders(
            folders,
            args.lq,
            scale=args.scale,
            min_size=args.min_size,
            decode=args.check,
        )
    else:
        cfg = load_config(args.yml_path, args.overrides)
        report = look_at_run(cfg, *open_images(cfg), decode=args.check)
    findings = [*report.problems, *report.small]
    print(f"{report.count} image files looked at; {len(findings)} findings")
    return report_failures(findings)


if __name__ == "__main__":
    run(main)
