"""What all command lines share: one spelling rule for flags, one-line errors, exit codes."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from realesrgan_paddle.utils.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """An argument parser for which `--model-path` and `--model_path` are the same flag.

    Flags are declared with underscores. Abbreviations are not accepted; an unknown flag is an error
    that suggests the nearest known one.
    """

    def __init__(self, description: str) -> None:
        super().__init__(
            description=description, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed `argv` (the process's own arguments for None); exit with 2 on a usage error."""
        given = [_underscored(word) for word in (sys.argv[1:] if argv is None else argv)]
        args, unknown = self.parse_known_args(given)
        if unknown:
            flags = [option for action in self._actions for option in action.option_strings]
            self.error(f"unknown argument {unknown[0]!r}{did_you_mean(unknown[0], flags)}")
        return args

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def _underscored(word: str) -> str:
    """Return a flag with the dashes inside its name turned into underscores; other words unchanged."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command's `main` and exit with the code it returns.

    A `UserError`, or a file that cannot be read or written, becomes one line on stderr and exit
    code 1; Ctrl-C becomes 130. Anything else is a bug and shows its traceback.
    """
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(_fail(str(error), 1))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        sys.exit(_fail(f"{name}{error.strerror or error}", 1))
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", 130))


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code
