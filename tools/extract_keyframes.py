"""Write the key frames of videos that are worth training on as PNG files named after the video and the time."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.footage.keyframes import (
    FrameSet,
    Settings,
    extract_key_frames,
    find_videos,
)
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.split import SplitOptions
from realesrgan_paddle.utils.cli import Parser, float_range, group_of, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--input", nargs="+", required=True, help="videos, and folders of videos"
    )
    parser.add_argument(
        "--output",
        required=True,
        type=Path,
        help="folder for the frames; what is there is left alone",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        help="folder for a page that shows all frames; none: OUTPUT_sheet",
    )
    parser.add_argument(
        "--max_gigabytes", type=float_range(0), default=500.0, help="the most to write"
    )
    for group in (Sampling, Selection, SplitOptions):
        parser.add_group(group)
    args = parser.parse(argv)
    settings = Settings(
        group_of(args, Sampling),
        group_of(args, Selection),
        group_of(args, SplitOptions),
    )
    output = args.output
    sheet = args.sheet or output.absolute().with_name(f"{output.absolute().name}_sheet")
    done = extract_key_frames(
        find_videos(args.input),
        output,
        settings,
        sheet=sheet,
        max_gigabytes=args.max_gigabytes,
    )
    _print(done, output, settings)
    return report_failures(done.failures)


def _print(done: FrameSet, output: Path, settings: Settings) -> None:
    kind = "key frames" if settings.sampling.select == "keyframe" else "frames"
    there = f" ({done.present} of them there before)" if done.present else ""
    frames = f"{done.written + done.present} {kind}{there}"
    print(
        f"{output}: {frames} of {done.videos} videos; {len(done.failures)} videos failed"
    )
    if settings.split.val_share:
        print(f"for validation: {done.val}")
    for reason, count in done.dropped.most_common():
        print(f"dropped: {count} {reason}")
    if done.sheet:
        print(f"look at them: {done.sheet}")


if __name__ == "__main__":
    run(main)
