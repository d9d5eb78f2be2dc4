"""Reading weight files: torch's, Paddle's, groups, and files without weights."""

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from array_asserts import assert_arrays_identical
from hostile import ONE_STORAGE, refusal, state, tensor, torch_zip
from places import REFERENCE

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights

TORCH_FILES = REFERENCE / "torch_files"
ONE, TWO, THREE = (np.full(3, value, np.float32) for value in (1, 2, 3))


def pdparams(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, 4))
    return path


def test_torch_files_are_read_bit_for_bit():
    for stem in ["bare", "network", "both", "lightning", "cuda"]:
        for form in ["zip", "legacy"]:
            weights = read_weights(TORCH_FILES / f"{stem}_{form}.pth")
            found = {
                f"{stem}/{group}/{key}": array
                for group in weights.groups
                for key, array in weights.groups[group].items()
            }
            recorded = np.load(TORCH_FILES / "expected.npz")
            assert_arrays_identical(
                found,
                {
                    key: recorded[key]
                    for key in recorded.files
                    if key.startswith(f"{stem}/")
                },
            )
            assert weights.format == f"torch {form}", (stem, form)
            assert all(
                array.flags.writeable and array.flags.c_contiguous
                for array in found.values()
            )


def test_tensors_of_one_storage_do_not_share_memory():
    tensors = read_weights(TORCH_FILES / "bare_zip.pth").select()
    before = tensors["part_of_base"].copy()
    tensors["base"][:] = 0
    np.testing.assert_array_equal(tensors["part_of_base"], before)


def test_released_files_have_their_group_and_size(assets):
    counts = {
        "realesr-animevideov3.pth": ("params", 621_424),
        "realesr-general-x4v3.pth": ("params", 1_213_296),
        "RealESRGAN_x4plus_anime_6B.pth": ("params_ema", 4_467_779),
    }
    for file, (group, count) in counts.items():
        groups = read_weights(assets / "weights" / file).groups
        assert list(groups) == [group]
        assert sum(tensor.size for tensor in groups[group].values()) == count


SELECTED = [
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
]


def test_the_weights_are_selected_from_their_group(tmp_path):
    for content, key, expected in SELECTED:
        assert_arrays_identical(
            read_weights(pdparams(tmp_path / "w.pdparams", content)).select(key),
            {"w": expected},
        )


def test_an_empty_tensor_may_have_any_offset(tmp_path):
    (tmp_path / "w.pth").write_bytes(
        torch_zip(state(tensor((0, 3), (3, 1), 100)), ONE_STORAGE)
    )
    assert read_weights(tmp_path / "w.pth").select()["k0"].shape == (0, 3)


def test_the_module_prefix_is_kept_unless_all_keys_have_it(tmp_path):
    path = pdparams(tmp_path / "w.pdparams", {"module.a": ONE, "b": TWO})
    assert read_weights(path).select().keys() == {"module.a", "b"}


def test_an_ambiguous_or_unknown_group_is_an_error_that_lists_the_groups(tmp_path):
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
    assert_arrays_identical(
        read_weights(pdparams(tmp_path / "paddle", {"w": bits})).select(),
        {"w": expected},
    )
    header = json.dumps(
        {"w": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}
    ).encode()
    (tmp_path / "w.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + bits.tobytes()
    )
    assert_arrays_identical(
        read_weights(tmp_path / "w.safetensors").select(), {"w": expected}
    )


WITHOUT_WEIGHTS = [
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
]


def test_the_error_says_what_a_file_without_weights_is(tmp_path):
    for file, content, message in WITHOUT_WEIGHTS:
        assert message in refusal(tmp_path / file, content), message


def test_folders_and_missing_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="a folder; name the weight file inside it"):
        read_weights(tmp_path)
    with pytest.raises(UserError, match=r"missing.pth: no such file"):
        read_weights(tmp_path / "missing.pth")
