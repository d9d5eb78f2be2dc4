"""Weight files: what real torch wrote, what we write, wrappers, and files that lie about themselves."""

import json
import pickle
import pickletools
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import (
    LEGACY_HEAD,
    array,
    name,
    plain,
    state,
    storage,
    tensor,
    torch_legacy,
    torch_zip,
)
from places import REFERENCE
from test_unpickle import refusal

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_safetensors, read_weights
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
ONES = struct.pack("<4f", 1, 2, 3, 4)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return (found.dtype, found.shape, found.tobytes()) == (
        expected.dtype,
        expected.shape,
        expected.tobytes(),
    )


def assert_same(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for key in expected:
        assert same(found[key], expected[key]), key


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("stem", ["bare", "network", "both", "lightning", "cuda"])
def test_what_torch_wrote_is_read_bit_for_bit(stem, form):
    weights = read_weights(TORCH_FILES / f"{stem}_{form}.pth")
    found = {
        f"{stem}/{group}/{key}": array
        for group in weights.groups
        for key, array in weights.groups[group].items()
    }
    recorded = np.load(TORCH_FILES / "expected.npz")
    assert_same(
        found,
        {key: recorded[key] for key in recorded.files if key.startswith(f"{stem}/")},
    )
    assert weights.format == f"torch {form}"
    assert all(
        array.flags.writeable and array.flags.c_contiguous for array in found.values()
    )


def test_tensors_of_one_storage_do_not_share_memory():
    tensors = read_weights(TORCH_FILES / "bare_zip.pth").select()
    before = tensors["part_of_base"].copy()
    tensors["base"][:] = 0
    np.testing.assert_array_equal(tensors["part_of_base"], before)


def test_real_files_are_read(assets):
    counts = {
        "realesr-animevideov3.pth": ("params", 621_424),
        "realesr-general-x4v3.pth": ("params", 1_213_296),
        "RealESRGAN_x4plus_anime_6B.pth": ("params_ema", 4_467_779),
    }
    for file, (group, count) in counts.items():
        groups = read_weights(assets / "weights" / file).groups
        assert list(groups) == [group]
        assert sum(tensor.size for tensor in groups[group].values()) == count


# Writing


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


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_round_trip_keeps_every_byte(tmp_path, suffix, groups):
    path = tmp_path / "new" / f"w.{suffix}"
    WRITERS[suffix](path, GROUPS[groups])
    found = read_weights(path)
    assert found.format == FORMATS[suffix]
    assert list(found.groups) == list(GROUPS[groups])
    for group, tensors in GROUPS[groups].items():
        assert (
            list(found.groups[group]) == list(tensors) or suffix == "safetensors"
        )  # which sorts by size
        assert_same(
            found.groups[group],
            {key: a.astype(a.dtype.newbyteorder("=")) for key, a in tensors.items()},
        )


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_tensors_give_the_same_file_and_only_that(tmp_path, suffix):
    paths = [tmp_path / "a" / f"w.{suffix}", tmp_path / "b" / f"w.{suffix}"]
    for path in paths:
        WRITERS[suffix](path, GROUPS["both"])
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("dtype", ["uint16", "complex64", "O", "U3"])
def test_a_type_that_would_not_come_back_is_not_written(tmp_path, suffix, dtype):
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match=r"'k': .* cannot be written"):
        WRITERS[suffix](path, {"params": {"k": np.zeros(2, dtype)}})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_pth_is_what_torch_takes_for_its_own(tmp_path):
    """The opcodes and names are those of torch's own files, and each entry begins at a multiple of 64 bytes."""
    write_pth(tmp_path / "w.pth", GROUPS["both"])
    content = (tmp_path / "w.pth").read_bytes()
    with (
        zipfile.ZipFile(tmp_path / "w.pth") as ours,
        zipfile.ZipFile(TORCH_FILES / "both_zip.pth") as torchs,
    ):
        for entry in ours.infolist():
            lengths = struct.unpack(
                "<2H", content[entry.header_offset + 26 : entry.header_offset + 30]
            )
            assert (entry.header_offset + 30 + sum(lengths)) % 64 == 0
        own = {
            opcode.name
            for opcode, _, _ in pickletools.genops(ours.read("archive/data.pkl"))
        }
        known = {
            opcode.name
            for opcode, _, _ in pickletools.genops(torchs.read("both_zip/data.pkl"))
        }
        # torch/_weights_only_unpickler.py takes these too
        assert own <= known | {
            "TUPLE",
            "TUPLE1",
            "TUPLE2",
            "EMPTY_TUPLE",
            "BININT",
            "BININT2",
        }
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
            assert_same(
                {key: tensor.numpy() for key, tensor in found[group].items()},
                {
                    key: a.astype(a.dtype.newbyteorder("="))
                    for key, a in tensors.items()
                },
            )


