"""The one exception for errors that the user can fix, and helpers for its message."""

import difflib
import errno
import unicodedata
from collections.abc import Iterable

# Unicode's categories of what is not seen: control characters, marks for direction and
# of no width, halves of pairs, what has no meaning or a private one, and line and
# paragraph separators.
_UNSEEN = {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


NO_MEMORY = (
    "can't start new thread",
    "failed to map segment from shared object",
    "Insufficient memory",
)
"""How Python says that a thread's stack has no place, Paddle a library, OpenCV an image."""
LONGEST_MESSAGE = 2000
"""Letters of a message that are shown; an option's value may have thousands."""


class UserError(Exception):
    """A wrong file, key or flag.

    Its message is one line that says where (file, key, flag), what was found, what is
    allowed and what to do. Command lines print it without a traceback and exit with 1
    (see `utils.cli.run`).
    """


def lacks_memory(error: Exception) -> bool:
    """Return whether an error of Python's, Paddle's or the system's tells of it."""
    if isinstance(error, OSError):  # EAGAIN: a thread or process has no place
        return error.errno in (errno.ENOMEM, errno.EAGAIN)
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in NO_MEMORY
    )


def failed_allocation(error: Exception) -> str:
    """Return the line of Paddle's page-long message that says how much was needed."""
    for line in str(error).splitlines():
        if "alloc" in line:
            return f" ({line.strip()})"
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known word nearest to `word`, or ""."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if not nearest:
        return ""
    return f"; did you mean {nearest[0]!r}?"


def printable(text: str) -> str:
    r"""Return `text` with escapes, such as "\x1b", for what a reader would not see.

    A name of a file, a tensor or a run may hold line breaks, which forge lines of a log,
    codes that terminals obey, marks that turn the order of letters around, and bytes
    that are no UTF-8, which no log can hold. Letters of all languages stay.
    """
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def error_line(message: str) -> str:
    """Return a message as the line that is shown: printable, its middle cut if long."""
    line = printable(message)
    if len(line) <= LONGEST_MESSAGE:
        return line
    half = LONGEST_MESSAGE // 2
    return f"{line[: half - 5]} ... {line[-half:]}"


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    if "\udc80" <= character <= "\udcff":  # Python's stand-in for a byte of a file name
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
