"""Color on terminals: the words by which a line is told; none in pipes and with NO_COLOR."""

import os
import re
from typing import TextIO

RED, GREEN, YELLOW, BOLD, PLAIN = (
    "\x1b[31m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[1m",
    "\x1b[0m",
)
COLORS = {
    "error": RED,
    "failed": RED,
    "warning": YELLOW,
    "next": GREEN,
    "verdict": BOLD,
}
"""First word of a line -> its color."""
_FIRST_WORD = re.compile(rf"({'|'.join(COLORS)})[:,]")


def has_color(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that shows color (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    if os.name == "nt" and "WT_SESSION" not in os.environ:
        return False  # the old console would show the codes
    return stream.isatty()


def emphasized(line: str, stream: TextIO) -> str:
    """Return a line with its first word in color, if it is one of `COLORS`."""
    found = _FIRST_WORD.match(line)
    if found is None or not has_color(stream):
        return line
    return f"{COLORS[found[1]]}{found[0]}{PLAIN}{line[found.end() :]}"


def heading(line: str, stream: TextIO) -> str:
    """Return a heading in bold."""
    return f"{BOLD}{line}{PLAIN}" if has_color(stream) else line
