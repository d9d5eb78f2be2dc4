"""Compare networks side by side, on images or a video: metrics, a sheet, an HTML page.

For example:

    compare stills --models released=x4plus mine=tuned/match --gt HR
    compare --video stream.mp4 --models mine=tuned/match --end 5
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence

from realesrgan_paddle.commands.compare_command import CompareFlags, compare_as_told
from realesrgan_paddle.utils.cli import parse_flags, run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(CompareFlags, __doc__, argv)
    print(compare_as_told(flags))
    return 0


if __name__ == "__main__":
    run(main)
