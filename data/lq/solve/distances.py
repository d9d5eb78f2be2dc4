"""How far apart the statistics of two sets of windows are."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import ks_2samp

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
