"""Compare what options make with real windows, matched by content."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from realesrgan_paddle.data.lq.solve.distances import adjusted, distances
from realesrgan_paddle.data.lq.solve.simulate import Simulator, Task
from realesrgan_paddle.data.lq.solve.statistics import window_statistics
from realesrgan_paddle.data.lq.solve.windows import GtWindows, RealWindows
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)

BATCH = 4
"""Windows that are degraded with the same way of resizing, when sets are compared."""
APART_SEED = 1_000_000
"""First seed of comparisons apart from the usual ones, which count from 0."""


class Comparer:
    """Compares what options make with the real windows, matched by content."""

    def __init__(
        self,
        real: RealWindows,
        measured: np.ndarray,
        gt: GtWindows,
        simulator: Simulator,
        names: Sequence[str],
    ) -> None:
        self._real = real
        self._measured = measured
        self._gt = gt
        self._simulator = simulator
        self._names = names
        self._seed = 0
        every = np.ones(len(gt.pixels), bool)
        self._chosen = gt.matched(real.content, every, np.random.default_rng(0))

    def apart(self) -> "Comparer":
        """Return one with other seeds and, where there are enough, other windows.

        What is chosen by its distances is then not chosen for the windows of these.
        """
        other = copy(self)
        other._seed = APART_SEED
        unused = np.ones(len(self._gt.pixels), bool)
        unused[self._chosen] = False
        if unused.sum() >= len(self._chosen):
            rng = np.random.default_rng(other._seed)
            other._chosen = self._gt.matched(self._real.content, unused, rng)
        return other

    def __call__(
        self, options: Mapping[str, Any]
    ) -> tuple[dict[str, float], np.ndarray]:
        """Return the distances, and the synthetic windows in the real ones' order."""
        wanted = self._real.content
        chosen = self._chosen
        tasks = []
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            tasks.append(Task(options, batch, self._seed + start))
        batches = list(self._simulator.degrade(tasks))
        windows = np.concatenate(batches)
        by_name = window_statistics(windows)
        found = np.stack(list(by_name.values()), axis=1)

        shown = self._gt.content[chosen]
        slopes = _slopes(shown, found)
        to = wanted.mean(axis=0)
        synthetic = adjusted(found, shown, slopes, to)
        real = adjusted(self._measured, wanted, slopes, to)
        return distances(real, synthetic, self._names), windows


def _slopes(shown: np.ndarray, found: np.ndarray) -> np.ndarray:
    centered = shown - shown.mean(axis=0)
    deviations = found - found.mean(axis=0)
    ridge = np.eye(shown.shape[1])
    gram = centered.T @ centered + ridge
    products = centered.T @ deviations
    return np.linalg.solve(gram, products)


def degradation(options: LQConfig) -> dict[str, Any]:
    """Return the degradation of options, without the images and the scale."""
    synthesis = SynthesisOptions.model_fields
    kernels = KernelOptions.model_fields
    fields = {*synthesis, *kernels, "gt_usm"}
    return options.model_dump(include=fields)
