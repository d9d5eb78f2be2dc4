"""Command lines: one spelling rule for flags, one-line errors, exit codes.

Built on argparse and not on click or typer: flags spelled with dashes or underscores,
BasicSR's single-dash `-opt`, positionals between flags and one-line errors take a few
lines here, and would take as many there besides the dependency.
"""

import argparse
import dataclasses
import io
import math
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin

from realesrgan_paddle.utils.errors import (
    UserError,
    did_you_mean,
    error_line,
    failed_allocation,
    lacks_memory,
    printable,
)
from realesrgan_paddle.utils.signals import (
    end_with_parent,
    ending_at_once,
    exit_in_callback,
    hangup_signals,
    ignore_signals,
    leave_terminal,
)

Group = TypeVar("Group")

LARGEST_INT = 2**63 - 1
"""Of a flag: NumPy and Paddle count in 64 bits."""


WORDS = "words"
"""Where the parser keeps words without a flag, until the flag that takes them has them."""

HELP_ALL = ("--help", "all")
"""Words that print the help with the flags that few people need."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something, and a flag's value once for all its spellings."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default in (None, False, [], "")
        return action.help if says_nothing else super()._get_help_string(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        default = self._get_default_metavar_for_optional(action)
        value = self._format_args(action, default)
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """An argument parser for which `--model-path` and `--model_path` are the same flag.

    Flags are declared with underscores. Abbreviations are not accepted; an unknown flag
    is an error that suggests the nearest known one. Positional arguments may stand
    between flags.

    Args:
        description: of the command.
        shows_all: its help has the flags that few people need, too.
    """

    def __init__(self, description: str, *, shows_all: bool = True) -> None:
        super().__init__(
            description=description,
            allow_abbrev=False,
            formatter_class=HelpFormatter,
        )
        self._shows_all = shows_all
        self._taker: argparse.Action | None = None
        self._must_be_given = False

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed `argv` (None: `sys.argv`); exit with 2 on a usage error."""
        words = sys.argv[1:] if argv is None else argv
        words = [_with_underscores(word) for word in words]
        self._check_flags(words)
        with ending_at_once():  # argparse's own clean-up fails when it is interrupted
            args = self.parse_intermixed_args(words)
        if self._taker is not None:
            self._take_words(args, self._taker)
        return args

    def _take_words(self, args: argparse.Namespace, taker: argparse.Action) -> None:
        """Give the words without a flag to the flag that takes them; see `setting`."""
        words = getattr(args, WORDS)
        given = getattr(args, taker.dest)
        convert = cast(Callable[[str], Any], taker.type or str)
        if taker.nargs is not None:
            given = [*map(convert, words), *(given or [])] or given
        elif len(words) + (given is not None) > 1:
            self.error(f"one input is expected, not {len(words) + (given is not None)}")
        elif words:
            given = convert(words[0])

        if not given and self._must_be_given:
            self.error(
                f"the following arguments are required: {taker.option_strings[0]}"
            )
        setattr(args, taker.dest, given)

    def _check_flags(self, words: Sequence[str]) -> None:
        """Exit with 2 at the first unknown flag.

        argparse would first report the required flag that a misspelled one leaves out.
        """
        known = self._option_string_actions
        for word in words:
            if word == "--":
                return
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in known:
                self.error(f"unknown flag {flag!r}{did_you_mean(flag, known)}")

    def add_group(self, group: type) -> None:
        """Add a flag for each field of a dataclass whose fields `setting` made.

        A field that is itself such a dataclass stands for all flags of that one. By a
        field's type, bool is a switch, a Literal says what to choose from, Path converts,
        and a list takes one value or more; None besides these changes nothing.
        """
        for field in dataclasses.fields(group):
            if dataclasses.is_dataclass(field.type):
                self.add_group(cast(type, field.type))
                continue

            declared = field.metadata
            arguments = _arguments_by_type(field.type) | declared["arguments"]
            if field.default is not MISSING:
                arguments["default"] = field.default
            elif field.default_factory is not MISSING:
                arguments["default"] = field.default_factory()
            if declared["rare"] and not self._shows_all:
                arguments["help"] = argparse.SUPPRESS
                self.epilog = "More flags: --help all"
            if declared["positional"]:
                self.add_argument(field.name, **arguments)
                continue

            arguments["required"] = "default" not in arguments
            if declared["takes_words"]:
                self._must_be_given = arguments.pop("required")
                about = arguments.get("help")
                shown = arguments.get("metavar", field.name.upper())
                self.add_argument(WORDS, nargs="*", metavar=shown, help=about)
                arguments["help"] = "the same"
            action = self.add_argument(
                f"--{field.name}", *declared["also"], dest=field.name, **arguments
            )
            if declared["takes_words"]:
                self._taker = action

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line and exit with 2."""
        line = error_line(message)
        self.exit(2, f"{self.prog}: error: {line} (see --help)\n")


def _with_underscores(word: str) -> str:
    """Return `word`; in a flag's name, dashes become underscores."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value


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
    }
    if default is ...:
        return dataclasses.field(kw_only=True, metadata=metadata)
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _arguments_by_type(declared: Any) -> dict[str, Any]:
    """Return what a field's type says to `add_argument`; see `Parser.add_group`."""
    arguments: dict[str, Any] = {}
    if get_origin(declared) in (Union, UnionType):  # X | None
        declared = get_args(declared)[0]
    if get_origin(declared) is list:
        arguments["nargs"] = "+"
        declared = get_args(declared)[0]

    if get_origin(declared) is Literal:
        arguments["choices"] = get_args(declared)
    elif declared is bool:
        arguments["action"] = "store_true"
    elif declared is Path:
        arguments["type"] = Path
    return arguments


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
    sys.stdout.write(f"{printable(line)}\n")


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
    end_with_parent()
    try:
        code = main()
    except UserError as error:
        code = _fail(str(error), 1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        code = _fail(f"{name}{error.strerror or error}", 1)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        code = _fail(
            f"out of memory{failed_allocation(error)}; "
            "a smaller gt_size, batch_size_per_gpu or --tile takes less",
            1,
        )
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
    sys.stderr.write(f"error: {error_line(message)}\n")
    return code
