"""List the released networks: scale, size, license, and where each can be had from here."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass

from realesrgan_paddle.commands.models import released_networks
from realesrgan_paddle.utils.cli import parse_flags, run, say
from realesrgan_paddle.utils.next_steps import YOUR_FILES, command_line, print_next


@dataclass(frozen=True)
class Flags:
    """This command has none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parse_flags(Flags, __doc__, argv)
    for line in released_networks():
        say(line)
    print_next(command_line("tools/upscale.py", YOUR_FILES))
    return 0


if __name__ == "__main__":
    run(main)
