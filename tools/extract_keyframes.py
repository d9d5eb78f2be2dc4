"""Write frames of videos, by default the key frames, as PNG files named after the video and the time in seconds."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.keyframes import extract_key_frames, find_videos
from realesrgan_paddle.data.sampling import Sampling
from realesrgan_paddle.utils.cli import Parser, group_of, run
from realesrgan_paddle.utils.jobs import report_failures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed."""
    parser = Parser(__doc__)
    parser.add_argument("--input", nargs="+", required=True, help="videos, and folders of videos")
    parser.add_argument("--output", required=True, help="folder for the frames; what is there is left alone")
    parser.add_group(Sampling)
    args = parser.parse(argv)
    done = extract_key_frames(find_videos(args.input), Path(args.output), group_of(args, Sampling))
    kind = "key frames" if args.select == "keyframe" else "frames"
    there = f" ({done.present} of them there before)" if done.present else ""
    skipped = f" ({done.interlaced} interlaced and skipped)" if done.interlaced else ""
    counts = f"{done.written + done.present} {kind}{there} of {done.videos} videos{skipped}"
    print(f"{args.output}: {counts}; {len(done.failures)} videos failed")
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