# Groups


def pdparams(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, 4))
    return path


ONE, TWO, THREE = (np.full(3, value, np.float32) for value in (1, 2, 3))


@pytest.mark.parametrize(
    ("content", "key", "expected"),
    [
        ({"params": {"w": ONE}, "params_ema": {"w": TWO}}, None, TWO),
        ({"params": {"w": ONE}, "params_ema": {"w": TWO}}, "params", ONE),
        ({"params": {"w": ONE}, "optimizer": {"w": TWO}}, None, ONE),
        ({"state_dict": {"w": ONE}, "epoch": 3, "hparams": {"lr": 0.1}}, None, ONE),
        ({"generator": {"w": ONE}, "discriminator": {"w": TWO}, "epoch": 3}, None, ONE),
        ({"generator": {"w": ONE}, "discriminator": {"w": TWO}}, "discriminator", TWO),
        ({"net": {"w": ONE}}, None, ONE),
        ({"w": ONE, "": {"v": TWO}}, None, ONE),
        ({"w": ONE, "StructuredToParameterName@@": {"w": "conv2d_0.w_0"}}, None, ONE),
        (
            {
                "params": {
                    "w": ("conv2d_0.w_0", ONE),
                    "pair": ["a", ONE],
                    "sizes": (3, 4),
                }
            },
            None,
            ONE,
        ),
        ({"params": {"module.w": ONE}}, None, ONE),
    ],
)
def test_the_weights_are_found_among_their_wrappers(tmp_path, content, key, expected):
    assert_same(
        read_weights(pdparams(tmp_path / "w.pdparams", content)).select(key),
        {"w": expected},
    )


def test_an_empty_tensor_may_lie_anywhere(tmp_path):
    (tmp_path / "w.pth").write_bytes(
        torch_zip(state(tensor((0, 3), (3, 1), 100)), STORAGES)
    )
    assert read_weights(tmp_path / "w.pth").select()["k0"].shape == (0, 3)


def test_a_prefix_that_not_all_keys_have_is_theirs(tmp_path):
    path = pdparams(tmp_path / "w.pdparams", {"module.a": ONE, "b": TWO})
    assert read_weights(path).select().keys() == {"module.a", "b"}


def test_a_choice_that_cannot_be_made_lists_the_groups(tmp_path):
    weights = read_weights(
        pdparams(tmp_path / "w.pdparams", {"a": {"w": ONE}, "b": {"w": TWO}})
    )
    with pytest.raises(
        UserError, match=r"w.pdparams: holds several sets of tensors \('a', 'b'\)"
    ):
        weights.select()
    with pytest.raises(UserError, match=r"w.pdparams: has no 'c'; it holds 'a', 'b'"):
        weights.select("c")


def test_bfloat16_is_widened_exactly(tmp_path):
    bits = np.array([0x3F80, 0xC049, 0x7F80, 0x0001], np.uint16)
    expected = np.array(
        [0x3F800000, 0xC0490000, 0x7F800000, 0x00010000], np.uint32
    ).view(np.float32)
    assert_same(
        read_weights(pdparams(tmp_path / "paddle", {"w": bits})).select(),
        {"w": expected},
    )
    header = json.dumps(
        {"w": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}
    ).encode()
    (tmp_path / "w.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + bits.tobytes()
    )
    assert_same(read_weights(tmp_path / "w.safetensors").select(), {"w": expected})


def split(slices: list, shape: tuple = (2, 3), **parts: np.ndarray) -> dict:
    """Return what paddle.save makes of a parameter of more than 1 GB at protocol 2."""
    return {
        **parts,
        "UnpackBigParamInfor@@": {"w": {"OriginShape": shape, "slices": slices}},
    }


def test_parameters_that_paddle_split_are_put_together(tmp_path):
    content = split(["w@@.0", "w@@.1"], **{"w@@.0": ONE, "w@@.1": TWO})
    path = pdparams(tmp_path / "w.pdparams", content)
    assert_same(read_weights(path).select(), {"w": np.stack([ONE, TWO])})


