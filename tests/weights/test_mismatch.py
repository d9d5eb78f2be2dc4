"""Pretrained weights that do not fit, are missing, or have another name: what is said."""

import numpy as np
import pytest

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.assign import differing_options
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.read_generator import locate
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.writer import write_pdparams

SMALL_RRDB = RRDBNet(num_feat=8, num_block=2, num_grow_ch=4)


def zeros(network):
    return {name: np.zeros(shape) for name, shape in network.tensor_shapes().items()}


DIFFERING = [
    (SMALL_RRDB, {"num_block": 3}),
    (SMALL_RRDB, {"num_feat": 16}),
    (SMALL_RRDB, {"num_grow_ch": 8}),
    (SMALL_RRDB, {"scale": 2}),
    (SRVGGNetCompact(num_feat=8, num_conv=2), {"num_conv": 5}),
    (SRVGGNetCompact(num_feat=8, num_conv=2), {"num_feat": 16}),
    (SRVGGNetCompact(num_feat=8, num_conv=2), {"upscale": 2}),
    (SRVGGNetCompact(num_feat=8, num_conv=2), {"act_type": "relu"}),
    (RDN(C=2, D=2, G=4, G0=4, x=2), {"D": 3}),
    (RDN(C=2, D=2, G=4, G0=4, x=2), {"C": 3}),
    (RDN(C=2, D=2, G=4, G0=4, x=2), {"G": 8}),
    (RRDN(C=2, D=2, G=4, G0=4, T=2, x=2), {"T": 3}),
    (UNetDiscriminatorSNOptions(num_feat=8), {"num_feat": 16}),
]


def test_each_option_that_differs_is_named_with_both_values():
    for found, change in DIFFERING:
        wanted = found.model_copy(update=change)
        ((name, value),) = change.items()
        has = getattr(found, name)
        assert differing_options(zeros(found), wanted, "x.pth") == (
            f"{name}: the file has {has}, the option says {value}"
        )


def test_another_kind_of_network_is_named():
    message = differing_options(zeros(SMALL_RRDB), SRVGGNetCompact(), "x.pth")
    assert message.startswith("the file holds RRDBNet x4, 2 blocks")
    assert message.endswith("the options say SRVGGNetCompact")
    assert differing_options({"a": np.zeros(1)}, SMALL_RRDB, "x.pth") == ""


@pytest.mark.paddle
def test_training_says_which_option_differs_from_the_file(tmp_path, caplog):
    from realesrgan_paddle.ops.plain import PLAIN
    from realesrgan_paddle.options.schema.sections import PathOptions
    from realesrgan_paddle.training.build import build_generator

    file = str(tmp_path / "x.pdparams")
    write_pdparams(file, {"params": zeros(SMALL_RRDB)})
    path = PathOptions(pretrain_network_g=file)
    wanted = SMALL_RRDB.model_copy(update={"num_block": 9})
    with pytest.raises(
        UserError,
        match=r"x.pdparams: do not fit RRDBNet: num_block: the file has 2, .* 9",
    ):
        build_generator(wanted, path, PLAIN)

    # The only group is meant, whatever it is called; of two none is.
    path = PathOptions(pretrain_network_g=file, param_key_g="params_ema")
    build_generator(SMALL_RRDB, path, PLAIN)
    assert "has no 'params_ema', so its only weights are taken: 'params'" in caplog.text
    groups = {"params": zeros(SMALL_RRDB), "best": zeros(SMALL_RRDB)}
    write_pdparams(file, groups)
    with pytest.raises(
        UserError,
        match=r"has no 'params_ema'.*; set path.param_key_g: params or path.param_key_g: best$",
    ):
        build_generator(SMALL_RRDB, path, PLAIN)


def test_a_released_model_is_found_however_its_name_is_spelled():
    for name in [
        "realesrgan-x4plus",
        "REALESRGAN_X4PLUS",
        "RealESRGANx4plus",
        "RealESRGAN.x4plus",
    ]:
        assert is_released(name), name
        assert find(name).name == "RealESRGAN_x4plus", name


def test_released_names_stay_apart_however_they_are_spelled():
    from realesrgan_paddle.models.weights.catalogue import MODELS

    assert [find(model.name.lower()) for model in MODELS] == list(MODELS)
    assert isinstance(find("realesrgan-x4plus-anime-6b").network, Generator)
    assert not is_released("realesrgan-x4")


MISSING = [
    (
        "experiments/pretrained_models/RealESRNet_x4plus.pth",
        "is had by its name, RealESRNet_x4plus, without folder and ending",
    ),
    ("weights/realesr-animevideov3.pth", "its name, realesr-animevideov3, without"),
    ("RealESRGAN_x4plu.pth", "did you mean 'RealESRGAN_x4plus'"),
]


def test_a_missing_file_of_a_released_model_says_its_name():
    for path, hint in MISSING:
        with pytest.raises(UserError, match=f"{path}: no such file") as error:
            locate(path)
        assert hint in str(error.value), path
