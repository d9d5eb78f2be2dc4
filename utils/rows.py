"""A manifest: one row for each piece of work, which is the unit of resuming and of sharing.

A file of json lines. Nobody is told by it where to write: whoever reads one makes its own
rows from what the user asks for, and looks here only whether a row of that id is done.
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from realesrgan_paddle.utils.files import open_regular, parse_object


@dataclass(frozen=True)
class Row:
    """A piece of work: a picture, a segment of a video, or a video.

    Attributes:
        id: unique within its manifest.
        source: the file that is read.
        target: the file that is written; the same for each attempt.
        first: the first frame of the source.
        last: the frame after its last.
        sha256: of `target`, when it is whole; "" before.
    """

    id: str
    source: str
    target: str
    first: int = 0
    last: int = 1
    sha256: str = ""


def add_row(manifest: Path, row: Row) -> None:
    """Append a row; of two with one id the later counts. No link is followed for it.

    A killed run may have left a part of a row, which then ends here.
    """
    with open(manifest, "a+b", opener=_no_link) as file:
        is_empty = file.seek(0, os.SEEK_END) == 0
        if not is_empty:
            file.seek(-1, os.SEEK_END)
        is_cut = not is_empty and file.read(1) != b"\n"
        file.write(b"\n" * is_cut + line_of(row).encode())


def read_rows(manifest: Path, most_bytes: int) -> dict[str, Row]:
    """Return the rows of a manifest by id, without what is none; {} if it is not there.

    Args:
        manifest: the file.
        most_bytes: what follows them is not read.
    """
    if not manifest.exists():
        return {}
    with open_regular(manifest) as file:
        return rows_of(file.read(most_bytes))


def rows_of(manifest: bytes) -> dict[str, Row]:
    """Return the rows in the text of a manifest, as `read_rows`."""
    found = map(_row, manifest.decode("utf-8", "replace").splitlines())
    return {row.id: row for row in found if row is not None}


def line_of(row: Row) -> str:
    """Return the line of a manifest that a row is."""
    return json.dumps(asdict(row)) + "\n"


def _no_link(path: str, flags: int) -> int:
    """Open a file that may be a stranger's: a link would lead out of its folder."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


def _row(line: str) -> Row | None:
    """Return the row in a line; None for what a killed run, or a stranger, left there."""
    try:
        values = parse_object(line)
    except ValueError:
        return None
    wanted = {each.name: type(each.default) for each in fields(Row)}
    wanted |= dict.fromkeys(("id", "source", "target"), str)
    if {name: type(value) for name, value in values.items()} != wanted:
        return None
    return Row(**values)
