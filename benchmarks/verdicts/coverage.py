"""How often the interval of `paired_interval` contains the true mean, by simulation.

python benchmarks/verdicts/coverage.py
"""

from collections.abc import Callable

import numpy as np

from realesrgan_paddle.utils.paired import paired_interval

COUNTS = (4, 5, 6, 8, 12, 20, 30)
TRIALS = 2000
DRAWS = 2000
"""Fewer than usual: the simulation takes half a minute."""
LARGEST_GROUP = 6
"""Images of a clip: 1 to as many. Half of their variance is the clip's."""

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, list[str] | None]]
"""Returns differences whose true mean is 0, and their groups."""


def normal(rng: np.random.Generator, count: int) -> tuple[np.ndarray, None]:
    """Images that stand for themselves."""
    return rng.normal(size=count), None


def skewed(rng: np.random.Generator, count: int) -> tuple[np.ndarray, None]:
    """Exponential: most images gain little, a few much."""
    return rng.exponential(size=count) - 1, None


def heavy(rng: np.random.Generator, count: int) -> tuple[np.ndarray, None]:
    """Student's t with 3 degrees of freedom: outliers to both sides."""
    return rng.standard_t(3, size=count), None


def clips(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[str]]:
    """Images of `count` clips of different lengths."""
    values, groups = [], []
    for clip in range(count):
        size = rng.integers(1, LARGEST_GROUP, endpoint=True)
        values.append(rng.normal() + rng.normal(size=size))
        groups += [str(clip)] * size
    return np.concatenate(values), groups


def coverage(draw: Draw, count: int) -> float:
    """Return the share of intervals that contain 0."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(TRIALS):
        differences, groups = draw(rng, count)
        found = paired_interval(differences, groups, draws=DRAWS)
        hits += found.low <= 0 <= found.high
    return hits / TRIALS


def main() -> None:
    """Print the table."""
    print("groups".ljust(12) + "".join(f"{count:>6}" for count in COUNTS))
    for draw in (normal, skewed, heavy, clips):
        shares = [coverage(draw, count) for count in COUNTS]
        row = "".join(f"{share:>6.2f}" for share in shares)
        print(f"{draw.__name__:<12}{row}", flush=True)


if __name__ == "__main__":
    main()
