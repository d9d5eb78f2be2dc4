"""Weights that Keras wrote: HDF5 files, and TensorFlow.js's form of them.

Both give {"LAYER/kernel": array, "LAYER/bias": array}; a kernel is (height, width, in,
out). h5py, which reads HDF5, is an extra: `pip install "realesrgan-paddle[keras]"`.
"""

import io
import json
from typing import Any

import numpy as np

from realesrgan_paddle.utils.weights.unpickle import DamagedError, UnreadableError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_DEPTH = 8
"""Groups within groups; Keras nests at most four."""
ENTRY_BYTES = 32
"""What an entry takes of a file at least: one in HDF5's symbol tables takes 40.

A file whose links repeat a group seems to have more.
"""


def read_hdf5(data: bytes) -> dict[str, np.ndarray]:
    """Return the weights of a Keras HDF5 file, float32; optimizer states are left out.

    Raises:
        UnreadableError: h5py is missing, the file is damaged, or it holds something
            else than plain arrays, such as links to other files.
    """
    try:
        import h5py  # an extra
    except ImportError as error:
        raise UnreadableError(
            "a Keras HDF5 file, which needs h5py: pip install h5py"
        ) from error

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            reader = _Hdf5Reader(h5py, len(data))
            top = file
            if "model_weights" in list(file):
                top = reader.entry(file, "model_weights")
            tensors = reader.read(top)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"not a readable HDF5 file ({error})") from error
    if not tensors:
        raise UnreadableError("an HDF5 file without arrays of a Keras network")
    return tensors


class _Hdf5Reader:
    """Reads arrays, and only those whose bytes are in the file itself."""

    def __init__(self, h5py: Any, size: int) -> None:
        self._h5py = h5py
        self._left = size
        self._entries_left = size // ENTRY_BYTES

    def read(self, group: Any, path: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
        """Return the arrays of `group` and of the groups in it, by "LAYER/kernel"."""
        if len(path) > MAX_DEPTH:
            raise UnreadableError(f"groups are nested more than {MAX_DEPTH} deep")
        if not isinstance(group, self._h5py.Group):
            raise UnreadableError("an HDF5 file whose model_weights is no group")

        tensors: dict[str, np.ndarray] = {}
        for name in group:
            entry = self.entry(group, name)
            if isinstance(entry, self._h5py.Group):
                tensors |= self.read(entry, (*path, name))
            elif path:
                tensors[f"{path[-1]}/{name.removesuffix(':0')}"] = self._array(entry)
        return tensors

    def entry(self, group: Any, name: str) -> Any:
        """Return an entry that is in the file itself; UserError for a link elsewhere."""
        self._entries_left -= 1
        if self._entries_left < 0:
            raise UnreadableError("has more entries than there is room for in the file")

        link = group.get(name, getlink=True)
        if not isinstance(link, self._h5py.HardLink):
            raise UnreadableError(f"{name[:80]!r} is a link to somewhere else")
        return group[name]

    def _array(self, entry: Any) -> np.ndarray:
        name = entry.name[:80]
        if not isinstance(entry, self._h5py.Dataset):
            raise UnreadableError(f"{name!r} is no array")
        if entry.dtype.kind != "f":
            raise UnreadableError(f"{name!r} holds {entry.dtype}, not numbers")
        if entry.is_virtual or entry.external:
            raise UnreadableError(f"{name!r} is kept in another file")

        self._left -= entry.nbytes
        if self._left < 0:
            raise UnreadableError("its arrays declare more bytes than the file has")
        # A compressed chunk may be far larger than both the array and the file, and
        # HDF5 unpacks all of it to read one number.
        if entry.chunks is not None:
            raise UnreadableError(
                f"{name!r} is kept in chunks, which Keras does not do"
            )
        return np.asarray(entry[()], np.float32)


def read_tfjs(model: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Return the weights of a TensorFlow.js layers model, float32.

    Args:
        model: its model.json.
        data: its one weight file. Quantized weights q are q * scale + min.

    Raises:
        DamagedError: the two do not fit together.
    """
    manifest = json.loads(model)["weightsManifest"]
    entries = [entry for group in manifest for entry in group["weights"]]

    tensors, start = {}, 0
    for entry in entries:
        shape, quantization = tuple(entry["shape"]), entry.get("quantization")
        dtype = np.dtype(quantization["dtype"] if quantization else entry["dtype"])
        stop = start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if stop > len(data):
            raise DamagedError(f"its weight file ends before {entry['name'][:80]!r}")

        array = np.frombuffer(data[start:stop], dtype.newbyteorder("<")).reshape(shape)
        if quantization:
            array = array * float(quantization["scale"]) + float(quantization["min"])
        tensors[entry["name"]] = array.astype(np.float32)
        start = stop
    return tensors
