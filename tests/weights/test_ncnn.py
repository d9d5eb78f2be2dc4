import struct

import numpy as np
import pytest
from sample_ncnn import rrdb_parts, srvgg_parts, write_pair

from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.errors import UserError

SRVGG = SRVGGNetCompact(
    num_feat=7, num_conv=2, upscale=3
)  # 7 * 9 * 27 numbers: fp16 needs padding
RRDB = RRDBNet(num_feat=5, num_block=1, num_grow_ch=3)


@pytest.mark.parametrize("half", [True, False], ids=["fp16", "fp32"])
@pytest.mark.parametrize(
    ("spec", "parts"), [(SRVGG, srvgg_parts), (RRDB, rrdb_parts)], ids=["srvgg", "rrdb"]
)
def test_every_tensor_comes_out_under_its_name(spec, parts, half, tmp_path):
    weights, lines, data = parts(spec, half)
    param = write_pair(tmp_path, lines, data)
    for path in (param, param.with_suffix(".bin")):
        found = read_ncnn(path)
        assert recognize(found) == spec
        for name, array in weights.items():
            rounded = array.astype(np.float16) if half and array.ndim == 4 else array
            np.testing.assert_array_equal(
                found[name], rounded.astype(np.float32), err_msg=name
            )
            assert found[name].dtype == np.float32


FIRST = "1=3 4=1 5=1 6=189"  # the parameters of the first convolution


BAD_PARAMS = [
    ("7767517", "<!DOCTYPE html>", "an HTML page"),
    ("\nSplit s 1 2 data a b", "", "12 layers declared, 11 found"),
    ("Split", "Softmax", "layers of type Softmax"),
    (FIRST, "1=5 4=1 5=1 6=189", "3x3 convolution"),
    (FIRST, f"{FIRST} 3=2", "3x3 convolution"),
    (FIRST, "1=3 4=1 5=0 6=189", "has no bias"),
    (FIRST, "1=3 4=1 5=1 6=189000000000", "truncated"),
    (FIRST, "1=3 4=1 5=1 6=-189", "-189 weights"),
    (FIRST, "1=3 4=1 5=1 6=nan", "cannot be read"),
    (FIRST, "1=3 4=1 5=1 6=", "cannot be read"),
    (FIRST, f"{FIRST} -23300=0", "-23300=0 holds no number"),
    (FIRST, f"{FIRST} -23304=0,", "cannot be read"),
    (FIRST, f"{FIRST} {'9' * 5000}=1", "cannot be read"),
    ("Split s 1 2 data a b", "Split s", "cannot be read"),
    ("Split s 1 2 data a b", "PReLU s 1 1 a b 0=7", "do not alternate"),
    (
        "Split s 1 2 data a b",
        "Interp i 1 1 a b 0=3 1=5.0e-01 2=5.0e-01",
        "take the -x4 pair",
    ),
    (
        "PixelShuffle p 1 1 a b 0=3",
        "PixelShuffle p 1 1 a b 0=2",
        "resizes the image",
    ),
]


def test_a_bad_param_is_refused_in_one_line(tmp_path):
    for old, new, said in BAD_PARAMS:
        _, lines, data = srvgg_parts(SRVGG)
        param = write_pair(tmp_path, lines, data)
        assert old in param.read_text(), (old, new)
        param.write_text(param.read_text().replace(old, new, 1))
        with pytest.raises(UserError) as error:
            read_ncnn(param)
        assert said in str(error.value), (old, new)
        assert str(error.value).startswith(str(tmp_path / "net.")), (old, new)
        assert "\n" not in str(error.value), (old, new)


BAD_BINS = [
    (lambda data: data[:-1], "truncated"),
    (lambda data: data[:2], "truncated"),
    (lambda data: data + b"\0\0\0\0", "4 bytes more"),
    (
        lambda data: struct.pack("<I", 0x000D4B38) + data[4:],
        "neither fp16 nor fp32 (tag 0x000d4b38",
    ),
    (lambda data: b"\1\0\0\0" + data[4:], "neither fp16 nor fp32"),
]


def test_a_bad_bin_is_refused_in_one_line(tmp_path):
    for spoil, said in BAD_BINS:
        _, lines, data = srvgg_parts(SRVGG)
        with pytest.raises(UserError) as error:
            read_ncnn(write_pair(tmp_path, lines, spoil(data)))
        assert str(error.value).startswith(str(tmp_path / "net.bin: ")), said
        assert said in str(error.value), said
        assert "\n" not in str(error.value), said


def test_an_rrdbnet_with_other_activations_or_resizes_is_refused(tmp_path):
    _, lines, data = rrdb_parts(RRDB)
    for old, new, said in [
        ("-23310=1,2.000000e-01", "-23310=1,1.000000e-01", "slope 0.2"),
        (" 9=2 ", " 9=1 ", "slope 0.2"),
        ("0=1 1=2.0", "0=2 1=2.0", "upscale twice by 2"),
    ]:
        with pytest.raises(UserError, match=said):
            read_ncnn(
                write_pair(tmp_path, [line.replace(old, new) for line in lines], data)
            )


def test_a_network_without_convolutions_is_refused(tmp_path):
    _, lines, data = srvgg_parts(SRVGG)
    none = [line for line in lines if not line.startswith(("Convolution", "PReLU"))]
    with pytest.raises(UserError, match="do not alternate"):
        read_ncnn(write_pair(tmp_path, none, data))


def test_a_missing_half_of_an_ncnn_pair_is_named(tmp_path):
    _, lines, data = srvgg_parts(SRVGG)
    param = write_pair(tmp_path, lines, data)
    param.with_suffix(".bin").unlink()
    with pytest.raises(
        UserError, match=r"net\.bin: no such file; ncnn weights are a pair"
    ):
        read_ncnn(param)
    with pytest.raises(UserError, match=r"other\.param: no such file"):
        read_ncnn(tmp_path / "other.bin")


def test_a_binary_param_is_named(tmp_path):
    (tmp_path / "net.param").write_bytes(b"\x9d\x86\x76\x00")
    (tmp_path / "net.bin").write_bytes(b"")
    with pytest.raises(UserError, match="not the text of an ncnn"):
        read_ncnn(tmp_path / "net.param")
