"""Command lines: flags that dataclasses declare, one-line errors, exit codes."""

import argparse
import dataclasses
import io
import math
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar, cast

from realesrgan_paddle.utils.colors import emphasized
from realesrgan_paddle.utils.errors import (
    UserError,
    error_line,
    failed_allocation,
    lacks_memory,
    printable,
)
from realesrgan_paddle.utils.parser import HELP_ALL, Parser
from realesrgan_paddle.utils.signals import (
    end_with_command,
    exit_in_callback,
    hangup_signals,
    ignore_signals,
    leave_terminal,
)

Group = TypeVar("Group")

LARGEST_INT = 2**63 - 1
"""Of a flag: NumPy and Paddle count in 64 bits."""


def named_value(text: str) -> tuple[str, str]:
    """Return (NAME, VALUE) of "NAME=VALUE", for argparse."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=MODEL, such as finetuned=infer"
        )
    return name, value


def int_range(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the `type` of a flag that takes an integer >= `least` and <= `most`."""
    allowed = f"of at least {least}" if most is None else f"from {least} to {most}"

    def parse(text: str) -> int:
        """Return the integer in `text`."""
        digits = text.removeprefix("-")
        is_integer = digits.isdecimal() and len(digits) <= len(str(LARGEST_INT))
        upper = LARGEST_INT if most is None else most
        if not (is_integer and least <= int(text) <= upper):
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r} is not a whole number {allowed}"
            )
        return int(text)

    return parse


def float_range(least: float, most: float = math.inf) -> Callable[[str], float]:
    """Return the `type` of a flag that takes a finite number from `least` to `most`."""
    allowed = f"of at least {least:g}"
    if most != math.inf:
        allowed = f"from {least:g} to {most:g}"

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


def setting(
    default: Any,
    text: str,
    kind: Callable[[str], Any] | None = None,
    *,
    also: Sequence[str] = (),
    positional: bool = False,
    takes_words: bool = False,
    rare: bool = False,
    heading: str = "",
    choices: Iterable[str] | None = None,
    nargs: int | str | None = None,
    metavar: str | None = None,
    action: str | None = None,
) -> Any:
    """Return a dataclass field that `Parser.add_group` turns into a flag.

    Args:
        default: the flag's default; `...` (Ellipsis): the flag must be given.
        text: the flag's help.
        kind: the flag's `type`, where the field's does not say it.
        also: other spellings, as `-dn` for `--denoise_strength`.
        positional: it is no flag, but takes the words without one.
        takes_words: words without a flag are its values, too.
        rare: few people need it; `--help all` shows it.
        heading: in the help, of this flag and those that follow; "": the present one.
        choices: see `argparse`, as the others.
        nargs: of a list; one or more if not given.
        metavar: what the help calls the value.
        action: such as "extend".
    """
    given = {
        "help": text,
        "type": kind,
        "choices": choices,
        "nargs": nargs,
        "metavar": metavar,
        "action": action,
    }
    arguments = {name: value for name, value in given.items() if value is not None}
    metadata = {
        "arguments": arguments,
        "also": also,
        "positional": positional,
        "takes_words": takes_words,
        "rare": rare,
        "heading": heading,
    }
    if default is ...:
        return dataclasses.field(kw_only=True, metadata=metadata)
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def group_of(args: object, group: type[Group]) -> Group:
    """Return an instance of a dataclass with the values of the flags of `add_group`."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(group):  # type: ignore
        if dataclasses.is_dataclass(field.type):
            values[field.name] = group_of(args, cast(type, field.type))
        else:
            values[field.name] = getattr(args, field.name)
    return group(**values)


def parse_flags(
    group: type[Group], description: str | None, argv: Sequence[str] | None
) -> Group:
    """Return the flags of a command, declared by a dataclass; exit with 2 on an error.

    Args:
        group: see `Parser.add_group`. Its `__post_init__` may refuse flags that do not
            go together, with an `argparse.ArgumentTypeError`.
        description: of the command: its module's docstring.
        argv: the words; None: `sys.argv`.
    """
    words = tuple(sys.argv[1:] if argv is None else argv)
    wants_all = words == HELP_ALL
    parser = Parser(description or "", shows_all=wants_all)
    parser.add_group(group)
    args = parser.parse(words[:1] if wants_all else words)
    try:
        return group_of(args, group)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))


def say(line: str) -> None:
    """Print a line of a summary; a file's name in it cannot make it two."""
    sys.stdout.write(f"{emphasized(printable(line), sys.stdout)}\n")


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command's `main` and exit with the code it returns.

    A `UserError`, a file that cannot be read or written, or a lack of memory becomes
    one line on stderr and exit code 1. Ctrl-C becomes 130, SIGTERM 143 and SIGHUP (a
    closed terminal) 129, after temporary files are removed. Any other exception is a bug
    and shows its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Such as a Chinese name on a terminal that knows ASCII only.
            stream.reconfigure(errors="backslashreplace")
    _handle_signals()
    end_with_command()
    try:
        code = main()
    except UserError as error:
        code = _fail(str(error), 1)
    except Exception as error:
        if lacks_memory(error):
            message = (
                f"out of memory{failed_allocation(error)}; "
                "a smaller gt_size, batch_size_per_gpu or --tile takes less"
            )
        elif isinstance(error, OSError):
            name = f"{error.filename}: " if error.filename else ""
            message = f"{name}{error.strerror or error}"
        else:
            raise
        code = _fail(message, 1)
    except KeyboardInterrupt:
        code = _fail("interrupted", 130)
    finally:
        ignore_signals()
    sys.exit(code)


def _handle_signals() -> None:
    """Let signals raise, so that temporary files are removed on the way out."""

    def terminate(*_: object) -> NoReturn:
        """Exit as shells say that SIGTERM has ended a process."""
        sys.exit(_fail("terminated", 143))

    def hang_up(*_: object) -> NoReturn:
        """Exit as shells say that SIGHUP has ended a process."""
        leave_terminal()
        sys.exit(_fail("hung up", 129))

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    for number in hangup_signals():
        signal.signal(number, hang_up)
    sys.unraisablehook = exit_in_callback


def _fail(message: str, code: int) -> int:
    line = emphasized(f"error: {error_line(message)}", sys.stderr)
    sys.stderr.write(f"{line}\n")
    return code
