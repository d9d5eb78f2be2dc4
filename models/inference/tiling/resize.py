"""Resizing an image of which a few rows come at a time, as Pillow resizes it whole.

Pillow filters rows and then columns. It filters rows here too; the columns' filter is
written anew, because Pillow's takes the whole image. The results are the same, bit for
bit: the weights are computed in the same order (Pillow's Resample.c, 12.0).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Filter:
    """A resampling filter of Pillow.

    Attributes:
        method: Pillow's name of it.
        support: how far it reaches [input pixels, when it does not downscale].
        weight: its value at a distance.
    """

    method: Image.Resampling
    support: float
    weight: Callable[[float], float]


class RowResizer:
    """Resizes a float32 image whose rows are given from top to bottom.

    Args:
        size: (width, height) of the image.
        new_size: (width, height) of the result.
        kind: the filter; it is widened to downscale, so that nothing aliases.
    """

    def __init__(
        self, size: tuple[int, int], new_size: tuple[int, int], kind: Filter
    ) -> None:
        self._width = new_size[0]
        self._method = kind.method
        self._is_higher = size[1] != new_size[1]
        self._taps = _taps(size[1], new_size[1], kind)
        self._next = next(self._taps)
        self._kept: np.ndarray | None = None
        self._first = 0

    def add(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of the result that the given rows complete.

        Args:
            rows: the next rows, (rows, width) or (rows, width, channels).
        """
        rows = self._in_width(rows)
        if not self._is_higher:
            return rows

        kept = rows if self._kept is None else np.concatenate([self._kept, rows])
        end = self._first + len(kept)
        done = []
        while self._next is not None and self._next[0] + len(self._next[1]) <= end:
            begin, weights = self._next
            done.append(_weighted(kept[begin - self._first :], weights))
            self._next = next(self._taps, None)

        needed = end if self._next is None else min(self._next[0], end)
        self._kept = kept[needed - self._first :].copy()
        self._first = needed
        return np.stack(done) if done else rows[:0]

    def _in_width(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the result's width."""
        if rows.ndim == 2:
            return self._plane_in_width(rows)
        planes = [self._plane_in_width(rows[..., c]) for c in range(rows.shape[2])]
        return np.dstack(planes)

    def _plane_in_width(self, plane: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(picture.resize((self._width, len(plane)), self._method))


def _weighted(rows: np.ndarray, weights: list[float]) -> np.ndarray:
    """Return the weighted sum of the first rows, summed in float64 from the top."""
    total = np.zeros(rows.shape[1:])
    for row, weight in zip(rows, weights, strict=False):
        total += np.multiply(row, weight, dtype=np.float64)
    return total.astype(np.float32)


def _taps(
    length: int, new_length: int, kind: Filter
) -> Iterator[tuple[int, list[float]]]:
    """Yield for each row of the result the first input row, and the rows' weights."""
    scale = length / new_length
    widening = max(scale, 1.0)
    reach = kind.support * widening
    for row in range(new_length):
        center = (row + 0.5) * scale
        begin = max(int(center - reach + 0.5), 0)
        end = min(int(center + reach + 0.5), length)

        places = (y - center + 0.5 for y in range(begin, end))
        weights = [kind.weight(place * (1.0 / widening)) for place in places]
        total = sum(weights)
        yield begin, [weight / total for weight in weights]


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0


def _sinc(x: float) -> float:
    if x == 0:
        return 1.0
    x *= math.pi
    return math.sin(x) / x


def _bicubic(x: float) -> float:
    """Return Keys' cubic with a = -0.5."""
    x = abs(x)
    if x < 1:
        return ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * -0.5
    return 0.0


LANCZOS = Filter(Image.Resampling.LANCZOS, 3.0, _lanczos)
BICUBIC = Filter(Image.Resampling.BICUBIC, 2.0, _bicubic)
