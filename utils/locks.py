"""Locks between processes, also on file systems that have none."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from realesrgan_paddle.utils.errors import printable

logger = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds to wait for another process before a line says for what."""

ANYBODYS = 0o666
"""The mode of a lock file, whatever the umask: it holds nothing."""
UNSUPPORTED = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""How file systems, such as those of networks, say that they have no locks."""


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path`, whose folder exists.

    Where the file system has no locks, a file beside it is there as long as the lock is
    held. It names its process: one that a killed process of this machine left behind
    holds nobody up. Every user who may reach the file may lock it, so that a folder can
    be shared; a link in its place is not followed.

    Args:
        path: the file; it stays.
        wait: wait for another process that holds it.

    Raises:
        Timeout: another process holds it, and `wait` is false.
        OSError: it cannot be made.
    """
    lock = _open(path)
    try:
        lock.acquire(timeout=PATIENCE if wait else 0)
    except Timeout:
        if not wait:
            raise
        logger.warning(
            "%s: waiting until another process gives it back; remove it if none runs",
            printable(str(lock.lock_file)),
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _open(path: Path) -> BaseFileLock:
    """Return the best lock that the file system of `path` has, not yet held."""
    error = _lock_error(path)
    if error is None:
        return FileLock(path)
    marker = path.with_name(f"{path.name}.held")
    logger.warning(
        "%s: its file system has no locks (%s); %s is there while a process works",
        printable(str(path)),
        error.strerror,
        printable(marker.name),
    )
    return SoftFileLock(marker)


def _lock_error(path: Path) -> OSError | None:
    """Return why `path` cannot be locked at all; None if it can, now or later."""
    if sys.platform == "win32":
        return None
    import fcntl  # Windows has none

    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW
    is_new = not os.path.lexists(path)
    if is_new:  # else Linux refuses what another user created in a folder such as /tmp
        flags |= os.O_CREAT
    handle = os.open(path, flags, ANYBODYS)
    try:
        if is_new:
            with suppress(PermissionError):  # another user was faster
                os.fchmod(handle, ANYBODYS)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error if error.errno in UNSUPPORTED else None
    finally:
        os.close(handle)
    return None
