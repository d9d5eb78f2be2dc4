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
MAX_ENTRIES = 100_000


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
            top = file.get("model_weights", file)
            tensors = _Hdf5Reader(h5py, len(data)).read(top)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DamagedError(f"not a readable HDF5 file ({error})") from error
    if not tensors:
        raise UnreadableError("an HDF5 file without arrays of a Keras network")
    return tensors


class _Hdf5Reader:
    """Reads arrays, and only those whose bytes are in the file itself."""

    def __init__(self, h5py: Any, size: int) -> None:
        self._h5py = h5py
        self._left = size
        self._entries = 0

    def read(self, group: Any, path: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
        """Return the arrays of `group` and of the groups in it, by "LAYER/kernel"."""
        if len(path) > MAX_DEPTH:
            raise UnreadableError(f"groups are nested more than {MAX_DEPTH} deep")

        tensors: dict[str, np.ndarray] = {}
        for name in group:
            self._entries += 1
            if self._entries > MAX_ENTRIES:
                raise UnreadableError(f"holds more than {MAX_ENTRIES:,} entries")
            link = group.get(name, getlink=True)
            if not isinstance(link, self._h5py.HardLink):
                raise UnreadableError(f"{name[:80]!r} is a link to somewhere else")

            entry = group[name]
            if isinstance(entry, self._h5py.Group):
                tensors |= self.read(entry, (*path, name))
            elif path:
                tensors[f"{path[-1]}/{name.removesuffix(':0')}"] = self._array(entry)
        return tensors

    def _array(self, entry: Any) -> np.ndarray:
        name = entry.name[:80]
        if entry.dtype.kind != "f":
            raise UnreadableError(f"{name!r} holds {entry.dtype}, not numbers")
        if entry.is_virtual or entry.external:
            raise UnreadableError(f"{name!r} is kept in another file")

        # Keras does not compress: what takes more bytes than the file has is no weight.
        self._left -= entry.nbytes
        if self._left < 0:
            raise UnreadableError("its arrays declare more bytes than the file has")
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
