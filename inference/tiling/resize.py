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
        resampling: the filter; it is widened to downscale, so that nothing aliases.
    """

    def __init__(
        self, size: tuple[int, int], new_size: tuple[int, int], resampling: Filter
    ) -> None:
        self._width = new_size[0]
        self._method = resampling.method
        height, new_height = size[1], new_size[1]
        self._changes_height = height != new_height
        self._taps = _taps(height, new_height, resampling)
        self._next = next(self._taps, None)
        self._kept: np.ndarray | None = None
        self._first = 0

    def add(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of the result that the given rows complete.

        Args:
            rows: the next rows, (rows, width) or (rows, width, channels).
        """
        rows = self._in_width(rows)
        if not self._changes_height:
            return rows

        if self._kept is not None:
            rows = np.concatenate([self._kept, rows])
        end = self._first + len(rows)

        done = []
        while self._next is not None and self._next.end <= end:
            used = rows[self._next.begin - self._first :]
            done.append(self._next.sum_of(used))
            self._next = next(self._taps, None)

        begin = end
        if self._next is not None:
            begin = min(self._next.begin, end)
        self._kept = rows[begin - self._first :].copy()
        self._first = begin
        return np.stack(done) if done else rows[:0]

    def _in_width(self, rows: np.ndarray) -> np.ndarray:
        """Return rows of the result's width."""
        if rows.ndim == 2:
            return self._channel_in_width(rows)
        channels = np.moveaxis(rows, 2, 0)
        return np.dstack([self._channel_in_width(channel) for channel in channels])

    def _channel_in_width(self, channel: np.ndarray) -> np.ndarray:
        new_size = (self._width, len(channel))
        image = Image.fromarray(np.ascontiguousarray(channel))
        resized = image.resize(new_size, self._method)
        return np.asarray(resized)


@dataclass(frozen=True)
class Taps:
    """What a row of the result is made of: rows of the image, from `begin` on."""

    begin: int
    weights: list[float]

    @property
    def end(self) -> int:
        """The row after the last."""
        return self.begin + len(self.weights)

    def sum_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the weighted sum of the first rows, in float64 from the top."""
        total = np.zeros(rows.shape[1:])
        for row, weight in zip(rows, self.weights, strict=False):
            weighted = np.multiply(row, weight, dtype=np.float64)
            total += weighted
        return total.astype(np.float32)


def _taps(length: int, new_length: int, resampling: Filter) -> Iterator[Taps]:
    """Yield what each row of the result is made of."""
    scale = length / new_length
    widening = max(scale, 1.0)
    reach = resampling.support * widening
    for row in range(new_length):
        center = (row + 0.5) * scale
        begin = max(int(center - reach + 0.5), 0)
        end = min(int(center + reach + 0.5), length)

        distances = (y - center + 0.5 for y in range(begin, end))
        weights = [resampling.weight(x * (1.0 / widening)) for x in distances]
        total = sum(weights)
        yield Taps(begin, [weight / total for weight in weights])


def _lanczos(x: float) -> float:
    if not -3 <= x < 3:
        return 0.0
    window = _sinc(x / 3)
    return _sinc(x) * window


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
