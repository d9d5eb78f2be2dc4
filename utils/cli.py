"""What all command lines share: one spelling rule for flags, one-line errors, exit codes."""

import argparse
import dataclasses
import itertools
import math
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

from realesrgan_paddle.utils.errors import UserError, did_you_mean, one_line

Group = TypeVar("Group")


class Parser(argparse.ArgumentParser):
    """An argument parser for which `--model-path` and `--model_path` are the same flag.

    Flags are declared with underscores. Abbreviations are not accepted; an unknown flag
    is an error that suggests the nearest known one. Positional arguments may stand
    between flags.
    """

    def __init__(self, description: str) -> None:
        super().__init__(
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed `argv` (the process's own arguments for None); exit with 2 on a usage error."""
        given = [
            _underscored(word) for word in (sys.argv[1:] if argv is None else argv)
        ]
        # Before argparse, which would complain of the required flag that a misspelt one
        # leaves out.
        for word in itertools.takewhile(lambda word: word != "--", given):
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in self._option_string_actions:
                self.error(
                    f"unknown flag {flag!r}{did_you_mean(flag, self._option_string_actions)}"
                )
        return self.parse_intermixed_args(given)

    def add_group(self, group: type) -> None:
        """Add a flag for each field of a dataclass whose fields are made by `setting`."""
        for field in dataclasses.fields(group):
            given: dict[str, Any] = {
                "default": field.default,
                "help": field.metadata["help"],
            }
            if get_origin(field.type) is Literal:
                given["choices"] = get_args(field.type)
            elif field.type is bool:
                given["action"] = "store_true"
            else:
                given["type"] = field.metadata["type"]
            self.add_argument(f"--{field.name}", **given)

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def _underscored(word: str) -> str:
    """Return a flag with the dashes inside its name turned into underscores; other words unchanged."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value


def int_range(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the `type` of a flag that takes a whole number from `least` on, up to `most` if given."""
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        """Return the number in `text`."""
        if (
            not text.removeprefix("-").isdecimal()
            or int(text) < least
            or (most is not None and int(text) > most)
        ):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number {allowed}"
            )
        return int(text)

    return parse


def float_range(least: float, most: float = math.inf) -> Callable[[str], float]:
    """Return the `type` of a flag that takes a number from `least` to `most`."""
    allowed = (
        f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
    )

    def parse(text: str) -> float:
        """Return the number in `text`."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {allowed}")
        return value

    return parse


def setting(default: Any, text: str, kind: Callable[[str], Any] | None = None) -> Any:
    """Return the field of a dataclass that `Parser.add_group` makes a flag of; `kind` parses what is no choice."""
    return dataclasses.field(default=default, metadata={"help": text, "type": kind})


def group_of(args: argparse.Namespace, group: type[Group]) -> Group:
    """Return the dataclass whose flags `Parser.add_group` added."""
    return group(
        **{field.name: getattr(args, field.name) for field in dataclasses.fields(group)}
    )  # type: ignore


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command's `main` and exit with the code it returns.

    A `UserError`, a file that cannot be read or written, or memory that does not
    suffice becomes one line on stderr and exit code 1; Ctrl-C becomes 130 and SIGTERM
    143, after what was begun is cleared away. Anything else is a bug and shows its
    traceback.
    """
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(_fail("terminated", 143))
    )
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(_fail(str(error), 1))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        sys.exit(_fail(f"{name}{error.strerror or error}", 1))
    except MemoryError as error:  # Paddle's messages are a page long
        asked = next(
            (
                f" ({line.strip()})"
                for line in str(error).splitlines()
                if "alloc" in line
            ),
            "",
        )
        sys.exit(
            _fail(
                f"out of memory{asked}; a smaller gt_size, batch_size_per_gpu or --tile takes less",
                1,
            )
        )
    except KeyboardInterrupt:
        sys.exit(_fail("interrupted", 130))


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {one_line(message)}\n")
    return code
