import math

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError

SMALL = {"num_feat": 8, "num_block": 2, "num_grow_ch": 4}
SPECS = [
    RRDBNet(**SMALL),
    RRDBNet(scale=2, **SMALL),
    RRDBNet(scale=1, **SMALL),
    RRDBNet(num_in_ch=1, num_out_ch=1, scale=2, num_feat=8, num_block=1, num_grow_ch=8),
    RRDBNet(num_in_ch=1, num_out_ch=3, num_feat=6, num_block=11, num_grow_ch=5),
    RRDBNet(num_in_ch=4, num_out_ch=4, num_feat=8, num_block=1, num_grow_ch=4),
    SRVGGNetCompact(num_feat=8, num_conv=3),
    SRVGGNetCompact(num_feat=8, num_conv=3, upscale=2),
    SRVGGNetCompact(num_feat=8, num_conv=0, upscale=1),
    SRVGGNetCompact(num_in_ch=1, num_out_ch=1, num_feat=8, num_conv=12, upscale=3),
    RecurrentSRVGG(num_feat=8, num_conv=3, upscale=2, num_state=5),
    UNetDiscriminatorSNOptions(num_feat=4),
    UNetDiscriminatorSNOptions(num_in_ch=1, num_feat=8),
]


def test_each_argument_of_a_network_is_read_off_its_tensors():
    for spec in SPECS:
        assert recognize(sample_weights(spec)) == spec, spec


# The counts are those of the released files and of Real-ESRGAN's paper repository.
PARAMETERS = [
    (RRDBNet(), 16_697_987),
    (RRDBNet(num_block=6), 4_467_779),
    (RRDBNet(scale=2), 16_697_987 + 64 * 9 * 9),
    (SRVGGNetCompact(), 621_424),
    (SRVGGNetCompact(num_conv=32), 1_213_296),
    (UNetDiscriminatorSNOptions(), 4_376_897),
]


def test_default_networks_have_as_many_parameters_as_the_released_ones():
    for spec, parameters in PARAMETERS:
        shapes = spec.tensor_shapes()
        trained = [
            shape for name, shape in shapes.items() if not name.endswith(("_u", "_v"))
        ]
        assert sum(math.prod(shape) for shape in trained) == parameters, spec


def test_names_and_shapes_are_basicsrs():
    rrdb = RRDBNet(scale=2).tensor_shapes()
    assert rrdb["conv_first.weight"] == (64, 12, 3, 3)
    assert rrdb["body.22.rdb3.conv4.weight"] == (32, 64 + 3 * 32, 3, 3)
    assert rrdb["body.0.rdb1.conv5.bias"] == (64,)
    assert len(rrdb) == 2 * (6 + 15 * 23)
    srvgg = SRVGGNetCompact().tensor_shapes()
    assert srvgg["body.1.weight"] == (64,)
    assert srvgg["body.34.weight"] == (48, 64, 3, 3)
    assert "body.35.weight" not in srvgg
    unet = UNetDiscriminatorSNOptions().tensor_shapes()
    assert unet["conv0.weight"] == (64, 3, 3, 3)
    assert unet["conv3.weight_orig"] == (512, 256, 4, 4)
    assert unet["conv3.weight_u"] == (512,)
    assert unet["conv3.weight_v"] == (256 * 16,)
    assert "conv3.bias" not in unet
    assert unet["conv9.bias"] == (1,)


def test_a_description_prints_its_arguments_in_one_line():
    assert str(RRDBNet(num_block=6)) == "RRDBNet x4, 6 blocks, 64 features, growth 32"
    assert (
        str(SRVGGNetCompact())
        == "SRVGGNetCompact x4, 16 convolutions, 64 features, prelu"
    )
    assert "1 -> 3 channels" in str(RRDBNet(num_in_ch=1))
    assert str(UNetDiscriminatorSNOptions()).startswith(
        "UNetDiscriminatorSN, 64 features, skip connections"
    )


