"""The flags of a command as a program gives them: by name, checked as the command does."""

import argparse
from collections.abc import Mapping
from typing import NoReturn

from realesrgan_paddle.utils.cli import Group, group_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.parser import Parser


class _Refusing(Parser):
    """A parser of what a program gives by name, which must not exit."""

    def error(self, message: str) -> NoReturn:
        """Raise `message`."""
        raise UserError(message)


def flags_of(group: type[Group], values: Mapping[str, object]) -> Group:
    """Return the flags of a command with values given by name, checked as its words are.

    Args:
        group: see `parse_flags`.
        values: see `words_of`.

    Raises:
        UserError: a name or a value that the command does not take.
    """
    parser = _Refusing("")
    parser.add_group(group)
    try:
        return group_of(parser.parse(words_of(values)), group)
    except argparse.ArgumentTypeError as error:
        raise UserError(str(error)) from None


def words_of(values: Mapping[str, object]) -> list[str]:
    """Return the words that give a command's flags their values.

    None and False leave a flag out, True is a switch. Of a list each item is a word, of a
    mapping each NAME=VALUE.
    """
    words: list[str] = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        if isinstance(value, Mapping):
            value = [f"{key}={each}" for key, each in value.items()]
        if value is True:
            words.append(f"--{name}")
        elif isinstance(value, list | tuple):
            # A word that begins with a dash would be a flag.
            items = [
                f"./{each}" if str(each)[:1] == "-" else str(each) for each in value
            ]
            words += [f"--{name}", *items] if items else []
        else:
            words.append(f"--{name}={value}")
    return words
