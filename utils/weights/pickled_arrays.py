"""The allow-list for plain containers and NumPy arrays: what is called for each name a harmless pickle may hold.

NumPy's own functions allocate the shape they are told and can make arrays of Python
objects. These stand-ins only keep what the pickle says, after comparing the declared
size with the bytes that are there.
"""

import math
from dataclasses import dataclass

import numpy as np

from realesrgan_paddle.utils.weights.unpickle import (
    Allowed,
    DamagedError,
    Global,
    UnreadableError,
)

MAX_DIMENSIONS = 8
MAX_ELEMENTS = (
    2**40
)  # with it no product of sizes, strides included, comes near 64 bits

_DTYPE_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_NOT_NUMBERS = "holds an array of something else than plain numbers"
_IMPOSSIBLE = "declares an array with an impossible shape"


def element_count(shape: object) -> int:
    """Return the number of elements of a `shape` that a file declares, after checking that it is one."""
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS:
        raise UnreadableError(_IMPOSSIBLE)
    if not all(type(size) is int and 0 <= size <= MAX_ELEMENTS for size in shape):
        raise UnreadableError(_IMPOSSIBLE)
    if (
        math.prod(max(size, 1) for size in shape) > MAX_ELEMENTS
    ):  # also bounds (0, 2**40, 2**40)
        raise UnreadableError(_IMPOSSIBLE)
    return math.prod(shape)


@dataclass(frozen=True)
class Latin1:
    """Bytes that pickle protocol 2 spells as text, kept as text: the file may ask a million times for a copy."""

    text: str


class PickledDtype:
    """The type of an array of plain numbers, as a pickle describes it."""

    def __init__(
        self, code: object, align: object = False, copy: object = False
    ) -> None:
        if type(code) is not str or code not in _DTYPE_CODES:
            raise UnreadableError(_NOT_NUMBERS)
        self.dtype = np.dtype(code)

    def set_state(self, state: object) -> None:
        """Take the byte order from NumPy's (version, order, subarray, names, fields, ...)."""
        match state:
            case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self.dtype = self.dtype.newbyteorder("<" if order == "=" else order)
            case _:
                raise UnreadableError(_NOT_NUMBERS)


class PickledArray:
    """An array of plain numbers, as a pickle describes it: empty until its state is set."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = (0,)
        self._dtype = np.dtype("u1")
        self._fortran = False
        self._data: bytes | bytearray | str = b""

    def set_state(self, state: object) -> None:
        """Take NumPy's (version, shape, dtype, whether in Fortran order, data) if shape and data agree."""
        match state:
            case (int(), tuple(shape), PickledDtype(dtype=dtype), bool(fortran), data):
                data = data.text if isinstance(data, Latin1) else data
            case _:
                raise UnreadableError(_NOT_NUMBERS)
        if not isinstance(data, bytes | bytearray | str):
            raise UnreadableError(_NOT_NUMBERS)
        declared = element_count(shape) * dtype.itemsize
        if declared != len(data):
            raise DamagedError(f"an array of {declared:,} bytes has {len(data):,}")
        self._shape, self._dtype, self._fortran, self._data = (
            shape,
            dtype,
            fortran,
            data,
        )

    @property
    def array(self) -> np.ndarray:
        """The array as a read-only view of the pickled bytes, in the byte order of the file."""
        try:
            data = (
                self._data.encode("latin-1")
                if isinstance(self._data, str)
                else self._data
            )
        except UnicodeEncodeError:
            raise DamagedError(
                "the bytes of an array are spelled with letters beyond Latin-1"
            ) from None
        return np.ndarray(
            self._shape, self._dtype, buffer=data, order="F" if self._fortran else "C"
        )


def _reconstruct(kind: object, shape: object, code: object) -> PickledArray:
    """Stand in for numpy's `_reconstruct`: a subclass of ndarray is not wanted; `shape` is not allocated."""
    if kind != Global("numpy.ndarray"):
        raise UnreadableError(_NOT_NUMBERS)
    return PickledArray()


def _frombuffer(
    data: object, dtype: object, shape: object, order: object
) -> PickledArray:
    """Stand in for numpy's `_frombuffer`, with which pickle protocol 5 spells an array."""
    array = PickledArray()
    array.set_state((1, shape, dtype, order == "F", data))
    return array


def _scalar(dtype: object, data: object) -> None:
    """Stand in for numpy's `scalar`: a single number, such as a best PSNR, is no weight."""


def _ordered_dict(pairs: object = None) -> dict[str, object]:
    """Stand in for OrderedDict, which Python 2 gave its items as a list of [key, value].

    The list is emptied, so a file that asks again and again for a copy of a long one
    gets nothing.
    """
    made: dict[str, object] = {}
    if pairs is None:
        return made
    if not isinstance(pairs, list):
        raise UnreadableError("holds an OrderedDict whose items are no pairs")
    for pair in pairs:
        match pair:
            case [str(key), value]:
                made[key] = value
            case _:
                raise UnreadableError("holds an OrderedDict whose items are no pairs")
    pairs.clear()
    return made


def _tuple(items: object = ()) -> tuple:
    """Stand in for tuple, as which Paddle spells a tensor: (name, array). What is no tuple is not copied."""
    if not isinstance(items, tuple):
        raise UnreadableError("makes a tuple of what is none")
    return items


def _encode(text: object, encoding: object) -> Latin1:
    """Stand in for `_codecs.encode`, as which pickle protocol 2 spells bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnreadableError("encodes text in a way that arrays are not")
    return Latin1(text)


def _no_bytes() -> bytes:
    """Stand in for bytes, as which pickle protocol 2 spells b"" and nothing else."""
    return b""


SAFE_GLOBALS: Allowed = {
    "collections.OrderedDict": _ordered_dict,
    "typing.OrderedDict": _ordered_dict,
    "builtins.tuple": _tuple,
    "__builtin__.tuple": _tuple,
    "__builtin__.bytes": _no_bytes,
    "_codecs.encode": _encode,
    "numpy.ndarray": None,
    "numpy.dtype": PickledDtype,
    "numpy.core.multiarray._reconstruct": _reconstruct,  # numpy 1.x
    "numpy._core.multiarray._reconstruct": _reconstruct,  # numpy 2.x
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _frombuffer,
    "numpy._core.numeric._frombuffer": _frombuffer,
}
