"""Extract the frames of videos that are worth training on as PNG files.

For example:

    frames match1.mp4 match2.mp4 --output datasets/Frames
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

    from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

    use_one_blas_thread()  # before numpy is imported

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_frames
from realesrgan_paddle.data.footage import keyframes
from realesrgan_paddle.utils.cli import float_range, parse_flags, run, say, setting
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of this command."""

    input: list[str] = setting(..., "videos and folders of videos", takes_words=True)
    output: Path = setting(..., "folder; existing files stay")
    sheet: Path | None = setting(
        None, "folder of the overview; without it: OUTPUT_sheet"
    )
    max_gigabytes: float = setting(500.0, "stop after this", float_range(0))
    settings: keyframes.Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if a video failed, or no frame is there."""
    flags = parse_flags(Flags, __doc__, argv)
    videos = keyframes.find_videos(flags.input)
    sheet = flags.sheet or Path(f"{flags.output.absolute()}_sheet")

    done = keyframes.extract_key_frames(
        videos,
        flags.output,
        flags.settings,
        sheet=sheet,
        max_gigabytes=flags.max_gigabytes,
    )
    for line in done.lines(flags.output, flags.settings):
        say(line)
    if done.written + done.present:
        print_next(after_frames(flags.output))
    elif not done.failures:
        raise done.all_dropped(flags.output, flags.input[0])
    return report_failures(done.failures)


if __name__ == "__main__":
    run(main)
