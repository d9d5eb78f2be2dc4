"""Signals that end a command: at once while it starts, deferred, or noted for a loop.

Ctrl-C (SIGINT), SIGTERM, and SIGHUP, which a terminal sends that is closed.
"""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

WORDS = {signal.SIGINT: b"interrupted", signal.SIGTERM: b"terminated"}
"""What the line says."""


PARENT = "REALESRGAN_PARENT"
"""Environment variable of a command that another one started, and that ends with it."""
LOOKS_EVERY = 1.0
"""How often a process looks for its parent [s]."""


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
    _mask("SIG_BLOCK", signal.SIGTERM)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _mask("SIG_UNBLOCK", signal.SIGTERM)


def _end(number: int, _: FrameType | None) -> NoReturn:
    # Not sys.stderr: the signal may have interrupted a write to it.
    word = WORDS[signal.Signals(number)]
    os.write(2, b"error: %s\n" % word)
    os._exit(128 + number)


def exit_in_callback(unraisable: "sys.UnraisableHookArgs") -> None:
    """Exit if a signal came in a callback of a weak reference; a `sys.unraisablehook`.

    Python drops what is raised there, and shows a traceback. A temporary file may stay.
    """
    raised = unraisable.exc_value
    if isinstance(raised, SystemExit) and isinstance(raised.code, int):
        os._exit(raised.code)
    if isinstance(raised, KeyboardInterrupt):
        _end(signal.SIGINT, None)
    sys.__unraisablehook__(unraisable)


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Defer Ctrl-C, SIGTERM and SIGHUP to the end of the block; then their handlers run.

    Processes started inside never get Ctrl-C, on systems with signal masks. Python
    handles signals in the main thread only, so in other threads nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        _mask("SIG_BLOCK", signal.SIGINT)
        try:
            yield
        finally:
            _mask("SIG_UNBLOCK", signal.SIGINT)
        return

    received: list[int] = []

    def remember(number: int, _: object) -> None:
        """Note a signal."""
        received.append(number)

    deferred = (signal.SIGINT, signal.SIGTERM, *hangup_signals())
    handlers = {number: signal.signal(number, remember) for number in deferred}
    try:
        # Child processes inherit the mask, but not the handlers.
        _mask("SIG_BLOCK", signal.SIGINT)
        yield
    finally:
        _mask("SIG_UNBLOCK", signal.SIGINT)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for received_number in received:
        signal.raise_signal(received_number)


def _mask(how: str, number: signal.Signals) -> None:
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(getattr(signal, how), {number})


def hangup_signals() -> list[signal.Signals]:
    """Return [SIGHUP], or [] where there is none (Windows) or nohup has it ignored."""
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN:
        return []
    return [hangup]


def ignore_signals() -> None:
    """End quietly, once the work is done.

    While Python itself ends, a handler would raise in the middle of what libraries do
    then. Ctrl-C may still end what hangs.
    """
    for number in (signal.SIGTERM, *hangup_signals()):
        signal.signal(number, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def leave_terminal() -> None:
    """Drop what stdout and stderr get from now on, unless they are files.

    After SIGHUP: a write to a closed terminal, or to a pipe whose reader it ended too,
    would be an error.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.dup2(nowhere, number)
    os.close(nowhere)


@contextmanager
def passing_on(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Hand Ctrl-C, SIGTERM and SIGHUP on to a process; its end is the block's business.

    The process is in a session of its own, so that each signal reaches it once. Yields
    the signals that were handed on. Python handles signals in the main thread only; in
    others none is.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def hand_on(number: int, _: FrameType | None) -> None:
        """Note a signal and send it."""
        received.append(number)
        if number in hangup_signals():
            leave_terminal()
        process.send_signal(number)

    passed = [signal.SIGTERM, *hangup_signals()]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        passed.append(signal.SIGINT)
    before = {number: signal.signal(number, hand_on) for number in passed}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for_end_of(parent: int) -> None:
    """Wait until the parent of this process has ended, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(LOOKS_EVERY)


def end_with_command() -> None:
    """End as by SIGTERM once the command that started this one was killed; see `PARENT`."""
    parent = os.environ.pop(PARENT, "")
    if not parent.isdecimal():
        return

    def watch() -> None:
        """Wait in a thread, then end the process."""
        wait_for_end_of(int(parent))
        leave_terminal()  # nobody reads any more
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class StopRequest:
    """While entered, keeps a SIGINT (Ctrl-C), SIGTERM or SIGHUP in `signal`; nothing stops.

    A second SIGINT ends the process at once, even in the middle of a long operation of
    Paddle's, where Python's own KeyboardInterrupt would wait. For the main thread only,
    like Python's signal handlers.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        noted = (signal.SIGINT, signal.SIGTERM, *hangup_signals())
        self._before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if number in hangup_signals():
            leave_terminal()
        if self.signal is not None:  # launchers send several
            return
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        message = (
            f"{self.signal.name}: will save and stop after this iteration; "
            "Ctrl-C now ends at once\n"
        )
        # Not sys.stderr: the signal may have interrupted a write to it.
        os.write(2, message.encode())
