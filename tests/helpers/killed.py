"""Commands that are killed in the middle of their work, as by a power failure."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from forkserver import FORKSERVER

SECONDS = 120

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.chmod"}
"""Python's audit events of what changes files."""

Command = Callable[[Sequence[str]], int]


def run_until_killed(main: Command, words: Sequence[str], file: str, nth: int) -> None:
    """Run a command that is killed while it writes a file.

    The content of the file is complete, and it still has its temporary name.

    Args:
        main: the command's function.
        words: its arguments.
        file: a part of the file's path.
        nth: which of the files with this part in their paths; from 1 on.
    """
    process = FORKSERVER.Process(target=_run, args=(main, words, file, nth))
    process.start()
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGKILL, f"{file} {nth}: not killed"


def run_until_operation(
    main: Command, words: Sequence[str], folder: Path, nth: int
) -> bool:
    """Run a command that is killed before its `nth` operation on files in `folder`.

    Returns:
        Whether it was killed: it may have fewer operations.
    """
    process = FORKSERVER.Process(target=_operate, args=(main, words, folder, nth))
    process.start()
    process.join(SECONDS)
    return process.exitcode == -signal.SIGKILL


def _operate(main: Command, words: Sequence[str], folder: Path, nth: int) -> None:
    lock = threading.Lock()
    count = 0

    def count_or_die(event: str, arguments: tuple) -> None:
        nonlocal count
        if event not in OPERATIONS or str(folder) not in str(arguments[0]):
            return
        with lock:
            count += 1
            if count == nth:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count_or_die)
    main(words)


def _run(main: Command, words: Sequence[str], file: str, nth: int) -> None:
    replace = Path.replace
    lock = threading.Lock()
    count = 0

    def replace_or_die(temporary: Path, target: str | Path) -> Path:
        nonlocal count
        with lock:
            count += file in str(target)
            if count == nth:
                os.kill(os.getpid(), signal.SIGKILL)
        return replace(temporary, target)

    Path.replace = replace_or_die
    main(words)
