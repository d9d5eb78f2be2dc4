"""A deferred stop request: SIGINT or SIGTERM noted for a loop to act on."""

import os
import signal
from types import FrameType
from typing import Any


class StopRequest:
    """While entered, keeps a SIGINT (Ctrl-C) or SIGTERM in `signal`; nothing stops.

    A second SIGINT ends the process at once, even in the middle of a long operation of
    Paddle's, where Python's own KeyboardInterrupt would wait. For the main thread only,
    like Python's signal handlers.
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
        message = (
            f"{self.signal.name}: will save and stop after this iteration; "
            "Ctrl-C now ends at once\n"
        )
        # Not sys.stderr: the signal may have interrupted a write to it.
        os.write(2, message.encode())
