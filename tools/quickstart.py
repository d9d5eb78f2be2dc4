"""Finetune the small network on one video and compare it with the released one.

Released weights, key frames, training images, finetuning, export, inference and a
before/after page: each step is a command of this project, printed as you would type it.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.quickstart import ITERATIONS, quickstart
from realesrgan_paddle.utils.cli import int_range, parse_flags, run, setting


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    video: Path | None = setting(
        None, "your footage; without it, ten seconds of street traffic"
    )
    output: Path = setting(Path("quickstart"), "folder to work in")
    iterations: int = setting(
        ITERATIONS, "training iterations; 300 take minutes on a CPU", int_range(1)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    print(quickstart(flags.video, flags.output, flags.iterations))
    return 0


if __name__ == "__main__":
    run(main)
