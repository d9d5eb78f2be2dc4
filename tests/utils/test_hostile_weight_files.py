"""Weight files with false declarations and damage: refused in one line, never run."""

import json
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from array_asserts import assert_arrays_identical
from hostile import (
    FOUR_FLOATS,
    HONEST_PICKLE,
    LEGACY_HEAD,
    ONE_STORAGE,
    array,
    assert_all_refused,
    name,
    plain,
    refusal,
    state,
    storage,
    tensor,
    torch_legacy,
    torch_zip,
)

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import (
    MAX_HEADER,
    read_safetensors,
    read_weights,
)
from realesrgan_paddle.utils.weights.writer import (
    write_pdparams,
    write_pth,
    write_safetensors,
)


def test_the_undamaged_torch_files_of_these_tests_are_read(tmp_path):
    for content in (
        torch_zip(HONEST_PICKLE, ONE_STORAGE),
        torch_legacy(HONEST_PICKLE, ONE_STORAGE),
    ):
        (tmp_path / "w.pth").write_bytes(content)
        assert read_weights(tmp_path / "w.pth").select()["k0"].tolist() == [1, 2, 3, 4]


TENSORS = {
    "reaches 1 numbers beyond its storage": {
        "beyond its storage": tensor((5,)),
        "shifted beyond it": tensor((4,), offset=1),
        "strides beyond it": tensor((2, 2), (3, 1)),
    },
    "impossible strides": {
        "strides that overflow": tensor((2, 2), (2**63, 1)),
        "negative stride": tensor((2,), (-1,), 3),
        "negative offset": tensor((2,), (1,), -1),
        "offset that is no number": tensor((2,), (1,), "0"),
    },
    "a malformed tensor": {
        "fewer strides": tensor((2, 2), (1,)),
        "no storage": tensor(of=b"N"),
        "an array for a storage": tensor(of=array()),
    },
    "declare more than 4 times as many": {
        "one number repeated forever": tensor((2**30,), (0,)),
    },
    "impossible shape": {
        "overflowing storage": tensor((0,), of=storage(numel=2**62)),
        "negative storage": tensor((0,), of=storage(numel=-4)),
    },
    "a storage of 32 bytes has 16": {
        "wider storage": tensor(of=storage(kind="torch.DoubleStorage")),
    },
    "wants 'torch.QInt8Storage'": {
        "storage of an unknown type": tensor(of=storage(kind="torch.QInt8Storage")),
    },
    "malformed reference to a storage": {
        "a storage with a long name": tensor(of=storage("0" * 1025)),
        "a type that is no storage": tensor(of=storage(kind="numpy.ndarray")),
        "an odd persistent id": plain("storage") + b"Q",
    },
    "in two ways": {
        "a storage of two types": tensor()
        + tensor(of=storage(kind="torch.IntStorage"))
        + b"\x86",
    },
    "other arguments than it takes": {
        "a missing argument": name("torch._utils._rebuild_tensor_v2") + b")R",
    },
    "wants 'torch.nn.modules.conv.Conv2d'": {
        "a class of torch": name("torch.nn.modules.conv.Conv2d") + b")\x81",
    },
}


@pytest.mark.parametrize("container", [torch_zip, torch_legacy])
def test_torch_tensors_with_false_declarations_are_refused(tmp_path, container):
    table = {
        message: {case: container(state(cases[case]), ONE_STORAGE) for case in cases}
        for message, cases in TENSORS.items()
    }
    assert_all_refused(tmp_path / "w.pth", table)


