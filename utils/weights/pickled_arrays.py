"""The allow-list for plain containers and NumPy arrays, and a stand-in for each name.

NumPy's own functions allocate the shape that a file declares, and can make arrays of
Python objects. The stand-ins only keep what the pickle says, after comparing the
declared size with the number of bytes that are there.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from realesrgan_paddle.utils.weights.unpickle import (
    Allowed,
    DamagedError,
    Global,
    UnreadableError,
    is_short_key,
)

MAX_DIMENSIONS = 8

MAX_ELEMENTS = 2**40
"""So small that no product of sizes and strides comes near 64 bits."""

_DTYPE_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_NOT_NUMBERS = "holds an array of something else than plain numbers"
_IMPOSSIBLE = "declares an array with an impossible shape"


def element_count(shape: object) -> int:
    """Return the number of elements of a declared shape.

    Raises:
        UnreadableError: it is no shape, or one that is too large.
    """
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS:
        raise UnreadableError(_IMPOSSIBLE)
    for size in shape:
        if type(size) is not int or not 0 <= size <= MAX_ELEMENTS:
            raise UnreadableError(_IMPOSSIBLE)
    # Zeros count as ones, to refuse (0, 2**40, 2**40) too.
    extent = math.prod(max(size, 1) for size in shape)
    if extent > MAX_ELEMENTS:
        raise UnreadableError(_IMPOSSIBLE)
    return math.prod(shape)


@dataclass(frozen=True)
class Latin1:
    """Bytes that pickle protocol 2 writes as text, not decoded until they are needed.

    The file may ask a million times for a copy.
    """

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
        """Take the byte order from NumPy's (version, order, subarray, names, ...)."""
        match state:
            case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                self.dtype = self.dtype.newbyteorder("<" if order == "=" else order)
            case _:
                raise UnreadableError(_NOT_NUMBERS)


class PickledArray:
    """An array of plain numbers, as a pickle describes it: empty until `set_state`."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = (0,)
        self._dtype = np.dtype("u1")
        self._fortran = False
        self._data: bytes | bytearray | str = b""

    def set_state(self, state: object) -> None:
        """Take NumPy's (version, shape, dtype, is Fortran order, data)."""
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

        self._shape = shape
        self._dtype = dtype
        self._fortran = fortran
        self._data = data

    @property
    def array(self) -> np.ndarray:
        """The array, a read-only view of the pickled bytes in the file's byte order."""
        data = self._data
        if isinstance(data, str):
            try:
                data = data.encode("latin-1")
            except UnicodeEncodeError:
                raise DamagedError(
                    "the bytes of an array are spelled with letters beyond Latin-1"
                ) from None
        order: Literal["F", "C"] = "F" if self._fortran else "C"
        return np.ndarray(self._shape, self._dtype, buffer=data, order=order)


def _reconstruct(kind: object, shape: object, code: object) -> PickledArray:
    """Stand in for numpy's `_reconstruct`: only for ndarray, allocating nothing."""
    if kind != Global("numpy.ndarray"):
        raise UnreadableError(_NOT_NUMBERS)
    return PickledArray()


def _frombuffer(
    data: object, dtype: object, shape: object, order: object
) -> PickledArray:
    """Stand in for numpy's `_frombuffer`, which makes arrays in pickle protocol 5."""
    array = PickledArray()
    array.set_state((1, shape, dtype, order == "F", data))
    return array


def _scalar(dtype: object, data: object) -> None:
    """Stand in for numpy's `scalar`: a number, such as the best PSNR, is dropped."""


def _ordered_dict(pairs: object = None) -> dict[str, object]:
    """Stand in for OrderedDict; Python 2 pickles its items as a list of [key, value].

    The list is emptied, so that a file which repeats a long one gets nothing for it.
    """
    made: dict[str, object] = {}
    if pairs is None:
        return made
    if not isinstance(pairs, list):
        raise UnreadableError("holds an OrderedDict whose items are no pairs")
    for pair in pairs:
        match pair:
            case [str(key), value] if is_short_key(key):
                made[key] = value
            case _:
                raise UnreadableError("holds an OrderedDict whose items are no pairs")
    pairs.clear()
    return made


def _tuple(items: object = ()) -> tuple:
    """Stand in for tuple: Paddle pickles a tensor as tuple((name, array)).

    Only a tuple is accepted, because it is returned without a copy.
    """
    if not isinstance(items, tuple):
        raise UnreadableError("calls tuple with something else than a tuple")
    return items


def _encode(text: object, encoding: object) -> Latin1:
    """Stand in for `_codecs.encode`, by which pickle protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnreadableError("encodes text in a way that arrays are not")
    return Latin1(text)


def _no_bytes() -> bytes:
    """Stand in for bytes, by which pickle protocol 2 writes b"" and nothing else."""
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
"""The names that a pickle of plain containers and NumPy arrays may mention."""
