"""Ctrl-C and SIGTERM deferred while code runs that must not be interrupted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM to the end of the block; then their handlers run.

    Processes started inside never get Ctrl-C, on systems with signal masks. Python
    handles signals in the main thread only, so in other threads nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        _mask_ctrl_c("SIG_BLOCK")
        try:
            yield
        finally:
            _mask_ctrl_c("SIG_UNBLOCK")
        return

    received: list[int] = []

    def remember(number: int, _: object) -> None:
        """Note a signal."""
        received.append(number)

    handlers = {
        number: signal.signal(number, remember)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        # Child processes inherit the mask, but not the handlers.
        _mask_ctrl_c("SIG_BLOCK")
        yield
    finally:
        _mask_ctrl_c("SIG_UNBLOCK")
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for received_number in received:
        signal.raise_signal(received_number)


def _mask_ctrl_c(how: str) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(getattr(signal, how), {signal.SIGINT})
