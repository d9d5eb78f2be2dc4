"""The folder of uploads and results: one a process, of bounded size, removed at the end."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.signals import defer_interrupts

PREFIX = "realesrgan_serve_"
LOCK = "serve.lock"
"""In each such folder, held by its process for as long as that runs."""
KEPT = 3600
"""How long files are kept for download [s]."""


class KeptFiles:
    """The files of the page.

    Args:
        folder: of the process, see `own_folder`.
        most_megabytes: of all files that are kept together.

    Attributes:
        folder: for what is removed at once.
        files: where Gradio puts uploads, and copies of results.
    """

    def __init__(self, folder: Path, most_megabytes: int) -> None:
        self.folder = folder
        self.files = folder / "files"
        self._most_megabytes = most_megabytes

    def check_room(self, more: int = 0) -> None:
        """Remove what is too old, and raise UserError if `more` bytes do not fit."""
        now = time.time()
        total = more
        for path in self.files.rglob("*"):
            try:
                status = path.lstat()
                if path.is_dir():
                    continue
                if now - status.st_mtime > KEPT:
                    path.unlink()
                else:
                    total += status.st_size
            except FileNotFoundError:  # removed in the meantime
                continue

        if total > self._most_megabytes * 10**6:
            raise UserError(
                f"the page keeps {self._most_megabytes} MB at most, of all pictures "
                "together; try again later, each is kept for an hour (serve "
                "--max_kept_mb)"
            )


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a temporary folder, and remove it in the end; nobody needs it afterwards.

    Those of processes that were killed are removed before.
    """
    temporary = Path(tempfile.gettempdir())
    for folder in temporary.glob(f"{PREFIX}*"):
        if _is_leftover(folder):
            shutil.rmtree(folder, ignore_errors=True)

    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with locked(folder / LOCK):
            yield folder
    finally:
        with defer_interrupts():
            shutil.rmtree(folder, ignore_errors=True)


def _is_leftover(folder: Path) -> bool:
    """Return whether `own_folder` made a folder in a process that has ended since."""
    lock = folder / LOCK
    try:
        if folder.is_symlink() or lock.is_symlink() or not lock.is_file():
            return False
        if hasattr(os, "geteuid") and folder.lstat().st_uid != os.geteuid():
            return False
        with locked(lock, wait=False):
            return True
    except (OSError, Timeout):
        return False
