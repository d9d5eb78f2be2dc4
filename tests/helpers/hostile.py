"""Pickles written opcode by opcode, and torch files that contain them."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.torch_files import LEGACY_MAGIC

PROTO = b"\x80\x04"
LEGACY_HEAD = (
    LEGACY_MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
)


def plain(value: object) -> bytes:
    """Return the opcodes of text, numbers and tuples."""
    return pickle.dumps(value, 2)[2:-1]


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def call(function: str, *arguments: bytes) -> bytes:
    return name(function) + b"(" + b"".join(arguments) + b"tR"


def data(content: bytes) -> bytes:
    return pickle.BINBYTES8 + struct.pack("<Q", len(content)) + content


def dtype(
    code: str = "f4", state: tuple = (3, "<", None, None, None, -1, -1, 0)
) -> bytes:
    return (
        call("numpy.dtype", plain(code), plain(False), plain(True))
        + plain(state)
        + b"b"
    )


def array(
    shape: object = (2,), content: bytes = bytes(8), kind: bytes = dtype()
) -> bytes:
    """Return the opcodes of a NumPy array; the defaults are consistent."""
    empty = call(
        "numpy.core.multiarray._reconstruct",
        name("numpy.ndarray"),
        plain((0,)),
        data(b"b"),
    )
    return (
        empty
        + b"("
        + plain(1)
        + plain(shape)
        + kind
        + plain(False)
        + data(content)
        + b"tb"
    )


def storage(key: str = "0", numel: int = 4, kind: str = "torch.FloatStorage") -> bytes:
    """Return the opcodes of torch's reference to a storage."""
    return (
        b"("
        + plain("storage")
        + name(kind)
        + plain(key)
        + plain("cpu")
        + plain(numel)
        + b"tQ"
    )


def tensor(
    shape: object = (4,),
    strides: object = (1,),
    offset: object = 0,
    of: bytes = storage(),
) -> bytes:
    """Return the opcodes of a tensor; the defaults match `ONE_STORAGE`."""
    hooks = call("collections.OrderedDict")
    return call(
        "torch._utils._rebuild_tensor_v2",
        of,
        plain(offset),
        plain(shape),
        plain(strides),
        plain(False),
        hooks,
    )


def whole(operations: bytes) -> bytes:
    """Return a pickle of protocol 4 with its beginning and its end."""
    return PROTO + operations + b"."


def state(*values: bytes) -> bytes:
    """Return the whole pickle of {"k0": value, "k1": value, ...}."""
    items = b"".join(plain(f"k{index}") + value for index, value in enumerate(values))
    return PROTO + b"}(" + items + b"u."


def torch_zip(
    pickled: bytes,
    storages: dict[str, bytes],
    others: dict[str, bytes] | None = None,
    **options: int,
) -> bytes:
    """Return torch's archive: data.pkl, the storages by key, other entries by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
        for entry, content in (others or {}).items():
            archive.writestr(f"archive/{entry}", content)
    return file.getvalue()


def torch_legacy(pickled: bytes, storages: dict[str, bytes]) -> bytes:
    """Return torch's legacy format: pickles, then storages of four-byte numbers."""
    data_part = b"".join(
        struct.pack("<q", len(content) // 4) + content for content in storages.values()
    )
    return LEGACY_HEAD + pickled + pickle.dumps(list(storages), 2) + data_part


FOUR_FLOATS = struct.pack("<4f", 1, 2, 3, 4)
ONE_STORAGE = {"0": FOUR_FLOATS}
HONEST_PICKLE = state(tensor())
"""One tensor, which `ONE_STORAGE` holds."""


Table = dict[str, dict[str, bytes]]
"""Contents of files by what they are, by what the refusal says."""


def assert_all_refused(path: Path, table: Table) -> None:
    """Assert that each file of a table is refused, for the reason that it stands under."""
    for message, cases in table.items():
        for case, content in cases.items():
            found = refusal(path, content, case)
            assert message in found, f"{case}: {found}"


def refusal(path: Path, content: bytes, case: str = "") -> str:
    """Return why a file is refused: one line that begins with its path."""
    path.write_bytes(content)
    try:
        read_weights(path)
    except UserError as error:
        message = str(error)
    else:
        pytest.fail(f"{case}: is read")
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < len(str(path)) + 250
    return message
