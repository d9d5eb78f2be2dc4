import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.layouts import layout_of, to_basicsr, to_ppgan
from realesrgan_paddle.utils.errors import UserError

SPEC = RRDBNet(num_feat=8, num_block=3, num_grow_ch=4)
WEIGHTS = sample_weights(SPEC)

# The names as PaddleGAN's ppgan/models/generators/rrdb_net.py makes them, and as the
# first ESRGAN's nn.Sequential did.
PPGAN_OUTER = {
    "conv_first": "conv_first",
    "conv_body": "trunk_conv",
    "conv_up1": "upconv1",
    "conv_up2": "upconv2",
}
PPGAN_OUTER |= {"conv_hr": "HRconv", "conv_last": "conv_last"}
OLD_OUTER = {
    "conv_first": "model.0",
    "conv_body": "model.1.sub.3",
    "conv_up1": "model.3",
    "conv_up2": "model.6",
}
OLD_OUTER |= {"conv_hr": "model.8", "conv_last": "model.10"}


def spelled(outer, dense):
    names = {}
    for name in WEIGHTS:
        parts = name.split(".")
        if parts[0] == "body":
            names[name] = dense.format(
                block=parts[1], rdb=parts[2][-1], conv=parts[3][-1], kind=parts[4]
            )
        else:
            names[name] = f"{outer[parts[0]]}.{parts[1]}"
    return names


PPGAN = spelled(PPGAN_OUTER, "RRDB_trunk.{block}.RDB{rdb}.conv{conv}.{kind}")
OLD = spelled(OLD_OUTER, "model.1.sub.{block}.RDB{rdb}.conv{conv}.0.{kind}")


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name] is array or (
            found[name].tobytes() == array.tobytes()
            and found[name].dtype == array.dtype
        )


@pytest.mark.parametrize(
    ("names", "layout"), [(PPGAN, "PaddleGAN"), (OLD, "old ESRGAN")]
)
def test_foreign_names_become_basicsrs(names, layout):
    foreign = {names[name]: array for name, array in WEIGHTS.items()}
    assert layout_of(foreign) == layout
    assert_same(to_basicsr(foreign), WEIGHTS)


def test_ppgan_names_are_exactly_paddlegans_and_come_back():
    renamed = to_ppgan(WEIGHTS)
    assert set(renamed) == set(PPGAN.values())
    for name, array in WEIGHTS.items():
        assert renamed[PPGAN[name]] is array
    assert_same(to_basicsr(renamed), WEIGHTS)


def test_basicsr_names_stay():
    assert layout_of(WEIGHTS) == "BasicSR"
    assert_same(to_basicsr(WEIGHTS), WEIGHTS)


def test_parts_of_names_that_frameworks_add_are_removed():
    spec = SRVGGNetCompact(num_feat=8, num_conv=2)
    weights = sample_weights(spec)
    paddle = {
        n.replace(".weight", "._weight") if a.ndim == 1 and "weight" in n else n: a
        for n, a in weights.items()
    }
    assert "body.1._weight" in paddle
    assert recognize(to_basicsr(paddle)) == spec


def test_torchs_newer_spectral_norm_is_renamed_to_the_older_one():
    spec = UNetDiscriminatorSNOptions(num_feat=4)
    weights = sample_weights(spec)
    new = {}
    for name, array in weights.items():
        name = name.replace(".weight_orig", ".parametrizations.weight.original")
        name = name.replace(".weight_u", ".parametrizations.weight.0._u")
        new[name.replace(".weight_v", ".parametrizations.weight.0._v")] = array
    assert new.keys() != weights.keys()
    assert_same(to_basicsr(new), weights)


def test_spectral_norm_of_the_first_convolution_is_folded_into_its_weight():
    spec = UNetDiscriminatorSNOptions(num_feat=4)
    weights = sample_weights(spec)
    original = weights.pop("conv0.weight") * 5
    # Power iteration, as a spectral norm does it, until u and v are the leading
    # singular vectors.
    matrix = original.reshape(4, -1)
    left, values, right = np.linalg.svd(matrix)
    foreign = {
        **weights,
        "conv0.weight_orig": original,
        "conv0.weight_u": left[:, 0],
        "conv0.weight_v": right[0],
    }
    found = to_basicsr(foreign)
    assert recognize(found) == spec
    np.testing.assert_allclose(found["conv0.weight"], original / values[0], rtol=1e-5)
    assert found["conv0.weight"].dtype == np.float32


@pytest.mark.parametrize(
    ("tail", "layers"),
    [(("model.3", "model.5", "model.7"), 1), (("model.2", "model.4"), 0)],
)
def test_an_old_esrgan_with_other_upsampling_is_refused(tail, layers):
    old = {OLD[name]: array for name, array in WEIGHTS.items()}
    short = {
        name: array
        for name, array in old.items()
        if name.startswith(("model.0", "model.1.sub"))
    }
    short |= {
        f"{name}.{kind}": np.zeros(1) for name in tail for kind in ("weight", "bias")
    }
    with pytest.raises(
        UserError, match=rf"x2\.pth: an ESRGAN with {layers} upsampling layers"
    ):
        to_basicsr(short, "x2.pth")


def test_esrgan_plus_is_refused():
    old = {OLD[name]: array for name, array in WEIGHTS.items()}
    old["model.1.sub.0.RDB1.conv1x1.weight"] = np.zeros((4, 8, 1, 1))
    with pytest.raises(UserError, match=r"ESRGAN\+"):
        to_basicsr(old)


def test_the_ppgan_layout_is_refused_for_other_networks():
    with pytest.raises(UserError, match="only RRDBNet exists in PaddleGAN"):
        to_ppgan(sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1)))
