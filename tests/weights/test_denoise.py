"""--denoise_strength: weights between those of two networks."""

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights import read_generator as reading
from realesrgan_paddle.models.weights.weight_options import WeightOptions, companion
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.writer import write_pdparams

NETWORK = SRVGGNetCompact(num_feat=8, num_conv=2)


@pytest.fixture
def pair(tmp_path):
    """Return two files named as the released ones, and their tensors."""
    strong = sample_weights(NETWORK)
    weak = {name: array + 1 for name, array in strong.items()}
    names = ("realesr-general-x4v3", "realesr-general-wdn-x4v3")
    paths = [tmp_path / f"{name}.pdparams" for name in names]
    for path, tensors in zip(paths, (strong, weak), strict=True):
        write_pdparams(path, {"params": tensors})
    return paths, strong, weak


@pytest.mark.parametrize("strength", [0, 0.25, 0.5, 1, None])
def test_the_strength_is_the_part_of_the_strong_network(pair, strength):
    (path, _), strong, weak = pair
    network, tensors = WeightOptions(strength).read(path)
    part = 1 if strength is None else strength
    assert network == NETWORK
    for name in strong:
        assert tensors[name].dtype == np.float32
        expected = part * strong[name] + (1 - part) * weak[name]
        assert np.allclose(tensors[name], expected, atol=1e-6)


def test_full_strength_needs_no_second_file_and_changes_nothing(pair):
    (path, weak_path), strong, _ = pair
    weak_path.unlink()
    _, tensors = WeightOptions(1).read(path)
    assert all(np.array_equal(tensors[name], strong[name]) for name in strong)


def test_any_two_networks_of_one_shape_can_be_mixed(pair, tmp_path):
    (_, weak_path), strong, weak = pair
    mine = tmp_path / "mine.pdparams"
    write_pdparams(mine, {"params": strong})
    _, tensors = WeightOptions(0.5, weak_path).read(mine)
    name = next(iter(strong))
    assert np.allclose(tensors[name], (strong[name] + weak[name]) / 2)


def test_what_is_missing_or_does_not_fit_is_named(pair, tmp_path):
    (path, weak_path), strong, _ = pair
    mine = tmp_path / "mine.pdparams"
    write_pdparams(mine, {"params": strong})
    with pytest.raises(
        UserError, match=r"mine.pdparams: --denoise_strength needs .*--dn_model"
    ):
        WeightOptions(0.5).read(mine)
    with pytest.raises(UserError, match="give --denoise_strength too"):
        WeightOptions(None, weak_path).read(mine)

    other = SRVGGNetCompact(num_feat=8, num_conv=3)
    write_pdparams(weak_path, {"params": sample_weights(other)})
    with pytest.raises(UserError, match=r"3 conv.*; weights can only be mixed"):
        WeightOptions(0.5).read(path)
    weak_path.unlink()
    with pytest.raises(
        UserError, match=r"wdn-x4v3.pdparams: no such file; .*put it there"
    ):
        WeightOptions(0.5).read(path)


@pytest.mark.parametrize("name", ["realesr-general-x4v3", "RealESR_General_x4v3"])
def test_the_released_network_has_a_released_companion(name, monkeypatch):
    read = []

    def fake(model, block):
        read.append(str(model))
        return NETWORK, {"a": np.float32(len(read))}

    monkeypatch.setattr(reading, "read_generator", fake)
    _, tensors = WeightOptions(0.75).read(name)
    assert read == [name, "realesr-general-wdn-x4v3"]
    assert tensors["a"] == np.float32(0.75 * 1 + 0.25 * 2)


def test_other_released_networks_have_none():
    with pytest.raises(UserError, match="realesr-general-x4v3 has one, others do not"):
        companion("RealESRGAN_x4plus")
