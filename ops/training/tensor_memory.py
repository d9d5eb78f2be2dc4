"""Memory of tensors: an allocator for large ones, and their addresses.

Paddle asks the system's allocator for each tensor, aligned to 4096 bytes. glibc cuts
the rest off, small objects are put there, and when the tensor is freed, another of its
size no longer fits in its place: a step took up to twice the memory of its live tensors
(docs/training-speed.md). Here tensors take whole pages from one address range, each at
the lowest free place. Used pages stay with the process: otherwise the system would have
to clear them again in each step.
"""

import math
import mmap
from collections.abc import Sequence
from contextlib import suppress
from ctypes import c_float
from functools import cache
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor
from paddle.utils import dlpack

from realesrgan_paddle.utils.machine.memory import (
    AddressRange,
    ByteRange,
    reserve_memory,
)

DType = Literal["float32", "int16", "uint8"]
_BYTES = {"float32": 4, "int16": 2, "uint8": 1}

LARGE = 2**22
"""Bytes from which a tensor is allocated here rather than by Paddle.

Paddle makes a tensor in half the time (11 us).
"""


def empty(shape: Sequence[int], dtype: DType = "float32") -> Tensor:
    """Return an uninitialized tensor, as `paddle.empty` does.

    Only one thread at a time may call this.
    """
    size = _BYTES[dtype] * math.prod(shape)
    if size < LARGE:
        return paddle.empty(shape, dtype)

    memory = _memory()
    place = memory.allocate(size)
    if place is None:
        return paddle.empty(shape, dtype)

    block = _Block(memory, place, tuple(shape), np.dtype(dtype).str)
    array = np.asarray(block)
    # The tensor keeps the array alive, and the array the block.
    return dlpack.from_dlpack(array.__dlpack__())


def count(tensor: Tensor) -> int:
    """Return the number of elements; `tensor.size` takes 20 times as long."""
    return math.prod(tensor.shape)


def contiguous(tensor: Tensor) -> Tensor:
    """Return the tensor, or a contiguous copy if it is a strided view."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def array_of(tensor: Tensor) -> np.ndarray:
    """Return an array on the memory of a contiguous float32 tensor.

    It is valid as long as the tensor lives.
    """
    pointer = c_float * count(tensor)
    memory = pointer.from_address(tensor.data_ptr())
    return np.ctypeslib.as_array(memory).reshape(tensor.shape)


def image_address(tensor: Tensor, i: int) -> int:
    """Return the address of image i in a contiguous float32 batch."""
    _, *image_shape = tensor.shape
    image_bytes = 4 * math.prod(image_shape)
    return tensor.data_ptr() + i * image_bytes


class _Block:
    """A tensor's place, released with the last reference to the array made of it."""

    def __init__(
        self, memory: AddressRange, place: ByteRange, shape: tuple[int, ...], dtype: str
    ) -> None:
        self.memory = memory
        self.place = place

        address = memory.address + place[0]
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype,
            "data": (address, False),  # not read-only
        }

    def __del__(self) -> None:
        self.memory.released.append(self.place)


@cache
def _memory() -> AddressRange:
    """Return an address range for large tensors; see `reserve_memory`.

    One page, too little for any tensor, if the system refuses that, and with Paddle 2,
    whose `from_dlpack` copies.
    """
    if not paddle.__version__.startswith("2."):
        with suppress(MemoryError):
            return reserve_memory()

    return AddressRange(mmap.PAGESIZE)
