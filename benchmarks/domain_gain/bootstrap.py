"""The bootstrap over clips: intervals of mean differences between arms.

It (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13) draws
images with replacement and looks at how much their mean varies. Images of one clip
resemble each other, so whole groups are drawn (the cluster bootstrap, Davison and
Hinkley 1997, section 3.8).

Its percentiles are too narrow for a few groups. So they are expanded as Hesterberg 2015,
"What Teachers Should Know About the Bootstrap", section 4.1.2, does: to where Student's t
has them, times sqrt(n / (n - 1)). The interval of 5 clips contains the truth in 91 % of
trials, of 12 in 94 to 95 %.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, stdtrit

from realesrgan_paddle.utils.paired import Interval

FEWEST_GROUPS = 5
"""Fewer say nothing: of four groups, not even the whole range of their means contains the
truth in more than 1 - 2 / 2^4 = 88 % of all cases, of five in 94 %."""
LEVEL = 0.95
"""How often an interval is to contain the true mean."""
DRAWS = 10_000
"""Means that are drawn."""


def bootstrap_interval(
    differences: Sequence[float], groups: Sequence[str] | None = None
) -> Interval:
    """Return the mean of the differences and its bootstrap interval.

    The same arguments give the same interval.

    Args:
        differences: of each image, one method's metric less the other's; at least one,
            all finite.
        groups: the clip of each image, by any name; None: each image is its own.

    Raises:
        ValueError: there are no differences, one is not finite, or `groups` has another
            length.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite numbers, not {differences}")
    sums, sizes = group_sums(values, groups)
    count = len(sums)
    mean = float(values.mean())
    if count == 1:
        return Interval(mean, -np.inf, np.inf, count)

    generator = np.random.default_rng(0)
    drawn = generator.integers(0, count, (DRAWS, count))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)

    tail = expanded_tail(count)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), count)


def group_sums(
    values: np.ndarray, groups: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the values of each group, and how many there are: (G,), (G,)."""
    if groups is None:
        return values, np.ones(len(values))
    if len(groups) != len(values):
        raise ValueError(f"{len(values)} differences, but {len(groups)} groups")
    _, indices = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.bincount(indices, weights=values), np.bincount(indices)


def expanded_tail(count: int) -> float:
    """Return the share of drawn means outside each end; (1 - LEVEL) / 2 for many groups.

    Args:
        count: of groups, at least 2.
    """
    freedom = count - 1
    student = stdtrit(freedom, (1 + LEVEL) / 2)
    wider = np.sqrt(count / freedom)
    return float(ndtr(-student * wider))
