"""How fast a run goes, and its one-line reports."""

import time
from collections.abc import Mapping
from typing import SupportsFloat


class Meter:
    """Times the iterations of a run and says what is left.

    Call `fed` when a batch has arrived and `stepped` when it has been trained on.
    """

    def __init__(self, start: int, total_iter: int, batch_size: int) -> None:
        self._iteration = start
        self._total = total_iter
        self._batch_size = batch_size
        self._begin()

    def fed(self) -> None:
        """Note that the next batch is there."""
        self._waited += time.perf_counter() - self._mark

    def stepped(self) -> None:
        """Note that an iteration is done."""
        self._mark = time.perf_counter()
        self._steps += 1
        self._iteration += 1

    def report(self, losses: Mapping[str, SupportsFloat], lr: float) -> tuple[dict[str, float], str]:
        """Return the numbers since the last report, and them as one line.

        The line is like "iter 300/400,000  l_g_pix 0.0312  lr 1.0e-04  41.2 img/s  data wait 3%  left 1d 04h".
        """
        numbers = {name: float(loss) for name, loss in losses.items()}  # waits for the device to finish
        elapsed = time.perf_counter() - self._since
        speed = self._steps * self._batch_size / elapsed
        wait = self._waited / elapsed
        left = (self._total - self._iteration) * elapsed / self._steps
        line = (
            f"iter {self._iteration:,}/{self._total:,}  "
            + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            + f"  lr {lr:.1e}  {speed:.3g} img/s  data wait {wait:.0%}  left {duration(left)}"
        )
        self._begin()
        return {**numbers, "lr": lr, "images_per_s": speed, "data_wait": wait, "left_s": left}, line

    def _begin(self) -> None:
        self._steps, self._waited = 0, 0.0
        self._since = self._mark = time.perf_counter()


def duration(seconds: float) -> str:
    """Return seconds in the two largest of d, h, m, s, such as "1d 04h" or "2m 05s"."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    if d:
        return f"{d}d {h:02d}h"
    if h:
        return f"{h}h {m:02d}m"
    return f"{m}m {s:02d}s" if m else f"{s}s"
