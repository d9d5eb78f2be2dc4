"""Show what this machine has for the project, what is missing, and what to install.

Put what it prints into a report of a bug. It writes and sends nothing.
"""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from collections.abc import Sequence
from dataclasses import dataclass

from realesrgan_paddle.commands.doctor import examine
from realesrgan_paddle.utils.cli import parse_flags, run, say
from realesrgan_paddle.utils.next_steps import YOUR_FILES, command_line, print_next


@dataclass(frozen=True)
class Flags:
    """This command has none."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if something needed is missing."""
    parse_flags(Flags, __doc__, argv)
    is_whole = True
    for name, state in examine():
        say(f"{name + ':':<19} {state}")
        is_whole &= not state.startswith("MISSING")

    if not is_whole:
        return 1
    print_next(command_line("tools/upscale.py", YOUR_FILES))
    return 0


if __name__ == "__main__":
    run(main)
