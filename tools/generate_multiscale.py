"""Downscale images to 0.75, 0.5 and 1/3 of their size, and to a shortest edge of 400."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_multiscale
from realesrgan_paddle.data.sets.made_folders import MANIFEST
from realesrgan_paddle.data.sets.multiscale import generate_multiscale
from realesrgan_paddle.utils.cli import Parser, int_range, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    parser = Parser(__doc__)
    flag = parser.add_argument
    flag("--input", required=True, type=Path, help="folder of images")
    flag("--output", required=True, type=Path, help="folder; existing files stay")
    flag(
        "--manifest",
        type=Path,
        help="of extract_keyframes.py: write one with logos and scoreboards to OUTPUT",
    )
    threads = int_range(1)
    flag("--n_thread", type=threads, help="images at a time; without it: one per CPU")
    args = parser.parse(argv)

    count, failures = generate_multiscale(
        args.input, args.output, manifest=args.manifest, threads=args.n_thread
    )
    say(f"{args.output}: {count} smaller versions; {len(failures)} images failed")
    if count:
        manifest = args.output / MANIFEST if args.manifest else None
        print_next(after_multiscale(args.input, args.output, manifest))
    return report_failures(failures)


if __name__ == "__main__":
    run(main)