@pytest.mark.parametrize(
    "content",
    [
        split(["a", "a"], a=ONE),
        split(["a", "b"], a=ONE),
        split(["a", ["b"]], a=ONE, b=TWO),
        split([], a=ONE),
        split(["a", "b"], (7,), a=ONE, b=TWO),
        split(["a", "b"], (2**30, 2**30), a=ONE, b=TWO),
        {"a": ONE, "UnpackBigParamInfor@@": {"w": 5}},
    ],
)
def test_parts_that_do_not_add_up_are_refused(tmp_path, content):
    message = refusal(tmp_path / "w.pdparams", pickle.dumps(content, 4))
    assert "are not all there" in message or "impossible shape" in message


# Files that are something else


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("w.pth", b"", "empty; download or copy it again"),
        (
            "w.pth",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n",
            "a Git-LFS pointer",
        ),
        ("w.pth", b"\n<!DOCTYPE html><html>", "an HTML page"),
        ("w.pth", b"<html><head>", "an HTML page"),
        (
            "w.param",
            b"7767517\n2 1\n",
            "an ncnn network; give its .param file to tools/convert_torch.py",
        ),
        ("w.bin", b"\x47\x6b\x30\x01\0\0\0\0", "an ncnn network"),
        ("w.bin", bytes(64), "an ncnn network"),
        ("inference.pdiparams", bytes(64), "an exported graph"),
        (
            "w.pth",
            b"\x89PNG\r\n\x1a\n",
            r"no weight file (it begins with b'\x89PNG\r\n\x1a\n')",
        ),
        ("w.pth", b"{}", "no weight file"),
        (
            "w.pth",
            b"PK\3\4 and no more",
            "damaged or cut short (File is not a zip file)",
        ),
        (
            "w.npz",
            torch_zip(b"", {}).replace(b"data.pkl", b"arr0.npy"),
            "a zip archive, but not one of torch",
        ),
    ],
)
def test_what_is_no_weight_file_is_named(tmp_path, file, content, message):
    assert message in refusal(tmp_path / file, content)


def test_folders_and_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match="a folder; name the weight file inside it"):
        read_weights(tmp_path)
    with pytest.raises(UserError, match=r"missing.pth: no such file"):
        read_weights(tmp_path / "missing.pth")


# Torch files that lie

HONEST_PICKLE = state(tensor())
STORAGES = {"0": ONES}


def test_the_honest_torch_files_of_these_tests_are_read(tmp_path):
    for content in (
        torch_zip(HONEST_PICKLE, STORAGES),
        torch_legacy(HONEST_PICKLE, STORAGES),
    ):
        (tmp_path / "w.pth").write_bytes(content)
        assert read_weights(tmp_path / "w.pth").select()["k0"].tolist() == [1, 2, 3, 4]


TENSORS = {
    "beyond its storage": (tensor((5,)), "reaches 1 numbers beyond its storage"),
    "shifted beyond it": (
        tensor((4,), offset=1),
        "reaches 1 numbers beyond its storage",
    ),
    "strides beyond it": (
        tensor((2, 2), (3, 1)),
        "reaches 1 numbers beyond its storage",
    ),
    "strides that overflow": (tensor((2, 2), (2**63, 1)), "impossible strides"),
    "negative stride": (tensor((2,), (-1,), 3), "impossible strides"),
    "negative offset": (tensor((2,), (1,), -1), "impossible strides"),
    "offset that is no number": (tensor((2,), (1,), "0"), "impossible strides"),
    "fewer strides": (tensor((2, 2), (1,)), "a malformed tensor"),
    "no storage": (tensor(of=b"N"), "a malformed tensor"),
    "an array for a storage": (tensor(of=array()), "a malformed tensor"),
    "one number repeated for ever": (
        tensor((2**30,), (0,)),
        "declare more than 8 times as many",
    ),
    "overflowing storage": (tensor((0,), of=storage(numel=2**62)), "impossible shape"),
    "negative storage": (tensor((0,), of=storage(numel=-4)), "impossible shape"),
    "wider storage": (
        tensor(of=storage(kind="torch.DoubleStorage")),
        "a storage of 32 bytes has 16",
    ),
    "storage of an unknown type": (
        tensor(of=storage(kind="torch.QInt8Storage")),
        "wants 'torch.QInt8Storage'",
    ),
    "a type that is no storage": (
        tensor(of=storage(kind="numpy.ndarray")),
        "malformed reference to a storage",
    ),
    "a storage of two types": (
        tensor() + tensor(of=storage(kind="torch.IntStorage")) + b"\x86",
        "in two ways",
    ),
    "an odd persistent id": (
        plain("storage") + b"Q",
        "malformed reference to a storage",
    ),
    "a missing argument": (
        name("torch._utils._rebuild_tensor_v2") + b")R",
        "other arguments than it takes",
    ),
    "a class of torch": (
        name("torch.nn.modules.conv.Conv2d") + b")\x81",
        "wants 'torch.nn.modules.conv.Conv2d'",
    ),
}


