"""Commands that are killed in the middle of their work, as by a power failure."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from forkserver import FORKSERVER

SECONDS = 120

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
