"""Measure networks and bicubic on benchmark sets: tables of metrics, and what each costs.

For example:

    evaluate --gt Set5 --degrade bicubic --models released=x4plus mine=tuned/match
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence

from realesrgan_paddle.commands.evaluate import EvaluateFlags, evaluate, what_follows
from realesrgan_paddle.utils.cli import parse_flags, run
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import print_next


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image was not measured."""
    flags = parse_flags(EvaluateFlags, __doc__, argv)
    found = evaluate(flags)
    print(found.text())
    print_next(what_follows(flags, found))
    return report_failures(found.failures)


if __name__ == "__main__":
    run(main)
