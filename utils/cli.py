"""What all command lines share: one spelling rule for flags, one-line errors, exit codes."""

import argparse
import itertools
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from realesrgan_paddle.utils.errors import UserError, did_you_mean, one_line


class Parser(argparse.ArgumentParser):
    """An argument parser for which `--model-path` and `--model_path` are the same flag.

    Flags are declared with underscores. Abbreviations are not accepted; an unknown flag is an error
    that suggests the nearest known one. Positional arguments may stand between flags.
    """

    def __init__(self, description: str) -> None:
        super().__init__(
            description=description, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed `argv` (the process's own arguments for None); exit with 2 on a usage error."""
        given = [_underscored(word) for word in (sys.argv[1:] if argv is None else argv)]
        # Before argparse, which would complain of the required flag that a misspelt one leaves out.
        for word in itertools.takewhile(lambda word: word != "--", given):
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in self._option_string_actions:
                self.error(f"unknown flag {flag!r}{did_you_mean(flag, self._option_string_actions)}")
        return self.parse_intermixed_args(given)

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def _underscored(word: str) -> str:
    """Return a flag with the dashes inside its name turned into underscores; other words unchanged."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the `type` of a flag that takes a whole number from `least` on, up to `most` if given."""
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        """Return the number in `text`."""
        if not text.removeprefix("-").isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {allowed}")
        return int(text)

    return parse


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command's `main` and exit with the code it returns.

    A `UserError`, a file that cannot be read or written, or memory that does not suffice becomes one
    line on stderr and exit code 1; Ctrl-C becomes 130 and SIGTERM 143, after what was begun is cleared away.
    Anything else is a bug and shows its traceback.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(_fail("terminated", 143)))
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(_fail(str(error), 1))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        sys.exit(_fail(f"{name}{error.strerror or error}", 1))
    except MemoryError as error:  # Paddle's messages are a page long
        asked = next((f" ({line.strip()})" for line in str(error).splitlines() if "alloc" in line), "")
        sys.exit(_fail(f"out of memory{asked}; a smaller gt_size, batch_size_per_gpu or --tile takes less", 1))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", 130))


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {one_line(message)}\n")
    return code
