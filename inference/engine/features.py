"""Features of an image in the memory layout of the engine.

The rows of an image lie in planes by their number modulo the number of planes: four at the
network's input size, eight and sixteen where it is twice and four times as large. Each
plane has all channels, blocked: (C / BLOCK, rows, W, BLOCK). So every operation of
`winograd.py` reads and writes memory without gaps.
"""

import math
from ctypes import memset
from dataclasses import dataclass
from functools import lru_cache

from typing_extensions import Self

from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.ops.onednn.library import BYTES, DST, SRC
from realesrgan_paddle.ops.onednn.primitives import BLOCK, Copy, flat, reorder

CACHE_SIZE = 64
GROUP = 4
"""Rows that are computed together."""


@dataclass(frozen=True)
class Size:
    """Of features: `planes` planes of `rows` rows hold an image of height x width.

    The last rows of some planes may lie below the image; they are zero.
    """

    height: int
    width: int
    planes: int

    @property
    def rows(self) -> int:
        """Rows of each plane."""
        return math.ceil(self.height / self.planes)

    def doubled(self) -> "Size":
        """Return the size of an image that is twice as large."""
        height = 2 * self.height
        width = 2 * self.width
        planes = 2 * self.planes
        return Size(height, width, planes)


def padded(channels: int) -> int:
    """Return the channels in memory: whole blocks."""
    return -(-channels // BLOCK) * BLOCK


@lru_cache(CACHE_SIZE)
def rounding(elements: int, dtype: int, out_dtype: int) -> Copy:
    """Return the copy of elements in a row to another dtype."""
    source = flat(elements, dtype)
    target = flat(elements, out_dtype)
    return reorder(source, target)


class Planes:
    """Features of one image.

    Attributes:
        size: of the image.
        channels: without those that fill the last block, which are zero.
        dtype: F32 or BF16.
        addresses: of each plane.

    Args:
        share: so many planes, one after another, are one and the same.
    """

    def __init__(
        self, recorder: Recorder, size: Size, channels: int, dtype: int, share: int = 1
    ) -> None:
        self.recorder = recorder
        self.size = size
        self.channels = channels
        self.dtype = dtype
        row = size.width * BLOCK * BYTES[dtype]
        plane = padded(channels) // BLOCK * size.rows * row

        # The first and the last plane are also read a row earlier and later.
        self._buffers: list[Buffer] = [
            Buffer(recorder, plane + 2 * row) for _ in range(size.planes // share)
        ]
        begins = [buffer.address + row for buffer in self._buffers]
        self.addresses = [address for address in begins for _ in range(share)]
        self.row_bytes = row

    @property
    def elements(self) -> int:
        """Of one plane."""
        channels = padded(self.channels)
        pixels = self.size.rows * self.size.width
        return channels * pixels

    def rounded_to(self, dtype: int) -> Self:
        """Return the features in another dtype, or these."""
        if dtype == self.dtype:
            return self
        result = type(self)(self.recorder, self.size, self.channels, dtype)
        copy = rounding(self.elements, self.dtype, dtype)
        for source, target in zip(self.addresses, result.addresses, strict=True):
            self.recorder.run(copy, {SRC: source, DST: target})
        return result

    def clear_below(self) -> None:
        """Make the rows below the image zero: they are its padding."""
        rows = self.size.rows
        blocks = padded(self.channels) // BLOCK
        first_of_last = self.size.planes * (rows - 1)
        for number, address in enumerate(self.addresses):
            if first_of_last + number < self.size.height:
                continue
            for block in range(1, blocks + 1):
                row = block * rows - 1
                begin = address + row * self.row_bytes
                self.recorder.call(memset, begin, 0, self.row_bytes)