def test_an_activation_without_parameters_must_be_given():
    for act_type in ["relu", "leakyrelu"]:
        spec = SRVGGNetCompact(num_feat=8, num_conv=2, act_type=act_type)
        tensors = sample_weights(spec)
        assert recognize(tensors, act_type=act_type) == spec, act_type
        with pytest.raises(UserError, match=r"net\.pth.*relu or leakyrelu"):
            recognize(tensors, "net.pth")


def spoil(name, shape):
    tensors = sample_weights(RRDBNet(**SMALL))
    if shape is None:
        del tensors[name]
    else:
        tensors[name] = np.zeros(shape, np.float32)
    return tensors


def rdn_names(blocks, convolutions):
    """Return weights named like those of the first block of RDN and its other blocks."""
    names = ["F_m1", "UPN3", "SR"]
    names += [f"F_1_{c + 1}" for c in range(convolutions)]
    names += [f"LFF_{d + 1}" for d in range(blocks)]
    return {f"{name}.weight": np.zeros((3, 3, 3, 3)) for name in names}


def rrdn_names(blocks, parts, convolutions):
    """Return weights named like some of RRDN's."""
    names = ["Pre_blocks_conv", "PreShuffle"]
    names += [f"F_1_1_{c + 1}" for c in range(convolutions)]
    names += [f"LFF_1_{d + 1}" for d in range(parts)]
    names += [f"LFF_{t + 1}_1" for t in range(1, blocks)]
    return {f"{name}.weight": np.zeros((3, 3, 3, 3)) for name in names}


DO_NOT_FIT = [
    ({}, "no known network among 0 tensors"),
    ({"features.0.weight": np.zeros((64, 3, 3, 3))}, "features.0.weight"),
    (spoil("conv_up2.bias", None), "1 missing (conv_up2.bias)"),
    (spoil("body.1.rdb2.conv3.weight", None), "body.1.rdb2.conv3.weight"),
    (
        spoil("body.0.rdb1.conv2.weight", (4, 8, 3, 3)),
        "1 of another shape (body.0.rdb1.conv2.weight)",
    ),
    (spoil("conv_extra.weight", (1,)), "1 unexpected (conv_extra.weight)"),
    (spoil("conv_last.weight", None), "conv_last.weight is missing"),
    (spoil("conv_first.weight", (8,)), "conv_first.weight has shape [8]"),
    (
        {
            "body.0.weight": np.zeros((8, 3, 3, 3)),
            "body.9999.weight": np.zeros((8, 3, 3, 3)),
        },
        "(act_type)",
    ),
    (
        {"body.0.weight": np.zeros((12, 3, 3, 3)), "body.0.bias": np.zeros(12)},
        "ends with body.0",
    ),
    (rdn_names(300, 300), "with more than 90,000 layers"),
    (rrdn_names(60, 60, 60), "with more than 216,000 layers"),
    (
        {**rdn_names(1, 1), "UPN3.weight": np.zeros((2, 1, 3, 3))},
        "looks like RDN, but no RDN has the x that its tensors tell",
    ),
    (
        spoil("conv_last.weight", (0, 8, 3, 3)),
        "conv_last.weight has shape [0, 8, 3, 3]",
    ),
]


def test_tensors_that_do_not_fit_are_named():
    for tensors, said in DO_NOT_FIT:
        with pytest.raises(UserError) as error:
            recognize(tensors, "some/file.pth")
        assert str(error.value).startswith("some/file.pth: "), said
        assert said in str(error.value), said
        assert "\n" not in str(error.value), said


def test_a_discriminator_without_spectral_norm_is_refused():
    tensors = sample_weights(UNetDiscriminatorSNOptions(num_feat=4))
    plain = {
        name.replace("weight_orig", "weight"): array
        for name, array in tensors.items()
        if name[-2] != "_"
    }
    with pytest.raises(UserError, match="without spectral norm"):
        recognize(plain)
