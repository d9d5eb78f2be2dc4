"""Make a network for your own footage in one go, and tell whether it is better.

    tune match1.mp4 match2.mp4 --lq stream.mp4 --minutes 15

The first are sharp videos of what stream.mp4 shows poorly. It makes a training set,
solves for the degradation, trains, judges and exports, all into one folder. What was
stopped goes on when it is typed again.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.tune import tune
from realesrgan_paddle.utils.cli import float_range, parse_flags, run, say, setting
from realesrgan_paddle.utils.machine.devices import require_paddle
from realesrgan_paddle.utils.next_steps import print_next


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: list[str] = setting(
        [],
        "sharp videos, or one folder of sharp images, to learn from; none: generic "
        "pictures, degraded as --lq is",
        takes_words=True,
        metavar="GOOD",
    )
    lq: Path | None = setting(
        None,
        "videos or images as poor as those to be restored; without, a mild degradation "
        "is assumed",
        metavar="POOR",
    )
    minutes: float = setting(
        15.0, "how long all of it may take, the export included", float_range(2)
    )
    output: Path | None = setting(
        None, "folder for everything (default: tuned/NAME, after the first input)"
    )
    network: str | None = setting(
        None, "released network or weight file to start from", metavar="NAME"
    )

    def __post_init__(self) -> None:
        """Refuse a command that names nothing."""
        if not self.input and self.lq is None:
            raise argparse.ArgumentTypeError(
                "the following arguments are required: --input, sharp videos or images to "
                "learn from, or --lq, poor ones"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if some footage could not be used."""
    started = time.monotonic()
    flags = parse_flags(Flags, __doc__, argv)
    require_paddle()
    made = tune(
        flags.input,
        lq=flags.lq,
        minutes=flags.minutes,
        output=flags.output,
        network=flags.network,
        started=started,
    )
    for line in made.summary():
        say(line)
    print_next(made.next())
    return int(made.failed)


if __name__ == "__main__":
    run(main)
