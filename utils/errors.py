"""The one exception that stands for something the user can mend."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A wrong file, key or flag.

    Its message is one line that says where (file, key, flag), what was found, what is
    allowed and what to do. Command lines print it without a traceback and exit with 1
    (see `utils.cli.run`).
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known word nearest to `word`, or an empty string."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def one_line(message: str) -> str:
    """Return `message` with line breaks, which the name of a file may hold, spelled out."""
    return message.replace("\n", "\\n").replace("\r", "\\r")
