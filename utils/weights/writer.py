"""Weight files for other programs: .pdparams, .pth, .safetensors.

Neither Paddle nor torch is needed. Their files are pickles, and the standard pickler
can only mention names that it can import, so the few expressions that a tensor takes
are written here. Writing is atomic, and the same tensors give the same bytes.
"""

import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path

Groups = Mapping[str, Mapping[str, np.ndarray]]
"""Tensors by group ("params", "params_ema", ...), as in `WeightFile.groups`.

Those of "" are written to the top level.
"""

# NumPy's type: its code in pickles, torch's storage
_NAMES = {
    "float16": ("f2", "HalfStorage"),
    "float32": ("f4", "FloatStorage"),
    "float64": ("f8", "DoubleStorage"),
    "uint8": ("u1", "ByteStorage"),
    "int8": ("i1", "CharStorage"),
    "int16": ("i2", "ShortStorage"),
    "int32": ("i4", "IntStorage"),
    "int64": ("i8", "LongStorage"),
    "bool": ("b1", "BoolStorage"),
}

_ALIGNMENT = 64
"""Bytes; torch aligns the data of its entries to it, for memory mapping."""

_ZIP_HEADER = 30 + 4
"""Bytes of a zip entry before its data, without its name and the padding itself."""


def write_pdparams(path: str | Path, groups: Groups) -> None:
    """Write tensors so that `paddle.load` gives {group: {key: tensor}}.

    Raises:
        UserError: a tensor has a type that Paddle and torch do not share, such as
            uint16.
    """
    pieces = _pickled(groups, _paddle_array, protocol=4)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.writelines(pieces)


def write_pth(path: str | Path, groups: Groups) -> None:
    """Write tensors so that `torch.load` gives {group: {key: tensor}}.

    Also with `weights_only=True`.

    Raises:
        UserError: as `write_pdparams`.
    """
    arrays: list[np.ndarray] = []

    def stored(array: np.ndarray) -> bytes:
        """Return the pickle of a tensor, whose data becomes the next storage."""
        arrays.append(array)
        return _torch_tensor(array, str(len(arrays) - 1))

    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        content = b"".join(_pickled(groups, stored, protocol=2))
        _add_entry(archive, file, "data.pkl", content)
        _add_entry(archive, file, "byteorder", b"little")
        for key, array in enumerate(arrays):
            _add_entry(archive, file, f"data/{key}", _bytes(array))
        _add_entry(archive, file, "version", b"3\n")


def write_safetensors(path: str | Path, groups: Groups) -> None:
    """Write tensors in a format that has no groups.

    One group is written under its plain keys, which other tools expect. With several,
    the keys become "params.conv_first.weight", "params_ema.conv_first.weight". The
    metadata name the groups, so `read_weights` restores them.

    Raises:
        UserError: as `write_pdparams`.
    """
    tensors = {}
    for group, members in groups.items():
        prefix = f"{group}." if len(groups) > 1 else ""
        for key, array in members.items():
            _check_type(key, array)
            # save_file ignores strides and writes the memory as it is.
            tensors[prefix + key] = np.require(array, requirements="C")
    save_safetensors(path, tensors, {"groups": ",".join(groups)})


def save_safetensors(
    path: str | Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> None:
    """Write contiguous arrays and text as a safetensors file, atomically."""
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # also for a full disk
            raise OSError(str(error)) from error


def _check_type(key: str, array: np.ndarray) -> None:
    if array.dtype.name not in _NAMES:
        raise UserError(
            f"{key!r}: {array.dtype} cannot be written; {', '.join(_NAMES)} can"
        )


def _pickled(
    groups: Groups, pickle_tensor: Callable[[np.ndarray], bytes], protocol: int
) -> Iterator[bytes]:
    """Yield the pickle of {key: tensor, ..., group: {key: tensor, ...}, ...} in pieces.

    The tensors of group "" come first.
    """
    yield pickle.PROTO + bytes([protocol]) + pickle.EMPTY_DICT + pickle.MARK
    for group, tensors in sorted(groups.items(), key=lambda item: item[0] != ""):
        if group:
            yield _plain(group) + pickle.EMPTY_DICT + pickle.MARK
        for key, array in tensors.items():
            _check_type(key, array)
            yield _plain(key) + pickle_tensor(array)
        if group:
            yield pickle.SETITEMS
    yield pickle.SETITEMS + pickle.STOP


def _paddle_array(array: np.ndarray) -> bytes:
    """Return the pickle of an array under NumPy 1.x's names, which 2.x knows too."""
    code = _NAMES[array.dtype.name][0]
    dtype = _call("numpy.dtype", _plain(code), _plain(False), _plain(True))
    dtype += _plain((3, "<", None, None, None, -1, -1, 0)) + pickle.BUILD

    empty = _call(
        "numpy.core.multiarray._reconstruct",
        _name("numpy.ndarray"),
        _plain((0,)),
        _data(b"b"),
    )
    content = _data(_bytes(array))
    state = _tuple(_plain(1), _plain(array.shape), dtype, _plain(False), content)
    return empty + state + pickle.BUILD


def _torch_tensor(array: np.ndarray, key: str) -> bytes:
    """Return the pickle of a tensor that is the whole of the storage `key`."""
    kind = _name(f"torch.{_NAMES[array.dtype.name][1]}")
    size = _plain(array.size)
    reference = _tuple(_plain("storage"), kind, _plain(key), _plain("cpu"), size)
    strides = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
    return _call(
        "torch._utils._rebuild_tensor_v2",
        reference + pickle.BINPERSID,
        _plain(0),  # offset
        _plain(array.shape),
        _plain(strides),
        _plain(False),  # requires_grad
        _call("collections.OrderedDict"),  # no hooks
    )


def _bytes(array: np.ndarray) -> bytes:
    little_endian = array.dtype.newbyteorder("<")
    return array.astype(little_endian, copy=False).tobytes()


def _plain(value: object) -> bytes:
    """Return the opcodes of text, numbers and tuples of them."""
    return pickle.dumps(value, protocol=2)[2:-1]  # without PROTO and STOP


def _data(data: bytes) -> bytes:
    size = len(data).to_bytes(8, "little")
    return pickle.BINBYTES8 + size + data


def _name(name: str) -> bytes:
    module, _, last = name.rpartition(".")
    return pickle.GLOBAL + f"{module}\n{last}\n".encode()


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _call(name: str, *arguments: bytes) -> bytes:
    argument_tuple = _tuple(*arguments)
    return _name(name) + argument_tuple + pickle.REDUCE


def _add_entry(
    archive: zipfile.ZipFile, file: BinaryIO, name: str, data: bytes
) -> None:
    """Add an entry whose data begin at a multiple of 64 bytes, like torch's."""
    entry = zipfile.ZipInfo(f"archive/{name}")
    unpadded = file.tell() + _ZIP_HEADER + len(entry.filename)
    padding = -unpadded % _ALIGNMENT
    entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
    archive.writestr(entry, data)
