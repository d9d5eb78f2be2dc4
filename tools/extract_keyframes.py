"""Extract the frames of videos that are worth training on as PNG files."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

if __name__ == "__main__":  # before numpy is imported
    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_frames
from realesrgan_paddle.data.footage import keyframes
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.split import SplitOptions
from realesrgan_paddle.data.footage.video import Sampling
from realesrgan_paddle.utils.cli import Parser, float_range, group_of, run, say
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--input", nargs="+", required=True, help="videos and folders of videos")
    add("--output", required=True, type=Path, help="folder; existing files stay")
    add("--sheet", type=Path, help="folder of the overview; without it: OUTPUT_sheet")
    add("--max_gigabytes", type=float_range(0), default=500.0, help="stop after this")
    for group in (Sampling, Selection, SplitOptions):
        parser.add_group(group)
    args = parser.parse(argv)

    settings = keyframes.Settings(
        group_of(args, Sampling),
        group_of(args, Selection),
        group_of(args, SplitOptions),
    )
    videos = keyframes.find_videos(args.input)
    sheet = args.sheet or Path(f"{args.output.absolute()}_sheet")
    done = keyframes.extract_key_frames(
        videos, args.output, settings, sheet=sheet, max_gigabytes=args.max_gigabytes
    )
    for line in done.lines(args.output, settings):
        say(line)
    if done.written + done.present:
        print_next(after_frames(args.output))
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
