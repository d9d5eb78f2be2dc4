"""Torch's two file formats read without torch: the zip archive, and legacy pickles.

In both, a pickle describes a tensor by a storage (an array of numbers outside the
pickle), an offset, a shape and strides. Layouts: torch/serialization.py, `_save` and
`_legacy_save` (torch 2.x).
"""

import io
import zipfile
from typing import Any

import numpy as np

from realesrgan_paddle.utils.weights.pickled_arrays import (
    MAX_ELEMENTS,
    SAFE_GLOBALS,
    element_count,
)
from realesrgan_paddle.utils.weights.unpickle import (
    Allowed,
    DamagedError,
    Global,
    UnreadableError,
    is_short_key,
    unpickle,
)

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled number with which a legacy file begins."""

_LEGACY_PROTOCOL = 1001

_STORAGE_DTYPES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    # NumPy has no bfloat16; no storage of torch holds uint16
    "torch.BFloat16Storage": "<u2",
    "torch.ByteStorage": "u1",
    "torch.CharStorage": "i1",
    "torch.ShortStorage": "<i2",
    "torch.IntStorage": "<i4",
    "torch.LongStorage": "<i8",
    "torch.BoolStorage": "?",
}


class Storage:
    """Numbers stored outside the pickle; in a legacy file they follow it."""

    def __init__(self, kind: str, numel: int) -> None:
        self.kind = kind
        self.numel = numel
        self.dtype = np.dtype(_STORAGE_DTYPES[kind])
        self.data: bytes | memoryview = b""

    def fill(self, data: bytes | memoryview) -> None:
        """Take the storage's bytes, whose number must be the declared one."""
        declared = self.numel * self.dtype.itemsize
        if declared != len(data):
            raise DamagedError(f"a storage of {declared:,} bytes has {len(data):,}")
        self.data = data


class PickledTensor:
    """A tensor as a pickle describes it: a strided view inside a storage."""

    def __init__(
        self, storage: object, offset: Any, shape: Any, strides: object, *_: object
    ) -> None:
        count = element_count(shape)
        if not isinstance(storage, Storage) or not isinstance(strides, tuple):
            raise UnreadableError("holds a malformed tensor")
        if len(strides) != len(shape):
            raise UnreadableError("holds a malformed tensor")
        for step in (offset, *strides):
            if type(step) is not int or not 0 <= step <= MAX_ELEMENTS:
                raise UnreadableError("holds a tensor with impossible strides")

        last = offset
        for size, step in zip(shape, strides, strict=True):
            last += (size - 1) * step
        if count and last >= storage.numel:
            beyond = last - storage.numel + 1
            raise UnreadableError(
                f"holds a tensor that reaches {beyond:,} numbers beyond its storage"
            )

        self._storage = storage
        self._offset = offset
        self._shape = shape
        self._strides = strides

    @property
    def array(self) -> np.ndarray:
        """The tensor, a read-only strided view; bfloat16 as its bits in uint16."""
        dtype = self._storage.dtype
        if 0 in self._shape:
            return np.empty(self._shape, dtype)
        return np.ndarray(
            self._shape,
            dtype,
            buffer=self._storage.data,
            offset=self._offset * dtype.itemsize,
            strides=[step * dtype.itemsize for step in self._strides],
        )


def _parameter(data: object, *_: object) -> object:
    """Stand in for `_rebuild_parameter`: an nn.Parameter is its tensor."""
    return data


_ALLOWED: Allowed = {
    **SAFE_GLOBALS,
    **dict.fromkeys(_STORAGE_DTYPES),
    "torch._utils._rebuild_tensor": PickledTensor,
    "torch._utils._rebuild_tensor_v2": PickledTensor,
    "torch._utils._rebuild_parameter": _parameter,
}


