"""Ctrl-C and SIGTERM at moments when they must not be answered at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Put off the answer to Ctrl-C and SIGTERM to the end, and answer then as it would have been done before.

    Processes started inside never get Ctrl-C, where the system knows signal masks. Only
    the main thread answers signals: in others nothing has to be put off.
    """
    if threading.current_thread() is not threading.main_thread():
        _mask("SIG_BLOCK")
        try:
            yield
        finally:
            _mask("SIG_UNBLOCK")
        return
    came: list[int] = []
    before = {
        which: signal.signal(which, lambda number, frame: came.append(number))
        for which in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        _mask("SIG_BLOCK")  # programs inherit what is blocked, not what is handled
        yield
    finally:
        _mask("SIG_UNBLOCK")
        for which, handler in before.items():
            signal.signal(which, handler)
    for number in came:
        signal.raise_signal(number)


def _mask(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})
