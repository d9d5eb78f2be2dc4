"""Files: regular ones are read, all are written whole or not at all; JSON objects of runs."""

import hashlib
import json
import math
import os
import re
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from realesrgan_paddle.utils.errors import UserError, lacks_memory

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# Flags that Windows does not have. The first keeps `open` from waiting for the other
# end of a pipe; on a regular file it changes nothing.
_DO_NOT_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
MAX_COUNT = 2**53
"""The largest number up to which a float holds each whole number."""
# The names that `atomic_path` gives its temporary files.
_TEMPORARY = re.compile(r"\..{0,40}-[a-z0-9_]{8}\.tmp(\..*)?", re.DOTALL)
PIECE = 1 << 20
"""Bytes read at a time."""
_UMASK_LOCK = threading.Lock()


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


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a regular file in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


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


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the json object in `text`.

    Raises:
        ValueError: it is no json, or no object.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("no json object")
    return value


def figures_of(line: str) -> dict[str, float]:
    """Return the figures in a line of a run's metrics.jsonl by name; NaN for null.

    Raises:
        ValueError: it has something else, or no iteration.
    """
    numbers = {}
    for name, value in parse_object(line).items():
        if not isinstance(value, int | float | None):
            raise ValueError(f"{name[:40]!r} is no number")
        try:
            numbers[name] = math.nan if value is None else float(value)
        except OverflowError:  # more than 308 digits
            raise ValueError(f"{name[:40]!r} is too large") from None
    if not abs(numbers.get("iter", math.nan)) <= MAX_COUNT:
        raise ValueError("it has no 'iter'")
    return numbers


class CannotWriteError(OSError):
    """A file cannot be written: `filename` says which, `strerror` why."""


@contextmanager
def atomic_path(path: str | Path, *, within: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` on a clean exit.

    On an error it is removed. The parent folder is made when missing. The content is
    flushed to disk before the file is renamed, so a crash leaves either the old file or
    the new one. The temporary name keeps the suffix of `path`, by which encoders choose
    the format.

    Args:
        path: the file.
        within: folder of the temporary one, on the same disk; None: that of `path`.

    Raises:
        UserError: `path` is a folder, or its folder cannot be made.
        CannotWriteError: it cannot be written.
    """
    path = Path(path)
    check_target(path)
    make_folder(path.parent)
    with name_failed_path(path):
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:40]}-",
            suffix=f".tmp{path.suffix}",
            dir=within or path.parent,
        )
        temporary = Path(name)
        held = _hold(handle)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            if held:
                os.close(handle)
            temporary.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise UserError if `path` is a folder, or a file stands where its folder must be.

    For commands that work for hours before they write.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file to write")
    _check_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents.

    Raises:
        UserError: a file is in the way, or it cannot be made.
    """
    _check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: this folder cannot be made ({error.strerror})"
        ) from error


@contextmanager
def name_failed_path(path: Path) -> Iterator[None]:
    """Add `path` to any OSError inside: that of a full disk does not name the file.

    Raises:
        CannotWriteError: for any OSError inside.
        MemoryError: there is no memory, or none for another thread (an encoder's).
    """
    try:
        yield
    except CannotWriteError:
        raise
    except OSError as error:
        if lacks_memory(error):
            raise MemoryError(str(error)) from error
        raise CannotWriteError(
            error.errno, f"cannot be written ({error.strerror or error})", str(path)
        ) from error


def _check_folder(folder: Path) -> None:
    """Raise UserError if the nearest existing path of `folder` is not a folder."""
    nearest = folder
    while not os.path.lexists(nearest) and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest.is_dir():
        return
    consequence = f", so {folder} cannot be made" if nearest != folder else ""
    raise UserError(f"{nearest}: not a folder{consequence}")


def is_leftover(path: Path) -> bool:
    """Return whether a killed process may have left this temporary file."""
    if _TEMPORARY.fullmatch(path.name) is None:
        return False
    return path.is_file() and not _is_held(path)


def remove_leftovers(folder: str | Path, *, below: bool = True) -> list[Path]:
    """Remove and return the temporary files of killed processes in `folder`.

    Those that a living process writes stay, where the file system has locks.

    Args:
        folder: where they are looked for.
        below: look into its subfolders, too.
    """
    found = Path(folder).rglob(".*") if below else Path(folder).glob(".*")
    leftovers = list(filter(is_leftover, found))
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def _hold(handle: int) -> bool:
    """Return whether an open temporary file can be, and is, held until it is closed."""
    if sys.platform == "win32":  # which renames no open file
        os.close(handle)
        return False
    import fcntl  # Windows has none

    with suppress(OSError):  # not each file system has locks
        fcntl.flock(handle, fcntl.LOCK_SH)
    return True


def _is_held(path: Path) -> bool:
    """Return whether a living process holds a temporary file, or another user's did."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # it is gone, or nothing can be locked here
        pass
    return False


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it.

    Without the lock a second thread would read the 0 that the first one sets, and leave
    it behind: files that everybody may write.
    """
    with _UMASK_LOCK:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Make the kernel write a file or a folder to the disk."""
    on_windows = os.name == "nt"
    if path.is_dir() and on_windows:
        return  # Windows cannot open folders
    # Windows flushes only what is open for writing; elsewhere a file may be read-only.
    handle = os.open(path, os.O_RDWR if on_windows else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
