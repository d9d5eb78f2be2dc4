"""What networks cost: parameters and multiplications."""

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.metrics.macs import count_macs, count_parameters
from realesrgan_paddle.metrics.methods import network_of, open_methods
from realesrgan_paddle.models.networks.known import GENERATORS
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.writer import write_pdparams

NETWORKS = (
    SRVGGNetCompact(num_feat=8, num_conv=2),
    SRVGGNetCompact(num_feat=8, num_conv=2, act_type="relu", upscale=2),
    RecurrentSRVGG(num_feat=8, num_conv=2),
    RRDBNet(num_feat=8, num_grow_ch=4, num_block=2),
    RRDBNet(num_feat=8, num_grow_ch=4, num_block=1, scale=2),
    RRDBNet(num_feat=8, num_grow_ch=4, num_block=1, scale=1),
    RDN(C=2, D=2, G=4, G0=8, x=2),
    RDN(C=2, D=2, G=4, G0=8, x=4, upscaling="shuffle"),
    RRDN(C=2, D=2, G=4, G0=8, T=2),
)


PICTURES = [each for each in NETWORKS if not isinstance(each, RecurrentSRVGG)]


def test_a_frame_takes_the_convolutions_of_the_state_too():
    plain = SRVGGNetCompact(num_feat=8, num_conv=2)
    recurrent = RecurrentSRVGG(num_feat=8, num_conv=2, num_state=4)
    added = count_macs(recurrent, 12, 8) - count_macs(plain, 12, 8)
    assert added == 9 * (8 * (3 + 3 + 4) + 8 * 4) * 12 * 8


def test_srvgg_multiplies_at_the_inputs_size():
    by_pixel = 9 * (3 * 64 + 16 * 64 * 64 + 64 * 48)
    network = find("realesr-animevideov3").network
    assert count_macs(network, 128, 128) == by_pixel * 128**2
    assert count_parameters(network) == 621_424


def test_rrdbnet_multiplies_most_at_the_inputs_size_and_then_at_4_and_16_times_it():
    dense = 64 * 32 + 96 * 32 + 128 * 32 + 160 * 32 + 192 * 64
    trunk = 3 * 64 + 23 * 3 * dense + 64 * 64
    tail = 4 * 64 * 64 + 16 * (64 * 64 + 64 * 64 + 64 * 3)
    network = find("RealESRGAN_x4plus").network
    assert count_macs(network, 10, 20) == 9 * (trunk + tail) * 200
    assert count_parameters(network) == 16_697_987


def test_all_kinds_of_networks_are_counted_here():
    assert {type(network) for network in NETWORKS} == set(GENERATORS)


@pytest.mark.paddle
@pytest.mark.parametrize("network", PICTURES, ids=str)
def test_they_are_those_of_paddles_convolutions(network, monkeypatch):
    import paddle
    from paddle.nn import functional

    from realesrgan_paddle.models.networks.network import Network
    from realesrgan_paddle.ops import plain

    counted = []
    convolve = functional.conv2d

    def conv2d(x, weight, *arguments, **options):
        y = convolve(x, weight, *arguments, **options)
        counted.append(np.prod(weight.shape) * np.prod(y.shape[2:]))
        return y

    monkeypatch.setattr(plain.F, "conv2d", conv2d)
    Network(network)(paddle.zeros([1, 3, 12, 8]))
    assert count_macs(network, 12, 8) == sum(counted)


@pytest.mark.paddle
def test_the_card_names_the_network_the_engine_and_the_precision(tmp_path):
    network = SRVGGNetCompact(num_feat=8, num_conv=2)
    path = tmp_path / "net.pdparams"
    write_pdparams(path, {"params": sample_weights(network)})
    (method,) = open_methods([("mine", str(path))], ["fp32"])
    card = method.card
    assert card.network == str(network_of(str(path))) == str(network)
    assert card.macs == card.macs_per_pixel * 128**2
    assert card.parameters == count_parameters(network)
    assert "fp32" in card.runs_on
    assert card.seconds_per_megapixel > 0

    with pytest.raises(UserError, match="weights, and int8 is had with exported"):
        open_methods([("mine", str(path))], ["int8"])


@pytest.mark.paddle
def test_several_precisions_are_several_rows(tmp_path):
    path = tmp_path / "net.pdparams"
    write_pdparams(path, {"params": sample_weights(NETWORKS[0])})
    models = [("bicubic", "bicubic"), ("mine", str(path))]
    found = open_methods(models, ["fp32", "auto"])
    assert [method.name for method in found] == ["bicubic", "mine fp32", "mine auto"]
