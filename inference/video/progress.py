"""How far the frames of a video are: a bar on a terminal, a line a minute elsewhere."""

import sys
import time
from collections.abc import Callable
from fractions import Fraction

from tqdm import tqdm

from realesrgan_paddle.inference.video.reading.source import time_code
from realesrgan_paddle.utils.runlog.meter import duration

SECONDS_BETWEEN_LINES = 60.0
"""Of what is told of a video that takes long."""


class FrameProgress:
    """Tells how far the frames of a video are; a context manager.

    Args:
        total: frames of the result.
        done: of these, done by earlier runs.
        name: of the video, for lines.
        say: gets a line a minute where there is no terminal; None: nothing is told.

    Attributes:
        done: frames that are done.
    """

    def __init__(
        self, total: int, done: int, name: str, say: Callable[[str], None] | None
    ) -> None:
        self._total = total
        self._before = done
        self.done = done
        self._name = name
        self._say = say
        self._began = self._told = time.monotonic()
        on_terminal = say is not None and sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            initial=done,
            unit="frame",
            unit_scale=False,
            dynamic_ncols=True,
            disable=not on_terminal,
        )

    def __enter__(self) -> "FrameProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self._began

    def update(self, shown_at: Fraction) -> None:
        """Count a frame, which is shown at this time of the video [s]."""
        self.done += 1
        self._bar.set_postfix_str(f"at {time_code(shown_at)}", refresh=False)
        self._bar.update()

        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN_LINES and self._say is not None:
            self._told = now
            if self._bar.disable:
                self._say(self._line(shown_at))

    def _line(self, shown_at: Fraction) -> str:
        rate = (self.done - self._before) / self.seconds
        left = (self._total - self.done) / rate
        return (
            f"{self._name}: at {time_code(shown_at)}, {self.done:,} of "
            f"{self._total:,} frames, {rate:.3g} frames/s, {duration(left)} left"
        )
