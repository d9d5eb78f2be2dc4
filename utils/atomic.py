"""Files that appear whole or not at all."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

_TEMPORARY = re.compile(
    r"\..{0,40}-[a-z0-9_]{8}\.tmp(\..*)?"
)  # as `atomic_path` names its files


class CannotWriteError(OSError):
    """A file cannot be written: its `filename` says which, its `strerror` why."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on a clean exit it becomes `path`, on an error it is removed.

    The parent folder is made when missing. The file's contents reach the disk before
    the name does, so a crash leaves either the old file or the new one. The temporary
    name keeps the suffix of `path`, which encoders that go by the suffix need.

    Raises:
        UserError: `path` is a folder, or its folder cannot be made.
        CannotWriteError: it cannot be written.
    """
    path = Path(path)
    check_target(path)
    make_folder(path.parent)
    with naming(path):
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:40]}-", suffix=f".tmp{path.suffix}", dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            _flush(temporary)
            temporary.replace(path)
            _flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise UserError if no file can be written to `path`, because it is a folder or a file stands for a folder.

    A command that works for hours before it writes asks here first.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file to write")
    _check_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make `folder`, and those above it, where they are missing.

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
def naming(path: Path) -> Iterator[None]:
    """Name `path` if writing to it fails inside; a full disk, for one, does not say where.

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
    there = next(
        path
        for path in (folder, *folder.parents)
        if os.path.lexists(path) or path == path.parent
    )
    if not there.is_dir():
        raise UserError(
            f"{there}: not a folder"
            + (f", so {folder} cannot be made" if there != folder else "")
        )


def remove_leftovers(folder: str | Path) -> list[Path]:
    """Remove what `atomic_path` left anywhere in `folder` when its process was killed; return what was removed."""
    found = [
        p
        for p in Path(folder).rglob(".*")
        if _TEMPORARY.fullmatch(p.name) and p.is_file()
    ]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Ask the kernel to put a file (or, where it can be opened, a folder) on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
