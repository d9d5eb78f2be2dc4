"""Weights from any file: torch (.pth, both formats), safetensors, Paddle (.pdparams).

The format is recognized from the content. This is the only place where the project
opens weights or states. It needs neither torch nor Paddle, runs nothing that a file
holds (see `utils.weights.unpickle`), and compares declared sizes with actual bytes
before it allocates.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, deserialize

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import failed_download, open_regular, read_regular
from realesrgan_paddle.utils.weights.keras_files import HDF5_MAGIC, read_hdf5
from realesrgan_paddle.utils.weights.pickled_arrays import (
    SAFE_GLOBALS,
    PickledArray,
    element_count,
)
from realesrgan_paddle.utils.weights.torch_files import (
    LEGACY_MAGIC,
    PickledTensor,
    read_torch_legacy,
    read_torch_zip,
)
from realesrgan_paddle.utils.weights.unpickle import (
    DamagedError,
    UnreadableError,
    unpickle,
)

Tensors = dict[str, np.ndarray]

PREFERRED = ("params_ema", "params", "state_dict", "generator")
"""The groups that `WeightFile.select` prefers: BasicSR's, Lightning's, PaddleGAN's."""

MAX_ENTRIES = 1_000_000
"""How many entries a file may have, tensors or not."""

MAX_GROWTH = 4
"""How many times the file's size its tensors may take, bfloat16 as float32.

Tensors may share their storage, but a small file must not become a huge one by
repeating it. An honest one needs 4: bfloat16, in two groups that share it.
"""

ARRAY_BYTES = 112
"""What an array takes besides its numbers (`sys.getsizeof(np.empty(0))`, NumPy 2)."""

MAX_HEADER = 4_000_000
"""Bytes of a safetensors header: an entry takes about 100, so this is 40,000 tensors.

The library allows 100 MB, which took more than a minute to read.
"""

_SAFETENSORS_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "BOOL": "?",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
}


@dataclass(frozen=True)
class WeightFile:
    """A file's tensors by group, such as "params"; "" holds those at the top level."""

    path: Path
    format: str
    groups: dict[str, Tensors]

    def select(self, key: str | None = None) -> Tensors:
        """Return the tensors of the group `key`.

        For None, of the first of `PREFERRED` that exists, else of the only group.

        Raises:
            UserError: there is no such group, or there are several and none of them is
                preferred.
        """
        if key is None:
            key = self._default_group()
        if key not in self.groups:
            raise UserError(
                f"{self.path}: has no {key!r}; it holds {self._group_names()}"
            )
        return self.groups[key]

    def _default_group(self) -> str:
        for name in PREFERRED:
            if name in self.groups:
                return name
        if len(self.groups) > 1:
            raise UserError(
                f"{self.path}: holds several sets of tensors ({self._group_names()}); "
                "say which one is meant"
            )
        return next(iter(self.groups))

    def _group_names(self) -> str:
        shown = []
        for name in list(self.groups)[:8]:
            shown.append(repr(name[:40]) if name else "bare tensors")
        return ", ".join(shown)


def read_weights(path: str | Path) -> WeightFile:
    """Return the tensors of a torch, safetensors or Paddle file, by group.

    Arrays own their memory: C-contiguous, writable, in native byte order. float32,
    float16, float64, integers and booleans keep their type. bfloat16, which NumPy
    lacks, is widened to float32 (exactly); in a .pdparams file uint16 is bfloat16, as
    Paddle writes it. The prefix `module.`, which data-parallel training gives every
    key, is removed. Entries that are no tensors (iteration, options, optimizer lists)
    are left out.

    Raises:
        UserError: the file is missing, empty, truncated or hostile; or no weight file,
            and then what it is instead.
    """
    path = Path(path)
    with _as_user_error(path):
        form, data = _load(path)
        return WeightFile(path, form, _READERS[form](data))


def read_safetensors(path: str | Path) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors of a .safetensors file with unchanged keys, and its metadata.

    bfloat16 is widened to float32.

    Raises:
        UserError: as `read_weights`, or the file has another format.
    """
    path = Path(path)
    with _as_user_error(path):
        form, data = _load(path)
        if form != "safetensors":
            raise UnreadableError(f"a {form} file where a .safetensors file is needed")
        return _safetensors(data)


@contextmanager
def _as_user_error(path: Path) -> Iterator[None]:
    """Put the file's path before the reason why it cannot be read."""
    try:
        yield
    except UnreadableError as reason:
        raise UserError(f"{path}: {reason}") from None


def _load(path: Path) -> tuple[str, bytes]:
    """Return the format of a file, by its first bytes, and its content."""
    if path.is_dir():
        raise UnreadableError("a folder; name the weight file inside it")
    if not path.exists():
        raise UnreadableError("no such file")
    with open_regular(path) as file:
        head = file.read(512)
    form = _format(head)
    if form is None:
        raise UnreadableError(_kind_of_other_file(path, head))
    return form, read_regular(path)


