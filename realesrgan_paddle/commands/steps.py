"""Commands of the project run in turn, each shown as it would be typed."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.next_steps import command_line, filled, start_command
from realesrgan_paddle.utils.runlog.meter import duration
from realesrgan_paddle.utils.signals import leave_terminal, passing_on

QUIET_S = 60.0
"""Seconds without a line after which one says that a step is still at work."""
ESCAPED = "backslashreplace"
"""What becomes of letters that UTF-8 does not know: names of files may be any bytes."""
OF_A_STEP = ("next: ", "next, ")
"""Begins the line in which a step names the next one, which follows by itself."""


@dataclass
class Steps:
    """Runs the project's commands in turn, showing each as it would be typed.

    Args:
        count: how many there are.
        given: what the braces of their templates hold; see `filled`.
        go_on: the line that goes on where it was, for whoever stops it.
        log: a file that gets all that is printed, too; None: none.
        left: returns the seconds that are left of a limit; None: there is none.
    """

    count: int
    given: dict[str, object]
    go_on: str
    log: Path | None = None
    left: Callable[[], float] | None = None
    number: int = field(default=0, init=False)
    _said_at: float = field(default=0.0, init=False)

    def __call__(self, what: str, template: str) -> None:
        """Run a command.

        Args:
            what: one line that says what it does.
            template: its script and its words.

        Raises:
            UserError: it failed.
            KeyboardInterrupt: Ctrl-C has ended it.
            SystemExit: another signal has.
        """
        code = self.run(what, template)
        if code:
            raise self.failed(code)

    def failed(self, code: int) -> UserError:
        """Return the error about the step that ended with a code."""
        return UserError(
            f"step {self.number} of {self.count} failed with exit code {code}; its last "
            f"line above says why. To go on then: {self.go_on}"
        )

    def skip(self, what: str) -> None:
        """Say that a step was done before."""
        self.number += 1
        self.say(f"\n[{self.number}/{self.count}] {what}: done before")

    def run(self, what: str, template: str) -> int:
        """Run a command as `__call__` and return its exit code."""
        self.number += 1
        script, *words = filled(template, **self.given)
        time_left = self._time_left()
        known = f" ({time_left})" if time_left else ""
        self.say(f"\n[{self.number}/{self.count}] {what}{known}")
        self.say(f"$ {command_line(script, *words)}")

        process = start_command(script, words)
        with passing_on(process) as received:
            relay = Thread(target=self._relay, args=(process,), daemon=True)
            relay.start()
            while relay.is_alive():
                relay.join(1.0)
                self._say_that_it_works()
            code = process.wait()

        if received:
            self.say(f"stopped; to go on where it was:\nnext: {self.go_on}")
            if received[0] == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + received[0])
        return code

    def say(self, line: str) -> None:
        """Print a line, and add it to the log."""
        self._said_at = time.monotonic()
        if self.log is not None:
            try:
                with self.log.open("a", encoding="utf-8", errors=ESCAPED) as log:
                    log.write(f"{line}\n")
            except OSError as error:
                # The disk is full; what a step prints must be read all the same.
                line = f"{line}\n{self.log}: goes no further: {error.strerror}"
                self.log = None
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            leave_terminal()  # it was closed, and the work goes on until its signal

    def _relay(self, process: "subprocess.Popen[str]") -> None:
        """Say what a process prints, line by line, until it has ended."""
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith(OF_A_STEP):
                self.say(printable(line.rstrip("\n")))

    def _say_that_it_works(self) -> None:
        if time.monotonic() - self._said_at < QUIET_S:
            return
        time_left = self._time_left()
        known = f", {time_left}" if time_left else ""
        self.say(f"[{self.number}/{self.count}] still at work{known}")

    def _time_left(self) -> str:
        """Return such as "1m 40s left"; "" where there is no limit."""
        if self.left is None:
            return ""
        seconds = self.left()
        return f"{duration(seconds)} left" if seconds else "past the limit"
