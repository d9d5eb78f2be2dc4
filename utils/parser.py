"""The parser of a command's flags: one spelling rule, one-line errors, help in groups.

Built on argparse and not on click or typer: flags spelled with dashes or underscores,
BasicSR's single-dash `-opt`, positionals between flags and one-line errors take a few
lines here, and would take as many there besides the dependency.
"""

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, Union, cast, get_args, get_origin

from realesrgan_paddle.utils.colors import emphasized, heading
from realesrgan_paddle.utils.errors import did_you_mean, error_line
from realesrgan_paddle.utils.signals import ending_at_once

COMPLETING = "_ARGCOMPLETE"
"""Environment variable by which a shell asks for completions (argcomplete's)."""

WORDS = "words"
"""Where the parser keeps words without a flag, until the flag that takes them has them."""

HELP_ALL = ("--help", "all")
"""Words that print the help with the flags that few people need."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something, and a flag's value once for all its spellings.

    Paragraphs of the description stay such. Examples, which are indented, stay as they
    are, but for the command's name: it becomes what is typed.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = []
        for paragraph in text.strip().split("\n\n"):
            if paragraph.startswith("    "):
                part = re.sub(r"^    \w+", f"    {self._prog}", paragraph, flags=re.M)
            else:
                part = super()._fill_text(paragraph, width, indent)
            parts.append(part)
        return "\n\n".join(parts)

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
        self._positionals.title, self._optionals.title = "arguments", "flags"
        self._heading = ""
        self._headings: dict[str, argparse._ArgumentGroup] = {}
        self._taker: argparse.Action | None = None
        self._must_be_given = False

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed `argv` (None: `sys.argv`); exit with 2 on a usage error."""
        if COMPLETING in os.environ:
            complete(self)
        words = _protected(sys.argv[1:] if argv is None else argv)
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
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in known:
                flags = [known_flag for known_flag in known if known_flag != "--help"]
                self.error(f"unknown flag {flag!r}{did_you_mean(flag, flags)}")

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
            self._heading = declared["heading"] or self._heading
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
            if arguments.get("nargs") == "+" and not arguments.get("default"):
                arguments.setdefault("action", "extend")  # --input a --input b is both
            if declared["takes_words"]:
                self._must_be_given = arguments.pop("required")
                about = arguments.get("help")
                shown = arguments.get("metavar", field.name.upper())
                self.add_argument(WORDS, nargs="*", metavar=shown, help=about)
                arguments["help"] = "the same" if self._shows_all else argparse.SUPPRESS
            action = self._under_heading().add_argument(
                f"--{field.name}", *declared["also"], dest=field.name, **arguments
            )
            if declared["takes_words"]:
                self._taker = action

    def _under_heading(self) -> "argparse._ActionsContainer":
        """Return the group of flags that the present heading names."""
        if not self._heading:
            return self
        if self._heading not in self._headings:
            self._headings[self._heading] = self.add_argument_group(self._heading)
        return self._headings[self._heading]

    def format_help(self) -> str:
        """Return the help: what is given first, an example, the flags by headings."""
        # argparse's own usage repeats all flags.
        takes_one = self._taker is not None and self._taker.nargs is None
        given = [
            f"{each.metavar or each.dest}{'' if takes_one else ' ...'}"
            for each in self._actions
            if not each.option_strings
        ]
        given += [
            f"{each.option_strings[0]} {each.metavar or each.dest.upper()}"
            for each in self._actions
            if each.option_strings and each.required
        ]
        self.usage = " ".join(["%(prog)s", *given, "[flags]"])
        text = super().format_help()
        return re.sub(r"(?m)^\S.*:$", lambda title: heading(title[0], sys.stdout), text)

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line and exit with 2."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message and Path(unknown).exists():
            message += f"; to name the file, write ./{unknown}"
        line = error_line(message)
        line = emphasized(f"error: {line}", sys.stderr)
        self.exit(2, f"{self.prog}: {line} (see --help)\n")


def _protected(words: Sequence[str]) -> list[str]:
    """Return the words without "--": what follows it first, where no flag takes it.

    argparse loses that where positional arguments stand between flags. What begins with
    a dash is a file, and gets "./"; "-" alone is the standard input.
    """
    if "--" not in words:
        return [*words]
    end = words.index("--")
    files = words[end + 1 :]
    named = [
        f"./{each}" if each.startswith("-") and each != "-" else each for each in files
    ]
    return [*named, *words[:end]]


def _with_underscores(word: str) -> str:
    """Return `word`; in a flag's name, dashes become underscores."""
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value


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


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell with what may come next, and end the process."""
    # An extra: only who completes needs it.
    import argcomplete

    argcomplete.autocomplete(parser)
