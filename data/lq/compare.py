"""How far apart the statistics of two sets of windows are."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from realesrgan_paddle.data.lq.simulate import Simulator, Task
from realesrgan_paddle.data.lq.windows import GtWindows, RealWindows
from realesrgan_paddle.data.statistics.window_statistics import window_statistics
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "noise": ("noise ",),
    "grain": ("grain ",),
    "detail": ("spectrum ", "edge "),
    "direction": ("direction ", "diagonal ", "combing", "line parity", "comb"),
    "color": ("color ",),
    "blocks": ("grid ", "missing ", "quality "),
    "flatness": ("flat", "nearly flat", "tails"),
}
"""Beginnings of the statistics' names that are put together."""
SPLITS = 20
"""Ways of splitting the real images that are averaged."""
BATCH = 4
"""Windows that are degraded with the same way of resizing, when sets are compared."""
APART_SEED = 1_000_000
"""First seed of comparisons apart from the usual ones, which count from 0."""


def distances(
    one: np.ndarray, other: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    """Return the mean distance of each group of statistics, and of all ("all").

    Of Kolmogorov and Smirnov: 0 (equal distributions) to 1 (no overlap).

    Args:
        one: statistics of windows, float64 (N, F).
        other: the same of other windows, float64 (M, F).
        names: of the F statistics.
    """
    single = []
    for column in range(len(names)):
        found = ks_2samp(one[:, column], other[:, column], method="asymp")
        single.append(float(found.statistic))
    result = {}
    for group, starts in GROUPS.items():
        members = [
            value
            for name, value in zip(names, single, strict=True)
            if name.startswith(starts)
        ]
        result[group] = float(np.mean(members))
    result["all"] = float(np.mean(list(result.values())))
    return result


def null_distances(
    statistics: np.ndarray,
    sources: np.ndarray,
    names: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the mean distances between halves of one set, split by its sources.

    A single source is split by its windows.
    """
    distinct = np.unique(sources)
    if len(distinct) < 2:
        sources = np.arange(len(statistics))
        distinct = sources
    collected = []
    for _ in range(SPLITS):
        half = rng.permutation(distinct)[: len(distinct) // 2]
        first = np.isin(sources, half)
        collected.append(distances(statistics[first], statistics[~first], names))
    means = {}
    for group in collected[0]:
        means[group] = float(np.mean([found[group] for found in collected]))
    return means


def adjusted(
    statistics: np.ndarray, shown: np.ndarray, slopes: np.ndarray, to: np.ndarray
) -> np.ndarray:
    """Return statistics as if all windows showed `to`: linearly, by the slopes."""
    return statistics - (shown - to) @ slopes


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
