"""Statistical tests of random values, collected by the names of what was drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

SMALLEST_P = 1e-4
"""Of some two hundred tests on one seed, none gets a smaller p-value by chance."""


class Distributions:
    """The p-values of tests that random values have their distributions.

    Continuous values get the Kolmogorov-Smirnov test, discrete ones Pearson's
    chi-squared test. A test has the name of what was drawn, and perhaps more words.
    """

    def __init__(self) -> None:
        self.p_values: dict[str, float] = {}

    def uniform(self, name: str, values: Sequence, low: float, high: float) -> None:
        """Test values that should be uniform in [low, high]."""
        values = self._enough(name, values)
        assert low <= values.min() and values.max() <= high + 1e-5, name
        expected = stats.uniform(low, high - low)
        self._add(name, stats.kstest(values, expected.cdf).pvalue)

    def choice(self, name: str, values: Sequence, expected: Mapping) -> None:
        """Test values that should have the `expected` probabilities."""
        count = len(self._enough(name, values))
        assert abs(sum(expected.values()) - 1) < 1e-9, name
        found = Counter(values)
        assert found.keys() <= expected.keys(), name
        frequencies = [found[value] for value in expected]
        means = [probability * count for probability in expected.values()]
        self._add(name, stats.chisquare(frequencies, means).pvalue)

    def event(self, name: str, values: Sequence, probability: float) -> None:
        """Test values that should be true (or not None) with a probability."""
        occurred = [bool(value) for value in values]
        self.choice(name, occurred, {True: probability, False: 1 - probability})

    def around_one(self, name: str, values: Sequence, low: float, high: float) -> None:
        """Test values that should be uniform below 1 and above it, half of them each."""
        values = np.asarray(values)
        below = values < 1
        self.event(f"{name} below", below, 0.5)
        self.uniform(f"{name} low", values[below], low, 1)
        self.uniform(f"{name} high", values[~below], 1, high)

    @property
    def tested(self) -> set[str]:
        """The first words of the tests' names: what was drawn."""
        return {name.split()[0] for name in self.p_values}

    def assert_likely(self) -> None:
        """Assert that no p-value is too small."""
        unlikely = {n: p for n, p in self.p_values.items() if not p > SMALLEST_P}
        assert not unlikely

    def _add(self, name: str, p_value: float) -> None:
        assert name not in self.p_values, f"two tests of {name}"
        self.p_values[name] = p_value

    @staticmethod
    def _enough(name: str, values: Sequence) -> np.ndarray:
        assert len(values) > 100, f"too few values of {name}"
        return np.asarray(values)


def equal(values: Sequence) -> dict:
    """Return equal probabilities for some values."""
    return dict.fromkeys(values, 1 / len(values))


def rounded(low: float, high: float) -> dict[int, float]:
    """Return the probabilities of rounded values that were uniform in [low, high]."""
    probabilities = {}
    for number in range(round(low), round(high) + 1):
        width = min(number + 0.5, high) - max(number - 0.5, low)
        if width > 0:
            probabilities[number] = width / (high - low)
    return probabilities