class _Storages(dict[str, Storage]):
    """The storages of one file by key."""

    def refer(self, persistent_id: object) -> Storage:
        """Return the storage of torch's ("storage", type, key, device, numel)."""
        match persistent_id:
            case ("storage", Global(name=kind), str(key), str(), int(numel), *view) if (
                kind in _STORAGE_DTYPES and is_short_key(key)
            ):
                element_count((numel,))
            case _:
                raise UnreadableError("holds a malformed reference to a storage")
        storage = self.setdefault(key, Storage(kind, numel))
        is_view = view not in ([], [None])
        if (storage.kind, storage.numel) != (kind, numel) or is_view:
            raise UnreadableError(f"refers to the storage {key[:40]!r} in two ways")
        return storage


def read_torch_zip(data: bytes) -> object:
    """Return the content of a file of `torch.save` (torch >= 1.6).

    Tensors are `PickledTensor`.

    Raises:
        UnreadableError: it is damaged or compressed, mentions what no weight file
            needs, or declares other sizes than it holds.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = _checked_names(archive, len(data))
            return _read_archive(archive, names)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise DamagedError(str(error)) from None


def _checked_names(archive: zipfile.ZipFile, size: int) -> set[str]:
    """Return the names of an archive after checking its entries against its size."""
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise UnreadableError(
            "a zip archive with two entries of one name, which torch does not write"
        )
    for entry in entries:
        encrypted = entry.flag_bits & 1
        if entry.compress_type != zipfile.ZIP_STORED or encrypted:
            raise UnreadableError(
                "a compressed or encrypted zip archive, which torch does not write; "
                "is the weight file inside it?"
            )
    if not all(0 <= entry.header_offset < size for entry in entries):
        raise DamagedError("an entry lies outside the file")
    if sum(entry.file_size for entry in entries) > size:
        raise UnreadableError(
            f"a zip archive of {size:,} bytes whose entries declare more than that"
        )
    return names


def _read_archive(archive: zipfile.ZipFile, names: set[str]) -> object:
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnreadableError(
            "a zip archive, but not one of torch (it has no data.pkl)"
        )
    folder = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(f"{folder}code/") for name in names):
        raise UnreadableError(
            "a TorchScript program, not weights; save its state_dict() with torch"
        )
    byteorder = f"{folder}byteorder"
    if byteorder in names and archive.read(byteorder) != b"little":
        raise UnreadableError("written on a big-endian machine, which is not supported")

    storages = _Storages()
    content = unpickle(io.BytesIO(archive.read(pickles[0])), _ALLOWED, storages.refer)
    for key, storage in storages.items():
        name = f"{folder}data/{key}"
        if name not in names:
            raise DamagedError(f"no entry {name[:60]!r}")
        storage.fill(archive.read(name))
    return content


def read_torch_legacy(data: bytes) -> object:
    """Return the content of a file that torch wrote before 1.6.

    Tensors are `PickledTensor`. The file is a sequence of pickles (magic number,
    protocol, system, content, keys of the storages) and then, in the order of the keys,
    each storage as its 64-bit number of elements and its bytes.

    Raises:
        UnreadableError: it is damaged, mentions what no weight file needs, or declares
            other sizes than it holds.
    """
    stream = io.BytesIO(data)
    stream.seek(len(LEGACY_MAGIC))
    protocol, system = unpickle(stream, {}), unpickle(stream, {})
    little_endian = isinstance(system, dict) and system.get("little_endian") is True
    if protocol != _LEGACY_PROTOCOL or not little_endian:
        raise UnreadableError(
            "a torch file of an unknown protocol, or of a big-endian machine; "
            "save it again with torch"
        )

    storages = _Storages()
    content = unpickle(stream, _ALLOWED, storages.refer)
    keys = unpickle(stream, {})
    if not isinstance(keys, list) or not _are_names_of(keys, storages):
        raise DamagedError("its list of storages does not match its tensors")

    start = stream.tell()
    for key in keys:
        storage = storages[key]
        if data[start : start + 8] != storage.numel.to_bytes(8, "little"):
            raise DamagedError(f"the storage {key[:40]!r} is not where it should be")
        start += 8
        end = start + storage.numel * storage.dtype.itemsize
        storage.fill(memoryview(data)[start:end])
        start = end
    return content


def _are_names_of(keys: list, storages: _Storages) -> bool:
    for key in keys:
        if not is_short_key(key):  # it may not be hashable
            return False
    return set(keys) == set(storages)
