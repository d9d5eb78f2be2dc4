"""Which methods leave a regular grid in their images."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from realesrgan_paddle.judging.comparison import BICUBIC
from realesrgan_paddle.judging.findings import GRIDDED
from realesrgan_paddle.options.schema.validation import GRID_LIMIT

GT = "ground truth"
"""The column of the ground truth."""


@dataclass(frozen=True)
class Grids:
    """The mean grid index of each method, and which methods leave a grid."""

    indices: dict[str, float]
    """NaN if all images are too small for an index."""

    @classmethod
    def of(cls, grid_indices: Sequence[Mapping[str, float]]) -> "Grids":
        """Return the means over the images; each has the indices by method."""
        indices = {}
        methods = {name: None for each in grid_indices for name in each}
        for method in methods:
            known = []
            for each in grid_indices:
                index = each.get(method, math.nan)
                if not math.isnan(index):
                    known.append(index)
            indices[method] = sum(known) / len(known) if known else math.nan
        return cls(indices)

    @property
    def usual(self) -> float:
        """The index that pictures have: 1, or that of bicubic or the ground truth."""
        bicubic = self.indices[BICUBIC]
        truth = self.indices.get(GT, 1.0)
        return max(1.0, bicubic, truth)

    @property
    def limit(self) -> float:
        """The index above which a regular grid shows."""
        return GRID_LIMIT * self.usual

    def shows(self, method: str) -> bool:
        """Return whether a regular grid shows in the method's images."""
        index = self.indices[method]
        return index > self.limit

    def warnings(self, methods: Iterable[str]) -> list[str]:
        """Return a line for each of the methods in whose images a grid shows."""
        flagged = filter(self.shows, methods)
        return list(map(self._warning, flagged))

    def _warning(self, method: str) -> str:
        return (
            f"{method}: {GRIDDED.said} in its images: grid index {self.indices[method]:.2f}, "
            f"usual is up to {self.limit:.2f}; its other metrics say little, look at flat "
            f"areas and edges; {GRIDDED.advice}"
        )
