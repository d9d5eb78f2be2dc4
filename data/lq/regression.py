"""Regressions: kernel ridge with its leave-one-out residuals, and slopes over content."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTHS = (0.5, 1.0, 2.0)
"""Widths of the kernel that are tried, in median distances of the samples."""
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Ridges that are tried, in variances of the target."""
LINEAR = 0.3
"""Weight of the linear part of the kernel, so that it extrapolates a little."""

NEAR = 0.2
"""Share of the samples within the distance at which their weight is 1 / e."""


@dataclass(frozen=True)
class Prediction:
    """A target at one point, and how far off such predictions are."""

    value: float
    residuals: np.ndarray
    """Truth minus prediction of each sample that was left out, float64 (N,)."""
    weights: np.ndarray
    """How near each sample is to the point: float64 (N,), sum 1."""
    explained: float
    """Share of the target's variance that is explained, leave-one-out: at most 1."""

    def interval(self, coverage: float) -> tuple[float, float]:
        """Return the limits between which the truth lies with that chance."""
        order = np.argsort(self.residuals)
        residuals = self.residuals[order]
        weights = self.weights[order]
        reached = np.cumsum(weights)
        tail = (1 - coverage) / 2
        first = np.searchsorted(reached, tail)
        beyond = np.searchsorted(reached, 1 - tail)
        last = min(len(order) - 1, int(beyond))
        low = residuals[first]
        high = residuals[last]
        return self.value + low, self.value + high


class Regression:
    """Regresses targets on the same samples and predicts them at one point."""

    def __init__(self, samples: np.ndarray, point: np.ndarray) -> None:
        """Decompose the kernels.

        Args:
            samples: float64 (N, F), of comparable spread.
            point: float64 (F,).
        """
        distances = _squared_distances(samples, samples)
        to_point = _squared_distances(samples, point[None])[:, 0]
        median = np.median(distances) + 1e-9
        products = samples @ samples.T
        to_products = samples @ point
        self._parts = []
        for width in WIDTHS:
            scale = median * width**2
            kernel = _kernel(distances, products, scale)
            values, vectors = np.linalg.eigh(kernel)
            beside = _kernel(to_point, to_products, scale)
            self._parts.append((np.maximum(values, 0), vectors, beside))

        reach = np.quantile(to_point, NEAR) + 1e-9
        nearness = np.exp(-to_point / reach)
        self._weights = nearness / nearness.sum()

    def predict(self, targets: np.ndarray) -> Prediction:
        """Return a target, given as float64 (N,) for the samples, at the point.

        Width and ridge are those with the smallest leave-one-out residuals; the mean
        where that predicts better than all of them.
        """
        mean = targets.mean()
        spread = targets.std() + 1e-9
        wanted = (targets - mean) / spread
        best: tuple[float, float, np.ndarray] = (1.0, 0.0, wanted)
        for values, vectors, beside in self._parts:
            rotated = vectors.T @ wanted
            for ridge in RIDGES:
                inverse = 1 / (values + ridge)
                weights = vectors @ (inverse * rotated)
                residuals = weights / ((vectors**2) @ inverse)
                error = float(np.mean(residuals**2))
                if error < best[0]:
                    best = (error, float(beside @ weights), residuals)

        error, value, residuals = best
        return Prediction(
            value=mean + spread * value,
            residuals=residuals * spread,
            weights=self._weights,
            explained=1 - error,
        )


def _kernel(distances: np.ndarray, products: np.ndarray, scale: float) -> np.ndarray:
    gaussian = np.exp(-distances / scale)
    linear = LINEAR * products / scale
    return gaussian + linear


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    products = one @ other.T
    one_lengths = (one**2).sum(axis=1)
    other_lengths = (other**2).sum(axis=1)
    lengths = one_lengths[:, None] + other_lengths
    squares = lengths - 2 * products
    return np.maximum(squares, 0)


def content_slopes(
    contents: Sequence[np.ndarray], statistics: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slopes of statistics over what windows show, within sets of windows.

    float64 (C, F); and the variance of what they do not explain, float64 (F,).

    Args:
        contents: what the windows of each set show, float64 (n, C).
        statistics: of the same windows, float64 (n, F).
    """
    shown_all = np.concatenate([shown - shown.mean(axis=0) for shown in contents])
    found_all = np.concatenate([found - found.mean(axis=0) for found in statistics])

    ridge = np.eye(shown_all.shape[1])
    gram = shown_all.T @ shown_all + ridge
    products = shown_all.T @ found_all
    slopes = np.linalg.solve(gram, products)
    explained = shown_all @ slopes
    residuals = found_all - explained
    return slopes, residuals.var(axis=0)


def outlying(features: np.ndarray, point: np.ndarray) -> float:
    """Return how far the point is from its nearest samples, in their own distances."""
    from_point = np.linalg.norm(features - point, axis=1)
    nearest = np.sort(from_point)[:5]
    typical = []
    for row in features[:100]:
        from_row = np.linalg.norm(features - row, axis=1)
        neighbors = np.sort(from_row)[1:6]  # the first is the row itself
        typical.append(neighbors.mean())
    usual = np.quantile(typical, 0.9)
    return float(nearest.mean() / usual)
