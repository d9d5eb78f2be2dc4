"""Atomic file writing: a file appears complete or not at all."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

# The names that `atomic_path` gives its temporary files.
_TEMPORARY = re.compile(r"\..{0,40}-[a-z0-9_]{8}\.tmp(\..*)?", re.DOTALL)
_UMASK_LOCK = threading.Lock()


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
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
        finally:
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
    """
    try:
        yield
    except CannotWriteError:
        raise
    except OSError as error:
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
    return path.is_file()


def remove_leftovers(folder: str | Path) -> list[Path]:
    """Remove and return the temporary files of killed processes under `folder`."""
    leftovers = list(filter(is_leftover, Path(folder).rglob(".*")))
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


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
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
