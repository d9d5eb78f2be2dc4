"""By how much one method is better than another on the same images, and how sure that is.

Images that resemble each other, as those of one clip or moment do, are one unit: its mean
difference counts. The interval is Student's, paired, over the units (Student 1908, "The
Probable Error of a Mean"), which holds for two of them already where differences are
normally distributed. Units of a few clips are treated as if they were drawn from one
pot: what the clips differ by then widens the interval, which is to be safe rather than
narrow. (With a variance of its own for each clip, pooled, it contained the truth in as
little as 84 % of cases where clips vary unequally.)

How often it contains the truth is simulated by benchmarks/verdicts/coverage.py: of the
moments of three clips in 94 % of cases and more, of clips in 91 to 96 %
(docs/measurements.md, "What the verdict's intervals hold").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

FEWEST_UNITS = 4
"""Fewer say nothing: of three, an interval is 2.5 standard deviations of the units to each
side, of four 1.6; with four moments of three clips the gain of five minutes of training
was told in 99 to 100 % of simulated sets."""


@dataclass(frozen=True)
class Interval:
    """A mean difference, and where the true one probably lies."""

    mean: float
    low: float
    high: float
    count: int
    """Of units: moments, clips, or images where each stands for itself."""
    higher: int = 0
    """Of these, how many are above zero."""
    lower: int = 0
    """How many are below."""

    @property
    def is_known(self) -> bool:
        """Whether there are enough units for `low` and `high` to mean something."""
        return self.count >= FEWEST_UNITS


def paired_interval(
    differences: Sequence[float],
    units: Sequence[str] | None = None,
    *,
    level: float = 0.95,
) -> Interval:
    """Return the mean of the units' differences and its interval.

    Args:
        differences: of each image, one method's metric less the other's; at least one,
            all finite.
        units: the unit of each image, by any name; None: each image is its own.
        level: how often the interval is to contain the true mean, between 0 and 1.

    Raises:
        ValueError: there are no differences, one is not finite, or `units` has another
            length.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"differences must be finite numbers, not {differences}")

    means = _unit_means(values, units)
    count = len(means)
    mean = float(means.mean())
    half = np.inf
    if count > 1:
        student = stdtrit(count - 1, (1 + level) / 2)
        half = float(student * means.std(ddof=1) / np.sqrt(count))
    return Interval(
        mean,
        mean - half,
        mean + half,
        count,
        higher=int((means > 0).sum()),
        lower=int((means < 0).sum()),
    )


def _unit_means(values: np.ndarray, units: Sequence[str] | None) -> np.ndarray:
    """Return the mean of the values of each unit (U,)."""
    if units is None:
        return values
    if len(units) != len(values):
        raise ValueError(f"{len(values)} differences, but {len(units)} units")
    _, indices = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    return np.bincount(indices, weights=values) / np.bincount(indices)
