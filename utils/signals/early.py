"""Ctrl-C and SIGTERM while a command loads what it needs: one line, at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

WORDS = {signal.SIGINT: b"interrupted", signal.SIGTERM: b"terminated"}
"""What the line says."""


def end_at_once() -> None:
    """Make Ctrl-C and SIGTERM end the process with one line, and 130 or 143.

    For a command that has written nothing yet. In the middle of an import Python's own
    KeyboardInterrupt is a traceback of the import, or gets lost in it. `utils.cli.run`
    ends this. A signal that the process was started to ignore is still ignored.
    """
    for number in WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Let signals end the process at once while the block imports a large library.

    Paddle replaces the handler of SIGTERM by one that prints a page, so SIGTERM waits
    for the end of the block, on systems with signal masks. Python handles signals in the
    main thread only; in others the block is as any other.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    sys.stdout.flush()
    before = {number: signal.getsignal(number) for number in WORDS}
    end_at_once()
    _mask_sigterm("SIG_BLOCK")
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _mask_sigterm("SIG_UNBLOCK")


def _mask_sigterm(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGTERM})


def _end(number: int, _: FrameType | None) -> NoReturn:
    # Not sys.stderr: the signal may have interrupted a write to it.
    word = WORDS[signal.Signals(number)]
    os.write(2, b"error: %s\n" % word)
    os._exit(128 + number)
