"""The one exception for errors that the user can fix, and helpers for its message."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A wrong file, key or flag.

    Its message is one line that says where (file, key, flag), what was found, what is
    allowed and what to do. Command lines print it without a traceback and exit with 1
    (see `utils.cli.run`).
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known word nearest to `word`, or ""."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if not nearest:
        return ""
    return f"; did you mean {nearest[0]!r}?"


def one_line(message: str) -> str:
    """Return `message` with escaped line breaks; file names may contain some."""
    return message.replace("\n", "\\n").replace("\r", "\\r")
