"""The speed and remaining time of a run, and its one-line reports."""

import time
from collections import deque
from collections.abc import Mapping
from typing import SupportsFloat

from realesrgan_paddle.utils.machine.memory import peak_memory

PEAK_LABELS = {"memory_mb": "peak", "gpu_memory_mb": "GPU peak"}
"""How the report line labels the values of `peak_memory`."""
RECENT = 30
"""Iterations whose mean time is that of a step now: other work comes and goes."""


class Meter:
    """Times the iterations of a run and estimates the remaining time.

    Call `batch_ready` when a batch has arrived and `step_done` when it has been trained
    on. Call `exclude` after work that is not training (validating, saving): its time
    then counts neither as training nor as waiting for data.

    Attributes:
        total: the run's last iteration; it may change.
    """

    def __init__(self, start: int, total_iter: int, batch_size: int) -> None:
        self._iteration = start
        self.total = total_iter
        self._batch_size = batch_size
        self._excluded: dict[str, tuple[float, int]] = {}
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._is_first = True
        self._start_report()
        self._step_began = time.perf_counter()

    def batch_ready(self) -> None:
        """Count the time since the last step as waiting for data."""
        self._waited += time.perf_counter() - self._mark

    def step_done(self) -> None:
        """Count one more iteration."""
        now = time.perf_counter()
        if not self._is_first:  # it takes longer: operators are prepared
            self._recent.append(now - self._step_began)
        self._is_first = False
        self._mark = self._step_began = now
        self._steps += 1
        self._iteration += 1

    @property
    def step_s(self) -> float:
        """The mean time of the last iterations, waiting for data included [s]."""
        return sum(self._recent) / max(1, len(self._recent))

    def seconds_of(self, task: str) -> float:
        """Return how long an excluded task took last [s]; 0 before the first time."""
        return self._excluded.get(task, (0.0, 0))[0]

    def exclude(self, task: str, every: int) -> None:
        """Leave the time since the last call out of the speed.

        Args:
            task: what was done, such as "validation".
            every: it is due once in so many iterations; the remaining time includes the
                coming ones, each as long as the last.
        """
        took = time.perf_counter() - self._mark
        self._excluded[task] = (took, every)
        self._mark += took
        self._since += took
        self._step_began += took

    def report(
        self, losses: Mapping[str, SupportsFloat], lr: float
    ) -> tuple[dict[str, float], str]:
        """Return the numbers since the last report, and one line with them.

        The line is like "iter 300/400,000  l_g_pix 0.0312  lr 1.0e-04  41.2 img/s  data
        wait 3%  peak 2.1 GB left 1d 04h".
        """
        # float() waits for the device to finish, so it comes before reading the clock.
        loss_values = {name: float(loss) for name, loss in losses.items()}
        elapsed = time.perf_counter() - self._since
        speed = self._steps * self._batch_size / elapsed
        wait = self._waited / elapsed
        left = self._left(elapsed / self._steps)
        memory = peak_memory()

        fields = [
            f"iter {self._iteration:,}/{self.total:,}",
            "  ".join(f"{name} {value:.4g}" for name, value in loss_values.items()),
            f"lr {lr:.1e}",
            f"{speed:.3g} img/s",
            f"data wait {wait:.0%}",
            *(f"{PEAK_LABELS[name]} {size(peak)}" for name, peak in memory.items()),
            f"left {duration(left)}",
        ]
        numbers = {
            **loss_values,
            "lr": lr,
            "images_per_s": speed,
            "data_wait": wait,
            **memory,
            "left_s": left,
        }
        self._start_report()
        return numbers, "  ".join(fields)

    def _left(self, step_s: float) -> float:
        """Return the seconds to the end of the run, at `step_s` an iteration."""
        seconds = (self.total - self._iteration) * step_s
        excluded = 0.0
        for took, every in self._excluded.values():
            due = self.total // every - self._iteration // every
            excluded += took * due
        return seconds + excluded

    def _start_report(self) -> None:
        self._steps, self._waited = 0, 0.0
        self._since = self._mark = time.perf_counter()


def size(mib: float) -> str:
    """Return MiB as "812 MB" or "3.1 GB"."""
    if mib < 1000:
        return f"{mib:.0f} MB"
    return f"{mib / 1024:.1f} GB"


def duration(seconds: float) -> str:
    """Return seconds in their two largest units, such as "1d 04h" or "2m 05s"."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    if d:
        return f"{d}d {h:02d}h"
    if h:
        return f"{h}h {m:02d}m"
    return f"{m}m {s:02d}s" if m else f"{s}s"
