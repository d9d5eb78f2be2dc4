"""How fast a run goes, and its one-line reports."""

import time
from collections.abc import Mapping
from typing import SupportsFloat

from realesrgan_paddle.utils.machine.memory import peak_memory


class Meter:
    """Times the iterations of a run and says what is left.

    Call `batch_ready` when a batch has arrived, `step_done` when it has been trained on,
    and `exclude` after work that is no training, which then counts neither as speed nor
    as waiting for data.
    """

    def __init__(self, start: int, total_iter: int, batch_size: int) -> None:
        self._iteration = start
        self._total = total_iter
        self._batch_size = batch_size
        self._asides: dict[str, tuple[float, int]] = {}
        self._begin()

    def batch_ready(self) -> None:
        """Note that the next batch is there."""
        self._waited += time.perf_counter() - self._mark

    def step_done(self) -> None:
        """Note that an iteration is done."""
        self._mark = time.perf_counter()
        self._steps += 1
        self._iteration += 1

    def exclude(self, what: str, every: int) -> None:
        """Note that since the iteration or its report `what` was done, which comes once in `every` iterations."""
        took = time.perf_counter() - self._mark
        self._asides[what] = (took, every)
        self._mark += took
        self._since += took

    def report(
        self, losses: Mapping[str, SupportsFloat], lr: float
    ) -> tuple[dict[str, float], str]:
        """Return the numbers since the last report, and them as one line.

        The line is like "iter 300/400,000  l_g_pix 0.0312  lr 1.0e-04  41.2 img/s  data
        wait 3%  peak 2.1 GB left 1d 04h".
        """
        numbers = {
            name: float(loss) for name, loss in losses.items()
        }  # waits for the device to finish
        elapsed = time.perf_counter() - self._since
        speed = self._steps * self._batch_size / elapsed
        wait = self._waited / elapsed
        left = self._left(elapsed / self._steps)
        memory = peak_memory()
        line = (
            f"iter {self._iteration:,}/{self._total:,}  "
            + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            + f"  lr {lr:.1e}  {speed:.3g} img/s  data wait {wait:.0%}"
            + "".join(f"  {PEAKS[name]} {size(peak)}" for name, peak in memory.items())
            + f"  left {duration(left)}"
        )
        self._begin()
        return {
            **numbers,
            "lr": lr,
            "images_per_s": speed,
            "data_wait": wait,
            **memory,
            "left_s": left,
        }, line

    def _left(self, step_s: float) -> float:
        """Return the seconds to the end, at `step_s` an iteration and with what is due beside, as long as the last."""
        steps = (self._total - self._iteration) * step_s
        return steps + sum(
            took * (self._total // every - self._iteration // every)
            for took, every in self._asides.values()
        )

    def _begin(self) -> None:
        self._steps, self._waited = 0, 0.0
        self._since = self._mark = time.perf_counter()


PEAKS = {"memory_mb": "peak", "gpu_memory_mb": "GPU peak"}
"""What the line calls the figures of `peak_memory`."""


def size(mib: float) -> str:
    """Return MiB as "812 MB" or "3.1 GB"."""
    return f"{mib:.0f} MB" if mib < 1000 else f"{mib / 1024:.1f} GB"


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