@pytest.mark.parametrize("container", [torch_zip, torch_legacy])
@pytest.mark.parametrize("case", TENSORS)
def test_tensors_that_lie_are_refused(tmp_path, case, container):
    value, message = TENSORS[case]
    assert message in refusal(tmp_path / "w.pth", container(state(value), STORAGES))


def patched(content: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Return a zip archive with a field changed in the last header that begins with `signature`."""
    start = content.rindex(signature) + offset
    return content[:start] + value + content[start + len(value) :]


HONEST = torch_zip(HONEST_PICKLE, STORAGES)
TWICE = torch_zip(HONEST_PICKLE, STORAGES, {"data/1": ONES}).replace(
    b"data/1", b"data/0"
)
HEADER = b"PK\1\2"  # of an entry in the archive's directory
ZIPS = {
    "a bomb": (
        torch_zip(HONEST_PICKLE, {"0": bytes(10**7)}, compression=zipfile.ZIP_DEFLATED),
        "a compressed or encrypted",
    ),
    "a zip in a zip": (
        HONEST.replace(b"data.pkl", b"more.zip"),
        "a zip archive, but not one of torch",
    ),
    "a huge storage": (
        torch_zip(state(tensor(of=storage(numel=2**34))), STORAGES),
        "a storage of 68,719,476,736 bytes has 16",
    ),
    "a storage of more bytes": (
        torch_zip(HONEST_PICKLE, {"0": ONES + ONES}),
        "a storage of 16 bytes has 32",
    ),
    "a storage that is not there": (
        torch_zip(HONEST_PICKLE, {}),
        "no entry 'archive/data/0'",
    ),
    "a storage elsewhere": (
        torch_zip(state(tensor(of=storage("../data.pkl"))), {}),
        "no entry 'archive/data/../data",
    ),
    "a program": (
        torch_zip(HONEST_PICKLE, STORAGES, {"code/x.py": b""}),
        "a TorchScript program",
    ),
    "two entries of one name": (TWICE, "two entries of one name"),
    "a declared size beyond the file": (
        patched(HONEST, HEADER, 24, b"\xff\xff\xff\x7f"),
        "declare more than that",
    ),
    "an encrypted entry": (
        patched(HONEST, HEADER, 8, b"\1\0"),
        "a compressed or encrypted zip",
    ),
    "an offset beyond the file": (
        patched(HONEST, HEADER, 42, b"\xff\xff\xff\x7f"),
        "an entry lies outside the file",
    ),
    "a wrong checksum": (
        HONEST.replace(ONES, ONES[::-1]),
        "damaged or cut short (Bad CRC-32",
    ),
    "a big-endian machine": (
        torch_zip(HONEST_PICKLE, STORAGES, {"byteorder": b"big"}),
        "a big-endian machine",
    ),
}


@pytest.mark.parametrize("case", ZIPS)
def test_archives_that_lie_are_refused(tmp_path, case):
    content, message = ZIPS[case]
    assert message in refusal(tmp_path / "w.pth", content)


ROWS = torch_legacy(HONEST_PICKLE, STORAGES)
LEGACY = {
    "another protocol": (
        ROWS.replace(pickle.dumps(1001, 2), pickle.dumps(1002, 2)),
        "unknown protocol",
    ),
    "a big-endian machine": (
        ROWS.replace(b"\x88s.", b"\x89s."),
        "a big-endian machine",
    ),
    "no list of storages": (
        LEGACY_HEAD + HONEST_PICKLE + pickle.dumps({}, 2),
        "list of storages does not match",
    ),
    "an unknown storage": (
        LEGACY_HEAD + HONEST_PICKLE + pickle.dumps(["1"], 2),
        "list of storages does not match",
    ),
    "a storage that is no text": (
        LEGACY_HEAD + HONEST_PICKLE + pickle.dumps([0], 2),
        "list of storages does not match",
    ),
    "a missing storage": (
        torch_legacy(HONEST_PICKLE, {}),
        "list of storages does not match",
    ),
    "a huge storage": (
        torch_legacy(state(tensor(of=storage(numel=2**34))), STORAGES),
        "is not where it should be",
    ),
    "another count": (
        torch_legacy(HONEST_PICKLE, {"0": ONES[:12]}),
        "is not where it should be",
    ),
    "a cut storage": (ROWS[:-1], "a storage of 16 bytes has 15"),
    "a view of a storage": (
        torch_legacy(
            state(tensor(of=storage()[:-2] + plain(("1", 0, 4)) + b"tQ")), STORAGES
        ),
        "in two ways",
    ),
}


@pytest.mark.parametrize("case", LEGACY)
def test_legacy_files_that_lie_are_refused(tmp_path, case):
    content, message = LEGACY[case]
    assert message in refusal(tmp_path / "w.pth", content)


def test_a_legacy_file_may_say_that_a_storage_is_no_view(tmp_path):
    (tmp_path / "w.pth").write_bytes(
        torch_legacy(state(tensor(of=storage()[:-2] + b"NtQ")), STORAGES)
    )
    assert read_weights(tmp_path / "w.pth").select()["k0"].tolist() == [1, 2, 3, 4]


# Safetensors


def safetensors(
    header: dict | bytes, content: bytes = ONES, length: int | None = None
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
    "bytes that belong to nothing": safetensors({"w": entry()}, ONES + ONES),
    "a missing end": safetensors({"w": entry()}, ONES[:15]),
    "a header that is no json": safetensors(b'{"w": '),
    "an unknown type": safetensors({"w": entry("F\x1b[2J")}),
    "a type that is not read": safetensors({"w": entry("F8_E4M3", (16,))}),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_safetensors_that_lie_are_refused(tmp_path, case):
    refusal(tmp_path / "w.safetensors", SAFETENSORS[case])
    with pytest.raises(UserError):
        read_safetensors(tmp_path / "w.safetensors")


def test_a_tensor_of_no_announced_group_is_refused(tmp_path):
    content = safetensors({"__metadata__": {"groups": "a,b"}, "c.w": entry()})
    assert "holds 'c.w', which is in none of its groups" in refusal(
        tmp_path / "w.safetensors", content
    )


def test_read_safetensors_gives_keys_as_they_are_and_metadata(tmp_path):
    path = tmp_path / "state.safetensors"
    path.write_bytes(safetensors({"__metadata__": {"iter": "5"}, "module.w": entry()}))
    tensors, metadata = read_safetensors(path)
    assert metadata == {"iter": "5"}
    assert_same(tensors, {"module.w": np.array([1, 2, 3, 4], np.float32)})
    path.write_bytes(safetensors({"w": entry()}))
    assert read_safetensors(path)[1] == {}
    assert "holds no tensors" in refusal(path, safetensors({}, b""))
    with pytest.raises(
        UserError, match=r"a Paddle file where a .safetensors file is needed"
    ):
        read_safetensors(pdparams(path, {}))


# Any file


def examples(tmp_path: Path) -> list[bytes]:
    small = {"params": {"w": ONE, "n": np.array(1)}}
    for suffix, write in WRITERS.items():
        write(tmp_path / f"example.{suffix}", small)
    written = [(tmp_path / f"example.{suffix}").read_bytes() for suffix in WRITERS]
    return [
        *written,
        torch_legacy(HONEST_PICKLE, STORAGES),
        pickle.dumps({"w": ONE}, 4),
    ]


def test_no_truncated_file_is_taken_for_a_whole_one(tmp_path):
    for content in examples(tmp_path):
        for end in range(0, len(content), 3):
            refusal(tmp_path / "w.pth", content[:end])


def test_damage_ends_in_weights_or_in_one_line(tmp_path):
    """Whatever byte is changed, the reader neither crashes nor lets another exception through."""
    draw = random.Random(0)
    refused = 0
    for content in examples(tmp_path):
        for _ in range(400):
            broken = bytearray(content)
            for _ in range(draw.choice((1, 1, 2, 8))):
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            (tmp_path / "w.pth").write_bytes(broken)
            try:
                read_weights(tmp_path / "w.pth")
            except UserError as error:
                assert str(error).isprintable()
                refused += 1
    assert 500 < refused < 2000
