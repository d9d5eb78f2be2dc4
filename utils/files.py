"""What a command may read: regular files, and what a failed download left in their place."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from realesrgan_paddle.utils.errors import UserError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# Flags that Windows does not have. The first keeps `open` from waiting for the other
# end of a pipe; on a regular file it changes nothing.
_DO_NOT_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(path: str | Path) -> BinaryIO:
    """Return a regular file, opened for reading bytes.

    Raises:
        UserError: it is a pipe, a socket or a device.
        OSError: as `open` does, for a folder too.
    """
    check_regular(path)
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115  (the caller's)
    try:
        # Looked at again: another file may have taken its place meanwhile.
        _check_mode(path, os.fstat(file.fileno()).st_mode)
    except UserError:
        file.close()
        raise
    return file


def read_regular(path: str | Path) -> bytes:
    """Return the content of a regular file; raises what `open_regular` does."""
    with open_regular(path) as file:
        return file.read()


def check_regular(path: str | Path) -> None:
    """Raise UserError for a pipe, a socket or a device, OSError for no file at all.

    For files that another program opens.
    """
    status = Path(path).stat()
    _check_mode(path, status.st_mode)


def check_utf8(path: str | Path) -> None:
    """Raise UserError for a name that is no UTF-8: options and some libraries need it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(f"{path}: its name is not valid UTF-8; rename it") from None


def _check_mode(path: str | Path, mode: int) -> None:
    kind = _KINDS.get(stat.S_IFMT(mode))
    if kind is not None:
        raise UserError(
            f"{path}: {kind}; only regular files are read, so copy the data into one"
        )


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | _DO_NOT_WAIT)


def failed_download(head: bytes) -> str | None:
    """Return what a file is in place of its data, and what to do; None if unknown.

    Args:
        head: the first bytes of the file, 64 or more.
    """
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not head:
        return "empty; download or copy it again"
    if text.startswith(b"version https://git-lfs"):
        return (
            "a Git-LFS pointer, not the file itself; "
            "run `git lfs pull` or download the file"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "an HTML page: the server answered with a page; download the file itself"
    return None
