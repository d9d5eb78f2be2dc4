"""Plot the curves of training runs as a PNG: losses, validation, speed."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals.early import end_at_once

    end_at_once()

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_weights
from realesrgan_paddle.loss.titles import LOSS_TITLES, REFERENCE_LEVELS
from realesrgan_paddle.utils.cli import Parser, run, say
from realesrgan_paddle.utils.next_steps import print_next
from realesrgan_paddle.utils.runlog.curves import plot_runs


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--input",
        required=True,
        nargs="+",
        metavar="RUN",
        help="folder of a run, experiments/NAME; several are plotted together",
    )
    parser.add_argument("--output", default="curves.png", help="the PNG to write")
    args = parser.parse(argv)
    count = plot_runs(args.input, args.output, LOSS_TITLES, REFERENCE_LEVELS)
    say(f"{args.output}: {count} panels")
    latest = Path(args.input[0], "models/net_g_latest.pdparams")
    if len(args.input) == 1 and latest.is_file():
        print_next(after_weights(latest))
    return 0


if __name__ == "__main__":
    run(main)
