"""Writing weight files: round trips, reproducible bytes, and torch's own layout."""

import pickletools
import struct
import zipfile

import numpy as np
import pytest
from array_asserts import assert_arrays_identical
from places import REFERENCE

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import (
    write_pdparams,
    write_pth,
    write_safetensors,
)

TORCH_FILES = REFERENCE / "torch_files"
WRITERS = {
    "pdparams": write_pdparams,
    "pth": write_pth,
    "safetensors": write_safetensors,
}
FORMATS = {"pdparams": "Paddle", "pth": "torch zip", "safetensors": "safetensors"}


def sample() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        "conv.weight": draw.normal(size=(3, 2, 3, 3)).astype(np.float32),
        "half": draw.normal(size=5).astype(np.float16),
        "not_finite": np.array([np.nan, np.inf, -0.0], np.float32),
        "transposed": draw.normal(size=(2, 3)).T,
        "big_endian": np.arange(3, dtype=">i4"),
        "scalar": np.array(7),
        "empty": np.empty((0, 3), np.float32),
        "bool": np.array([True, False]),
        "long": np.arange(70_000, dtype=np.uint8),
        "名前": np.arange(3, dtype=np.int16),
    }


GROUPS = {
    "bare": {"": sample()},
    "params": {"params": sample()},
    "both": {
        "params": sample(),
        "params_ema": {
            key: array[..., :1] if array.ndim else array
            for key, array in sample().items()
        },
    },
}


def in_native_byte_order(tensors: dict) -> dict:
    return {key: a.astype(a.dtype.newbyteorder("=")) for key, a in tensors.items()}


def test_a_round_trip_keeps_every_byte(tmp_path):
    for suffix in WRITERS:
        for groups in GROUPS:
            path = tmp_path / "new" / f"w.{suffix}"
            WRITERS[suffix](path, GROUPS[groups])
            found = read_weights(path)
            assert found.format == FORMATS[suffix], (suffix, groups)
            assert list(found.groups) == list(GROUPS[groups]), (suffix, groups)
            for group, tensors in GROUPS[groups].items():
                if suffix != "safetensors":  # which sorts by size
                    assert list(found.groups[group]) == list(tensors), (suffix, groups)
                assert_arrays_identical(
                    found.groups[group],
                    in_native_byte_order(tensors),
                )


def test_the_same_tensors_give_the_same_bytes_and_no_other_file(tmp_path):
    for suffix in WRITERS:
        paths = [tmp_path / suffix / name / f"w.{suffix}" for name in "ab"]
        for path in paths:
            WRITERS[suffix](path, GROUPS["both"])
            assert [p.name for p in path.parent.iterdir()] == [path.name], suffix
        assert paths[0].read_bytes() == paths[1].read_bytes(), suffix


def test_a_type_that_cannot_be_read_back_is_not_written(tmp_path):
    for dtype in ["uint16", "complex64", "O", "U3"]:
        for suffix in WRITERS:
            folder = tmp_path / f"{suffix} {dtype}"
            folder.mkdir()
            path = folder / f"w.{suffix}"
            path.write_bytes(b"old")
            with pytest.raises(UserError, match=r"'k': .* cannot be written"):
                WRITERS[suffix](path, {"params": {"k": np.zeros(2, dtype)}})
            assert path.read_bytes() == b"old", (suffix, dtype)
            assert list(folder.iterdir()) == [path], (suffix, dtype)


def opcodes(pickled: bytes) -> set[str]:
    return {opcode.name for opcode, _, _ in pickletools.genops(pickled)}


def test_a_pth_has_torchs_opcodes_entries_and_alignment(tmp_path):
    path = tmp_path / "w.pth"
    write_pth(path, GROUPS["both"])
    content = path.read_bytes()
    with (
        zipfile.ZipFile(path) as ours,
        zipfile.ZipFile(TORCH_FILES / "both_zip.pth") as torchs,
    ):
        for entry in ours.infolist():
            start = entry.header_offset
            lengths = struct.unpack("<2H", content[start + 26 : start + 30])
            assert (start + 30 + sum(lengths)) % 64 == 0

        # torch/_weights_only_unpickler.py accepts these too
        more = {"TUPLE", "TUPLE1", "TUPLE2", "EMPTY_TUPLE", "BININT", "BININT2"}
        torchs_opcodes = opcodes(torchs.read("both_zip/data.pkl"))
        assert opcodes(ours.read("archive/data.pkl")) <= torchs_opcodes | more
        assert ours.read("archive/version") == torchs.read("both_zip/version")
        assert ours.read("archive/byteorder") == torchs.read("both_zip/byteorder")


def test_torch_reads_what_write_pth_wrote(tmp_path):
    torch = pytest.importorskip(
        "torch", reason="torch is not needed here; run this where it is installed"
    )
    write_pth(tmp_path / "w.pth", GROUPS["both"])
    for mmap in (False, True):
        found = torch.load(tmp_path / "w.pth", weights_only=True, mmap=mmap)
        for group, tensors in GROUPS["both"].items():
            assert_arrays_identical(
                {key: tensor.numpy() for key, tensor in found[group].items()},
                in_native_byte_order(tensors),
            )
