"""Degradations of the solver without other processes."""

from realesrgan_paddle.data.lq import simulate
from realesrgan_paddle.data.statistics.window_statistics import statistics_array


class InProcess:
    """Stands in for `Simulator`."""

    def __init__(self, pixels, scale):
        self._windows = pixels
        self._scale = scale

    def degrade(self, tasks):
        for task in tasks:
            yield simulate.degraded(self._windows[task.windows], task, self._scale)

    def measure(self, tasks):
        for degraded in self.degrade(tasks):
            yield statistics_array(degraded)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass
