"""A range of addresses from which memory is handed out at the lowest free place."""

import mmap
import sys
from bisect import bisect
from collections import deque

import numpy as np

NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""MAP_NORESERVE: otherwise a process with some ranges could not start others.

When it forks, Linux would ask for as much memory again. Python 3.10 has no name for it.
"""
ByteRange = tuple[int, int]
"""Begin and end, in bytes from the start of the memory."""


class Memory:
    """An address range of `size` bytes; pages are committed when first written to.

    Attributes:
        address: where the range begins.
        released: places of tensors that are gone. Tensors may be freed in any thread,
            at any time, even within `allocate`.
    """

    def __init__(self, size: int) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
        pages = mmap.mmap(-1, size, flags)
        self.pages = np.frombuffer(pages, np.uint8)
        self.address: int = self.pages.ctypes.data

        self.released: deque[ByteRange] = deque()
        self._holes = [(0, size)]
        """The free places in order; no two of them touch."""

    def allocate(self, size: int) -> ByteRange | None:
        """Return the lowest free place for `size` bytes, in whole pages, or None."""
        while self.released:
            self._free(*self.released.popleft())

        pages = -(-size // mmap.PAGESIZE)
        size = pages * mmap.PAGESIZE
        for i, (begin, end) in enumerate(self._holes):
            if end - begin >= size:
                rest = (begin + size, end)
                self._holes[i : i + 1] = [rest] if end - begin > size else []
                return begin, begin + size

        return None

    def _free(self, begin: int, end: int) -> None:
        """Add a place to the holes, joined with the holes that it touches."""
        holes = self._holes
        i = bisect(holes, (begin, end))

        next_touches = i < len(holes) and holes[i][0] == end
        if next_touches:
            _, end = holes.pop(i)

        previous_touches = i > 0 and holes[i - 1][1] == begin
        if previous_touches:
            i -= 1
            begin, _ = holes.pop(i)

        holes.insert(i, (begin, end))