def patched(content: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Return a zip archive with a changed field in the last header of a signature."""
    start = content.rindex(signature) + offset
    return content[:start] + value + content[start + len(value) :]


HONEST = torch_zip(HONEST_PICKLE, ONE_STORAGE)
TWICE = torch_zip(HONEST_PICKLE, ONE_STORAGE, {"data/1": FOUR_FLOATS}).replace(
    b"data/1", b"data/0"
)
ENTRY_HEADER = b"PK\1\2"  # of an entry in the archive's directory
ZIPS = {
    "a compressed or encrypted": {
        "a decompression bomb": torch_zip(
            HONEST_PICKLE, {"0": bytes(10**7)}, compression=zipfile.ZIP_DEFLATED
        ),
    },
    "a zip archive, but not one of torch": {
        "a zip in a zip": HONEST.replace(b"data.pkl", b"more.zip"),
    },
    "a storage of 68,719,476,736 bytes has 16": {
        "a huge storage": torch_zip(
            state(tensor(of=storage(numel=2**34))), ONE_STORAGE
        ),
    },
    "a storage of 16 bytes has 32": {
        "a storage of more bytes": torch_zip(
            HONEST_PICKLE, {"0": FOUR_FLOATS + FOUR_FLOATS}
        ),
    },
    "no entry 'archive/data/0'": {
        "a storage that is not there": torch_zip(HONEST_PICKLE, {}),
    },
    "no entry 'archive/data/../data": {
        "a storage elsewhere": torch_zip(state(tensor(of=storage("../data.pkl"))), {}),
    },
    "a TorchScript program": {
        "a TorchScript program": torch_zip(
            HONEST_PICKLE, ONE_STORAGE, {"code/x.py": b""}
        ),
    },
    "two entries of one name": {
        "two entries of one name": TWICE,
    },
    "declare more than that": {
        "a declared size beyond the file": patched(
            HONEST, ENTRY_HEADER, 24, b"\xff\xff\xff\x7f"
        ),
    },
    "a compressed or encrypted zip": {
        "an encrypted entry": patched(HONEST, ENTRY_HEADER, 8, b"\1\0"),
    },
    "an entry lies outside the file": {
        "an offset beyond the file": patched(
            HONEST, ENTRY_HEADER, 42, b"\xff\xff\xff\x7f"
        ),
    },
    "damaged or cut short (Bad CRC-32": {
        "a wrong checksum": HONEST.replace(FOUR_FLOATS, FOUR_FLOATS[::-1]),
    },
    "a big-endian machine": {
        "a big-endian machine": torch_zip(
            HONEST_PICKLE, ONE_STORAGE, {"byteorder": b"big"}
        ),
    },
}


def test_torch_archives_with_false_declarations_are_refused(tmp_path):
    assert_all_refused(tmp_path / "w.pth", ZIPS)


LEGACY_FILE = torch_legacy(HONEST_PICKLE, ONE_STORAGE)
LEGACY = {
    "unknown protocol": {
        "another protocol": LEGACY_FILE.replace(
            pickle.dumps(1001, 2), pickle.dumps(1002, 2)
        ),
    },
    "a big-endian machine": {
        "a big-endian machine": LEGACY_FILE.replace(b"\x88s.", b"\x89s."),
    },
    "list of storages does not match": {
        "no list of storages": LEGACY_HEAD + HONEST_PICKLE + pickle.dumps({}, 2),
        "an unknown storage": LEGACY_HEAD + HONEST_PICKLE + pickle.dumps(["1"], 2),
        "a storage that is no text": LEGACY_HEAD + HONEST_PICKLE + pickle.dumps([0], 2),
        "a missing storage": torch_legacy(HONEST_PICKLE, {}),
    },
    "is not where it should be": {
        "a huge storage": torch_legacy(
            state(tensor(of=storage(numel=2**34))), ONE_STORAGE
        ),
        "another count": torch_legacy(HONEST_PICKLE, {"0": FOUR_FLOATS[:12]}),
    },
    "a storage of 16 bytes has 15": {
        "a cut storage": LEGACY_FILE[:-1],
    },
    "in two ways": {
        "a view of a storage": torch_legacy(
            state(tensor(of=storage()[:-2] + plain(("1", 0, 4)) + b"tQ")), ONE_STORAGE
        ),
    },
}


def test_legacy_files_with_false_declarations_are_refused(tmp_path):
    assert_all_refused(tmp_path / "w.pth", LEGACY)


def test_a_legacy_storage_without_a_view_is_read(tmp_path):
    (tmp_path / "w.pth").write_bytes(
        torch_legacy(state(tensor(of=storage()[:-2] + b"NtQ")), ONE_STORAGE)
    )
    assert read_weights(tmp_path / "w.pth").select()["k0"].tolist() == [1, 2, 3, 4]


def safetensors(
    header: dict | bytes, content: bytes = FOUR_FLOATS, length: int | None = None
) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def entry(dtype: str = "F32", shape: tuple = (4,), span: tuple = (0, 16)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": span}


SAFETENSORS = {
    "a header beyond the file": safetensors({"w": entry()}, length=10**6),
    "a huge header": safetensors({"w": entry()}, length=2**60),
    "a shape of more bytes": safetensors({"w": entry(shape=(5,))}),
    "a shape that overflows": safetensors({"w": entry(shape=(2**62, 4))}),
    "an empty tensor of huge extent": safetensors(
        {"w": entry(shape=(0, 2**40, 2**20), span=(0, 0))}, b""
    ),
    "a span beyond the file": safetensors({"w": entry(shape=(40,), span=(0, 160))}),
    "a span that runs backwards": safetensors({"w": entry(span=(16, 0))}),
    "spans that overlap": safetensors({"v": entry(), "w": entry()}),
    "a gap": safetensors({"w": entry(shape=(2,), span=(8, 16))}),
    "bytes that belong to nothing": safetensors(
        {"w": entry()}, FOUR_FLOATS + FOUR_FLOATS
    ),
    "a missing end": safetensors({"w": entry()}, FOUR_FLOATS[:15]),
    "a header that is no json": safetensors(b'{"w": '),
    "an unknown type": safetensors({"w": entry("F\x1b[2J")}),
    "a type that is not read": safetensors({"w": entry("F8_E4M3", (16,))}),
}


def test_safetensors_with_false_declarations_are_refused(tmp_path):
    for case, content in SAFETENSORS.items():
        refusal(tmp_path / "w.safetensors", content, case)
        with pytest.raises(UserError):
            read_safetensors(tmp_path / "w.safetensors")


def test_a_safetensors_header_is_at_most_4_mb(tmp_path):
    spaces = b" " * (MAX_HEADER - 2)
    path = tmp_path / "w.safetensors"
    assert "holds no tensors" in refusal(path, safetensors(b"{}" + spaces, b""))
    assert "its header declares 4,000,001 bytes" in refusal(
        path, safetensors(b"{}" + spaces + b" ", b"")
    )


def test_a_bfloat16_storage_counts_with_what_it_is_widened_to(tmp_path):
    bits = tensor((2**15,), of=storage(numel=2**15, kind="torch.BFloat16Storage"))
    stored = {"0": bytes(2**16)}
    path = tmp_path / "w.pth"

    path.write_bytes(torch_zip(state(bits, bits), stored))
    assert len(read_weights(path).select()) == 2
    assert "declare more than 4 times as many" in refusal(
        path, torch_zip(state(bits, bits, bits), stored)
    )


def test_widening_bfloat16_takes_no_memory_besides_the_result(tmp_path):
    bits = tensor((2**20,), of=storage(numel=2**20, kind="torch.BFloat16Storage"))
    content = torch_zip(state(bits), {"0": bytes(2**21)})
    (tmp_path / "w.pth").write_bytes(content)

    tracemalloc.start()
    try:
        read_weights(tmp_path / "w.pth")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The file, its storage (read_bytes and zipfile each keep a copy), the result.
    result = 2 * len(content)
    assert peak < 2 * len(content) + result + 2**20


def test_a_tensor_outside_the_declared_groups_is_refused(tmp_path):
    content = safetensors({"__metadata__": {"groups": "a,b"}, "c.w": entry()})
    assert "holds 'c.w', which is in none of its groups" in refusal(
        tmp_path / "w.safetensors", content
    )


def test_read_safetensors_returns_unchanged_keys_and_metadata(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(safetensors({"__metadata__": {"iter": "5"}, "module.w": entry()}))
    tensors, metadata = read_safetensors(path)
    assert metadata == {"iter": "5"}
    assert_arrays_identical(tensors, {"module.w": np.array([1, 2, 3, 4], np.float32)})
    path.write_bytes(safetensors({"w": entry()}))
    assert read_safetensors(path)[1] == {}
    assert "holds no tensors" in refusal(path, safetensors({}, b""))
    path.write_bytes(pickle.dumps({}, 4))
    with pytest.raises(
        UserError, match=r"a Paddle file where a .safetensors file is needed"
    ):
        read_safetensors(path)


def examples(tmp_path: Path) -> list[bytes]:
    """Return an undamaged file of each format."""
    weight = np.ones(3, np.float32)
    contents = []
    for write in (write_pdparams, write_pth, write_safetensors):
        write(tmp_path / "example", {"params": {"w": weight, "n": np.array(1)}})
        contents.append((tmp_path / "example").read_bytes())
    contents.append(torch_legacy(HONEST_PICKLE, ONE_STORAGE))
    contents.append(pickle.dumps({"w": weight}, 4))
    return contents


def test_every_truncation_is_refused(tmp_path):
    for content in examples(tmp_path):
        for end in range(0, len(content), 3):
            refusal(tmp_path / "w.pth", content[:end])
