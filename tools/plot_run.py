"""Plot the curves of training runs as a PNG: losses, validation, speed."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.loss.titles import LOSS_TITLES, REFERENCE_LEVELS
from realesrgan_paddle.metrics.table import CURVE_TITLES
from realesrgan_paddle.utils.cli import parse_flags, run, say, setting
from realesrgan_paddle.utils.next_steps import print_next
from realesrgan_paddle.utils.runlog.curves import plot_runs


@dataclass(frozen=True)
class Flags:
    """The flags of this command."""

    input: list[str] = setting(
        ...,
        "folder of a run, experiments/NAME; several are plotted together",
        metavar="RUN",
        takes_words=True,
    )
    output: str = setting("curves.png", "the PNG to write")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    flags = parse_flags(Flags, __doc__, argv)
    titles = {**LOSS_TITLES, **CURVE_TITLES}
    count = plot_runs(flags.input, flags.output, titles, REFERENCE_LEVELS)
    say(f"{flags.output}: {count} panels")

    latest = Path(flags.input[0], "models/net_g_latest.pdparams")
    if len(flags.input) == 1 and latest.is_file():
        print_next(after_weights(latest))
    return 0


if __name__ == "__main__":
    run(main)