def _format(head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return "torch zip"
    if head.startswith(LEGACY_MAGIC):
        return "torch legacy"
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "Paddle"
    if head.startswith(HDF5_MAGIC):
        return "Keras HDF5"
    if head[8:9] == b"{":  # after the 64-bit length of the header
        return "safetensors"
    return None


def _kind_of_other_file(path: Path, head: bytes) -> str:
    """Return what a file without weights is, and what to do."""
    if reason := failed_download(head):
        return reason
    ncnn_magic = (b"7767517", b"\x47\x6b\x30\x01")
    if head.startswith(ncnn_magic) or path.suffix in (".param", ".bin"):
        return "an ncnn network; give its .param file to tools/convert_torch.py"
    if path.suffix in (".pdmodel", ".pdiparams"):
        return (
            "an exported graph, which tools/infer.py runs; "
            "here the .pdparams it was exported from is needed"
        )
    return (
        f"no weight file (it begins with {head[:8]!r}); "
        "torch .pth, .safetensors and .pdparams files are read"
    )


def _safetensors(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return tensors and metadata; the library checks the header against the size."""
    header_end = 8 + int.from_bytes(data[:8], "little")
    if header_end > 8 + MAX_HEADER:
        raise UnreadableError(
            f"its header declares {header_end - 8:,} bytes; a safetensors file of "
            f"weights has at most {MAX_HEADER:,}"
        )
    try:
        entries = deserialize(data)
    except SafetensorError as error:
        raise DamagedError(str(error)) from None

    tensors = {}
    for name, entry in entries:
        dtype, shape = entry["dtype"], entry["shape"]
        if dtype not in _SAFETENSORS_DTYPES:
            raise UnreadableError(
                f"holds {name[:80]!r} as {dtype}; "
                "F64, F32, F16, BF16, integers and BOOL are read"
            )
        element_count(tuple(shape))
        array = np.ndarray(shape, _SAFETENSORS_DTYPES[dtype], buffer=entry["data"])
        tensors[name] = _widened(array) if dtype == "BF16" else array

    header = json.loads(data[8:header_end])
    return tensors, header.get("__metadata__") or {}


def _safetensors_groups(data: bytes) -> dict[str, Tensors]:
    """Return tensors by the groups of `write_safetensors`; "" for other files."""
    tensors, metadata = _safetensors(data)
    names = metadata.get("groups", "").split(",")
    if not tensors:
        raise UnreadableError("holds no tensors")
    if len(names) == 1:
        return {names[0]: _without_module(tensors)}

    groups: dict[str, Tensors] = {name: {} for name in names}
    for key, array in tensors.items():
        name, _, rest = key.partition(".")
        if name not in groups:
            raise UnreadableError(
                f"holds {key[:80]!r}, which is in none of its groups "
                f"{','.join(names)[:80]!r}"
            )
        groups[name][rest] = array
    return groups


def _pickled_groups(content: object, size: int) -> dict[str, Tensors]:
    """Return the tensors of an unpickled file of `size` bytes, by group."""
    if not isinstance(content, dict):
        raise UnreadableError(
            "holds no dict of tensors; save the state_dict() of the network"
        )

    # First only views, so that nothing is allocated before the total is known.
    views: dict[str, Tensors] = {}
    total = 0
    for group, key, view in _views(content, size):
        total += ARRAY_BYTES + view.nbytes * (2 if _is_bfloat16(view) else 1)
        if total > MAX_GROWTH * size:
            raise UnreadableError(
                f"has {size:,} bytes, and its tensors declare more than {MAX_GROWTH} "
                "times as many"
            )
        views.setdefault(group, {})[key] = view
    if not views:
        entries = ", ".join(repr(key)[:40] for key in list(content)[:5])
        raise UnreadableError(f"holds no tensors; its entries are {entries}")

    groups = {}
    for name, group_views in views.items():
        groups[name] = {key: _owned(view) for key, view in group_views.items()}
    return {name: _without_module(group) for name, group in groups.items()}


def _views(content: dict, size: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield group, key and a view of each tensor of a file of `size` bytes.

    Of the tensors at the top level (group "") and of those one level below.
    """
    # An entry takes some bytes, unless groups are repeated.
    most = min(size, MAX_ENTRIES)
    groups = {name: group for name, group in content.items() if isinstance(group, dict)}
    groups[""] = content
    seen = 0
    for name, group in groups.items():
        seen += len(group)
        if seen > most:
            raise UnreadableError(f"holds more than {most:,} entries")
        for key, value in group.items():
            if isinstance(value, tuple) and len(value) == 2:  # Paddle: (name, array)
                value = value[1]
            if isinstance(value, PickledArray | PickledTensor):
                yield str(name), str(key), value.array


def _owned(view: np.ndarray) -> np.ndarray:
    """Return a copy in native byte order; bfloat16 (its bits in uint16) widened."""
    if _is_bfloat16(view):
        return _widened(view)
    native = view.dtype.newbyteorder("=")
    return view.astype(native, order="C")


def _is_bfloat16(view: np.ndarray) -> bool:
    return view.dtype.newbyteorder("=") == np.uint16


def _widened(bits: np.ndarray) -> np.ndarray:
    """Return bfloat16 bits (uint16) as float32: the same bits followed by 16 zeros."""
    padded = bits.astype(np.uint32, order="C")
    padded <<= 16  # in place, to need no second copy
    return padded.view(np.float32)


def _without_module(tensors: Tensors) -> Tensors:
    if not all(key.startswith("module.") for key in tensors):
        return tensors
    return {key.removeprefix("module."): array for key, array in tensors.items()}


_READERS: dict[str, Callable[[bytes], dict[str, Tensors]]] = {
    "torch zip": lambda data: _pickled_groups(read_torch_zip(data), len(data)),
    "torch legacy": lambda data: _pickled_groups(read_torch_legacy(data), len(data)),
    "Paddle": lambda data: _pickled_groups(
        unpickle(io.BytesIO(data), SAFE_GLOBALS), len(data)
    ),
    "safetensors": _safetensors_groups,
    "Keras HDF5": lambda data: {"": read_hdf5(data)},
}
