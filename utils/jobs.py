"""The same job for each of many files: a bad file is reported, the others continue."""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from threading import Thread
from typing import TypeVar

from tqdm import tqdm

from realesrgan_paddle.utils.colors import emphasized
from realesrgan_paddle.utils.errors import UserError, error_line

EXHAUSTED = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE),
}
"""Errors of the disk and of the machine, for which no single file can be blamed."""

Result = TypeVar("Result")
Item = TypeVar("Item")


def end_with_parent() -> None:
    """End this process when its parent is gone, even if that was killed.

    For the workers of a process pool, which would wait forever.
    """
    parent = parent_process()
    if parent is not None:
        Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def run_each(
    work: Callable[[Path], Result],
    paths: Sequence[Path],
    *,
    threads: int | None = None,
) -> tuple[list[Result], list[str]]:
    """Return `work(path)` of each path that succeeds, and one line for each that fails.

    Both in the order of `paths`. A path fails with a `UserError`, or because a file
    cannot be opened or written; any other error ends the run, and so does a full disk.
    Shows a progress bar on a terminal. Runs in threads, because OpenCV, Pillow and
    ffmpeg release Python's lock.

    Args:
        work: what to do with one path.
        paths: all of them.
        threads: how many at a time; None: one per CPU.
    """
    if threads is not None and threads < 1:
        raise UserError(f"the number of threads must be at least 1, not {threads}")

    results: dict[int, Result] = {}
    failures: dict[int, str] = {}
    pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
    try:
        jobs = {pool.submit(work, path): index for index, path in enumerate(paths)}
        done = as_completed(jobs)
        for job in tqdm(done, total=len(jobs), unit="image", disable=None):
            index = jobs[job]
            try:
                results[index] = job.result()
            except (UserError, OSError) as error:
                failures[index] = failure_line(paths[index], error)
    finally:
        pool.shutdown(cancel_futures=True)
    return _in_order(results), _in_order(failures)


def _in_order(items: dict[int, Item]) -> list[Item]:
    indices = sorted(items)
    return [items[index] for index in indices]


def failure_line(path: Path, error: UserError | OSError) -> str:
    """Return one line on `path`, whose job failed with `error`.

    Raises:
        OSError: `error` itself, if every other file would fail too: the disk is full or
            read-only, or the machine has no memory, processes or open files left.
    """
    if not isinstance(error, OSError):
        return str(error)
    if error.errno in EXHAUSTED:
        raise error
    return f"{error.filename or path}: {error.strerror or error}"


def report_failures(failures: Iterable[str]) -> int:
    """Print each failure as one line on stderr; return the exit code, 1 for any."""
    code = 0
    for failure in failures:
        line = emphasized(f"failed: {error_line(failure)}", sys.stderr)
        sys.stderr.write(f"{line}\n")
        code = 1
    return code
