"""What a network computes for images of one size: recorded once, then repeated.

A network's layers are walked through in Python once for each size of image. Each
operation is carried out and noted with the addresses that it read and wrote. All later
images of that size only repeat the notes, so that Python adds a microsecond an operation.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from realesrgan_paddle.ops.onednn.primitives import Operation
from realesrgan_paddle.utils.machine.memory import reserve_memory


class Buffer:
    """Memory, in whole pages, that others may use when this object is gone.

    Attributes:
        address: where it begins.
        size: in bytes.
    """

    def __init__(self, recorder: "Recorder", size: int) -> None:
        self.size = size
        self._memory = recorder.memory
        place = self._memory.allocate(size)
        if place is None:
            raise MemoryError("an image does not fit into memory")
        self._place = place
        self.address = self._memory.address + place[0]
        recorder.bytes = max(recorder.bytes, place[1])

    def array(self, dtype: Any, *shape: int) -> np.ndarray:
        """Return the memory as an array of `shape`."""
        begin, _ = self._place
        count = math.prod(shape)
        size = count * np.dtype(dtype).itemsize
        part = self._memory.pages[begin : begin + size]
        values = part.view(dtype)
        return values.reshape(shape)

    def __del__(self) -> None:
        if hasattr(self, "_place"):
            self._memory.released.append(self._place)


class Recorder:
    """Operations in order, and the memory that they work on.

    Args:
        most_bytes: that it may take.

    Attributes:
        memory: addresses of which pages are committed when they are first written to.
        bytes: the most that was in use.
    """

    def __init__(self, most_bytes: float = math.inf) -> None:
        self.memory = reserve_memory(most_bytes)
        self.bytes = 0
        self._zeros = [np.zeros(0, np.uint8)]
        self._calls: list[tuple[Any, Any]] = []
        self._is_bound = False

    def zeros(self, size: int) -> int:
        """Return the address of `size` zero bytes, which nothing may write to."""
        largest = self._zeros[-1]
        if largest.size < size:
            largest = np.zeros(size, np.uint8)
            self._zeros.append(largest)
        return largest.ctypes.data

    def run(self, operation: Operation, addresses: Mapping[int, int]) -> None:
        """Execute a primitive with each argument's memory at these addresses."""
        operation.once(addresses)
        self._calls.append((operation, addresses))

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function now, and in each repetition."""
        function(*arguments)
        self._calls.append((function, arguments))

    def repeat(self) -> None:
        """Do all of it again."""
        if not self._is_bound:
            self._bind()
        for function, arguments in self._calls:
            function(*arguments)

    def _bind(self) -> None:
        """Bind the operations to their memories, which a single image is spared."""
        for i, (operation, addresses) in enumerate(self._calls):
            if isinstance(operation, Operation):
                self._calls[i] = operation.bound(addresses), ()
        self._is_bound = True
