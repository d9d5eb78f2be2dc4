"""Write the key frames of videos as PNG files, named after the video and the time in seconds."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.keyframes import extract_key_frames, find_videos
from realesrgan_paddle.utils.cli import Parser, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed."""
    parser = Parser(__doc__)
    parser.add_argument("--input", nargs="+", required=True, help="videos, and folders of videos")
    parser.add_argument("--output", required=True, help="folder for the key frames; what is there is left alone")
    args = parser.parse(argv)
    done = extract_key_frames(find_videos(args.input), Path(args.output))
    there = f" ({done.present} of them there before)" if done.present else ""
    frames = done.written + done.present
    print(f"{args.output}: {frames} key frames{there} of {done.videos} videos; {len(done.failures)} videos failed")
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
