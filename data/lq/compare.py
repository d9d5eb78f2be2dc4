"""How far apart the statistics of real and of synthetic windows are."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from realesrgan_paddle.data.degradation.codec import check_installed
from realesrgan_paddle.data.lq.regression import content_slopes
from realesrgan_paddle.data.lq.simulate import Simulator, Task
from realesrgan_paddle.data.lq.windows import (
    GtWindows,
    RealWindows,
    gt_windows,
    read_real,
    real_windows,
    window_side,
)
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.data.statistics.window_statistics import (
    statistics_array,
    window_statistics,
)
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
COMPARISON = 9
"""One comparison takes as long as so many degradations of the search."""
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


def weighted_distances(
    one: np.ndarray, other: np.ndarray, names: Sequence[str], counts: np.ndarray
) -> np.ndarray:
    """Return the distance of all statistics, for each row of counts, float64 (R,).

    As `distances` has it in "all", with windows that count as often as is said.

    Args:
        one: statistics of windows, float64 (N, F).
        other: the same of the windows that stand beside them, float64 (N, F).
        names: of the F statistics.
        counts: how often each of the N pairs counts, float64 (R, N).
    """
    signs = np.repeat([1.0, -1.0], len(one))
    shares = np.tile(counts / counts.sum(axis=1, keepdims=True), 2) * signs
    single = np.empty((len(counts), len(names)))
    for column in range(len(names)):
        values = np.concatenate([one[:, column], other[:, column]])
        order = np.argsort(values, kind="stable")
        gaps = np.cumsum(shares[:, order], axis=1)
        is_last = np.append(np.diff(values[order]) > 0, True)  # of equal values
        single[:, column] = np.abs(gaps[:, is_last]).max(axis=1)

    by_group = []
    for starts in GROUPS.values():
        members = [name.startswith(starts) for name in names]
        by_group.append(single[:, members].mean(axis=1))
    return np.mean(by_group, axis=0)


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


@dataclass(frozen=True)
class Sets:
    """Windows of real images and of ground truth, to be compared."""

    real: RealWindows
    statistics: np.ndarray
    """Of the real windows, float64 (N, F)."""
    names: Sequence[str]
    """Of the F statistics."""
    gt: GtWindows
    null: Mapping[str, float] = field(default_factory=dict)
    """Distances between halves of the real images."""
    notes: Sequence[str] = ()
    """What they are: a line for the real images, a line for the ground truth."""
    failures: Sequence[str] = ()
    """A line for each image that cannot be read."""


def read_sets(options: LQConfig, real: Path) -> Sets:
    """Return windows of real images and of the ground truth of options.

    Raises:
        UserError: images are missing or too small, or the options have videos and PyAV
            is missing.
    """
    check_installed(options)
    rng = np.random.default_rng(options.manual_seed)
    pictures, failures = read_real(real)
    paths = training_images(options.dataroot_gt, options.meta_info)
    side = window_side(pictures, paths, options.scale)
    shown = real_windows(pictures, side, rng)
    gt, unreadable = gt_windows(paths, side, options.scale, rng)

    by_name = window_statistics(shown.pixels)
    measured = np.stack(list(by_name.values()), axis=1)
    names = list(by_name)
    sources = len({picture.source for picture in pictures})
    notes = [
        f"real: {len(shown.pixels)} windows of {side}x{side} pixels from "
        f"{len(pictures)} pictures, {sources} sources",
        f"ground truth: {len(gt.pixels)} windows of {options.dataroot_gt}",
    ]
    return Sets(
        real=shown,
        statistics=measured,
        names=names,
        gt=gt,
        null=null_distances(measured, shown.sources, names, rng),
        notes=notes,
        failures=[*failures, *unreadable],
    )


@dataclass(frozen=True)
class WindowStatistics:
    """The statistics of real and of synthetic windows, as if all showed the same."""

    real: np.ndarray
    """float64 (N, F)."""
    synthetic: np.ndarray
    windows: np.ndarray
    """The synthetic ones in the real ones' order, uint8 RGB (N, S, S, 3)."""


class Comparer:
    """Compares what options make with the real windows, matched by content."""

    def __init__(self, sets: Sets, simulator: Simulator) -> None:
        self._sets = sets
        self._simulator = simulator
        self._seed = 0
        every = np.ones(len(sets.gt.pixels), bool)
        rng = np.random.default_rng(0)
        self._chosen = sets.gt.matched(sets.real.content, every, rng)

    def apart(self) -> "Comparer":
        """Return one with other seeds and, where there are enough, other windows.

        What is chosen by its distances is then not chosen for the windows of these.
        """
        other = copy(self)
        other._seed = APART_SEED
        gt = self._sets.gt
        unused = np.ones(len(gt.pixels), bool)
        unused[self._chosen] = False
        if unused.sum() >= len(self._chosen):
            rng = np.random.default_rng(other._seed)
            other._chosen = gt.matched(self._sets.real.content, unused, rng)
        return other

    def __call__(
        self, options: Mapping[str, Any]
    ) -> tuple[dict[str, float], np.ndarray]:
        """Return the distances, and the synthetic windows in the real ones' order."""
        found = self.measure(options)
        by_group = distances(found.real, found.synthetic, self._sets.names)
        return by_group, found.windows

    def measure(self, options: Mapping[str, Any]) -> WindowStatistics:
        """Return the statistics of the real windows and of those that options make."""
        chosen = self._chosen
        tasks = []
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            tasks.append(Task(options, batch, self._seed + start))
        windows = np.concatenate(list(self._simulator.degrade(tasks)))
        found = statistics_array(windows)

        # As if all windows showed the mean of what the real ones show: linearly.
        shown = self._sets.gt.content[chosen]
        wanted = self._sets.real.content
        slopes, _ = content_slopes([shown], [found])
        mean = wanted.mean(axis=0)
        return WindowStatistics(
            real=self._sets.statistics - (wanted - mean) @ slopes,
            synthetic=found - (shown - mean) @ slopes,
            windows=windows,
        )


def degradation(options: LQConfig) -> dict[str, Any]:
    """Return the degradation of options, without the images and the scale."""
    synthesis = SynthesisOptions.model_fields
    kernels = KernelOptions.model_fields
    fields = {*synthesis, *kernels, "gt_usm"}
    return options.model_dump(include=fields)
