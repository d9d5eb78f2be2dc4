"""Memory for large tensors that is kept for the next step, and given out again without gaps.

Paddle asks the system's allocator for each tensor, at an address that 4096 divides.
glibc cuts the rest off, small objects settle there, and when the tensor is freed,
another of its size no longer fits where it was: a step held up to twice the memory of
the tensors that were alive (docs/training-speed.md). Here tensors lie in whole pages,
of one range of addresses, each at the lowest that is free. Pages that were used stay
with the process: the system would have to clear them again in each step.
"""

import math
import mmap
import os
from bisect import bisect
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor
from paddle.utils import dlpack

DType = Literal["float32", "int16", "uint8"]
LARGE = 2**22
"""Bytes of a tensor that lies here; smaller ones are Paddle's own, which are made in half the time (11 us)."""
_BYTES = {"float32": 4, "int16": 2, "uint8": 1}
Place = tuple[int, int]
"""Where bytes begin and end in the range."""


def empty(shape: Sequence[int], dtype: DType = "float32") -> Tensor:
    """Return a tensor whose numbers are not set, as `paddle.empty` does. One thread at a time may ask for them."""
    size = _BYTES[dtype] * math.prod(shape)
    place = _memory().take(size) if size >= LARGE else None
    if place is None:
        return paddle.empty(shape, dtype)
    array = np.asarray(_Block(_memory(), place, tuple(shape), np.dtype(dtype).str))
    return dlpack.from_dlpack(
        array.__dlpack__()
    )  # which holds the array, which holds the block


def picture(tensor: Tensor, i: int) -> int:
    """Return the address of picture i of a contiguous float32 tensor whose first dimension they are."""
    return tensor.data_ptr() + 4 * i * math.prod(tensor.shape[1:])


class Memory:
    """A range of addresses of `size` bytes; pages are the system's until they are first written to."""

    def __init__(self, size: int) -> None:
        self._pages = np.frombuffer(
            mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8
        )
        self.address: int = self._pages.ctypes.data
        self.given_back: deque[Place] = deque()
        """Places that no tensor is in any more. Tensors may end in any thread, at any time, even within `take`."""
        self._holes = [(0, size)]
        """The places that are free, in their order; no two of them touch."""

    def take(self, size: int) -> Place | None:
        """Return the lowest free place for so many bytes, whole pages; None if there is none."""
        while self.given_back:
            self._free(*self.given_back.popleft())
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        for i, (begin, end) in enumerate(self._holes):
            if end - begin >= size:
                self._holes[i : i + 1] = (
                    [(begin + size, end)] if end - begin > size else []
                )
                return begin, begin + size
        return None

    def _free(self, begin: int, end: int) -> None:
        i = bisect(self._holes, (begin, end))
        if i < len(self._holes) and self._holes[i][0] == end:
            end = self._holes.pop(i)[1]
        if i > 0 and self._holes[i - 1][1] == begin:
            begin = self._holes.pop(i - 1)[0]
            i -= 1
        self._holes.insert(i, (begin, end))


class _Block:
    """A tensor's place; it is given back with the last reference to the array that NumPy makes of this."""

    def __init__(
        self, memory: Memory, place: Place, shape: tuple[int, ...], dtype: str
    ) -> None:
        self.memory, self.place = memory, place
        where = memory.address + place[0], False
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype,
            "data": where,
        }

    def __del__(self) -> None:
        self.memory.given_back.append(self.place)


@cache
def _memory() -> Memory:
    """Return as many addresses as the machine has memory; or too few for any tensor, where that cannot be had.

    So it is where the system will not give so many, and with Paddle 2, whose
    `from_dlpack` copies.
    """
    if not paddle.__version__.startswith("2."):
        with suppress(OSError):
            return Memory(os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE)
    return Memory(mmap.PAGESIZE)
