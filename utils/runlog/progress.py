"""How far a piece of work is and how long it will take, said while it goes on."""

import math
import sys
import time

from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.runlog.meter import duration

ON_TERMINAL_S = 0.5
"""A terminal's line is rewritten so often [s]."""
IN_FILE_S = 10.0
"""Where stderr is a file or a pipe, a line is added so often [s]."""


class Progress:
    """Says on stderr how far some work is, and knows how much time it may take.

    Args:
        work: its name, such as "fit".
        total: its steps, as far as they are known.
        seconds: that it may take from now on; infinite: as long as it needs.
    """

    def __init__(self, work: str, total: float, seconds: float = math.inf) -> None:
        self._work = work
        self._total = total
        self._seconds = seconds
        self._done = 0.0
        self._start = time.monotonic()
        self._first = (0.0, self._start)  # steps at the first count, and its moment
        self._on_terminal = sys.stderr.isatty()
        self._said_at = self._start
        self._width = 0

    def is_past(self, share: float) -> bool:
        """Return whether that share of the seconds has passed; never without a limit."""
        return self.seconds_so_far > share * self._seconds

    @property
    def seconds_so_far(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self._start

    def seconds_for(self, steps: float) -> float:
        """Return how long so many steps take, as those since the first took."""
        before, since = self._first
        counted = self._done - before
        if not counted:
            return 0.0
        return steps * (time.monotonic() - since) / counted

    def has_time_for(self, steps: float) -> bool:
        """Return whether so many steps will end in the seconds; always without a limit."""
        return self.seconds_so_far + self.seconds_for(steps) <= self._seconds

    def advance(self, steps: float = 1) -> None:
        """Count steps that are done; say how far it is if some seconds have passed."""
        now = time.monotonic()
        if not self._done:
            self._first = (steps, now)
        self._done += steps
        every = ON_TERMINAL_S if self._on_terminal else IN_FILE_S
        if now - self._said_at < every or self._done == self._total:
            return
        took = now - self._start
        left = took * max(0.0, self._total / self._done - 1)
        if took > self._seconds:
            self.say(f"its time is over by {duration(took - self._seconds)}; it ends")
            return
        left = min(left, self._seconds - took)
        share = took / max(took + left, 1e-9)
        self.say(f"{share:.0%}, {duration(left)} left")

    def close(self) -> None:
        """Say how long it took, or wipe a terminal's line; nothing if nothing was said."""
        if not self._width:
            return
        took = time.monotonic() - self._start
        self.say(f"done in {duration(took)}")
        if self._on_terminal:
            sys.stderr.write(f"\r{'':{self._width}}\r")

    def say(self, text: str) -> None:
        """Say something of the work, whenever the last line was."""
        self._said_at = time.monotonic()
        line = printable(f"{self._work}: {text}")
        self._width = max(self._width, len(line))
        if self._on_terminal:
            sys.stderr.write(f"\r{line:{self._width}}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
