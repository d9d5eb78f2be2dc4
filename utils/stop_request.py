"""SIGINT and SIGTERM as a wish to stop that a loop grants at its own time."""

import os
import signal
from types import FrameType
from typing import Any


class StopRequest:
    """While entered, a SIGINT (Ctrl-C) or SIGTERM is noted in `signal`, and the process goes on.

    A second SIGINT ends the process at once, even in the middle of a long operation of
    Paddle's, where Python's own KeyboardInterrupt would wait. For the main thread only,
    as Python's signal handlers are.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        self._before = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.signal is not None:  # launchers send several
            return
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        message = f"{self.signal.name}: will save and stop after this iteration; Ctrl-C now ends at once\n"
        os.write(2, message.encode())  # sys.stderr may be in the middle of a write
