"""Cut clips of consecutive frames out of videos, to train RecurrentSRVGG on.

For example:

    clips match1.mp4 match2.mp4 --output datasets/Clips
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()  # before numpy is imported

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.data.footage.clips import ClipSettings, extract_clips
from realesrgan_paddle.data.footage.keyframes import find_videos
from realesrgan_paddle.utils.cli import float_range, parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import next_line, print_next


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of this command."""

    input: list[str] = setting(..., "videos and folders of videos", takes_words=True)
    output: Path = setting(..., "folder; existing files stay")
    max_gigabytes: float = setting(500.0, "stop after this", float_range(0))
    settings: ClipSettings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed."""
    flags = parse_flags(Flags, __doc__, argv)
    done = extract_clips(
        find_videos(flags.input),
        flags.output,
        flags.settings,
        max_gigabytes=flags.max_gigabytes,
    )
    say(done.line(flags.output, flags.settings))
    if done.clips:
        print_next(next_line("clips", folder=flags.output))
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
