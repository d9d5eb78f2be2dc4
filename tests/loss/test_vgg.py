"""VGG19 and the perceptual loss equal BasicSR's, with weights of either family."""

from itertools import pairwise
from types import SimpleNamespace

import formulas
import numpy as np
import paddle
import pytest
import sample_losses as sample
from array_asserts import assert_close
from places import REFERENCE
from safetensors.numpy import save_file

from realesrgan_paddle.loss import perceptual
from realesrgan_paddle.loss.perceptual import (
    VGG19,
    PerceptualLoss,
    layer_name,
    load_vgg19,
    read_vgg19,
    recognize_normalization,
)
from realesrgan_paddle.options.schema.training import VGG19_LAYERS
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

RECORDED = REFERENCE / "losses.npz"
# Of the convolutions in vgg19().features.
NUMBERS = (*(0, 2, 5, 7), *(10, 12, 14, 16), *(19, 21, 23, 25), *(28, 30, 32, 34))
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 256, *[512] * 8)


@pytest.fixture(scope="module")
def tensors():
    """VGG19's weights from a formula; torchvision's names without "features."."""
    shapes = {}
    for number, (in_ch, out_ch) in zip(NUMBERS, pairwise(CHANNELS), strict=True):
        shapes |= {
            f"{number}.weight": (out_ch, in_ch, 3, 3),
            f"{number}.bias": (out_ch,),
        }
    return formulas.weights(shapes, sample.VGG_GAIN)


@pytest.fixture(scope="module")
def vgg_path(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file({f"features.{name}": tensor for name, tensor in tensors.items()}, path)
    return path


@pytest.fixture
def file(monkeypatch):
    """Let `read_vgg19` find given tensors in its file."""

    def file_with(tensors, path=__file__):
        monkeypatch.setattr(
            perceptual,
            "read_weights",
            lambda _: SimpleNamespace(select=lambda: tensors),
        )
        return path

    return file_with


def images():
    return (
        paddle.to_tensor(formulas.picture("sr", sample.VGG_SHAPE), stop_gradient=False),
        paddle.to_tensor(formulas.picture("gt", sample.VGG_SHAPE)),
    )


def test_features_equal_basicsrs(vgg_path):
    reference = np.load(RECORDED)
    features = load_vgg19(
        vgg_path, list(sample.LAYER_WEIGHTS), normalization="torchvision"
    )(images()[0])
    assert list(features) == list(sample.LAYER_WEIGHTS)
    for name, feature in features.items():
        assert_close(feature[:, ::16], reference[f"features/{name}"], 1e-5)


@pytest.mark.parametrize("name", sample.PERCEPTUAL)
def test_the_perceptual_loss_equals_basicsrs(name, vgg_path):
    reference = np.load(RECORDED)
    arguments = dict(sample.PERCEPTUAL[name])
    norms = {
        key: arguments.pop(key)
        for key in ("use_input_norm", "range_norm")
        if key in arguments
    }
    features = load_vgg19(
        vgg_path, list(sample.LAYER_WEIGHTS), normalization="torchvision", **norms
    )
    loss = PerceptualLoss(sample.LAYER_WEIGHTS, features, **arguments)
    for kind, part in (("perceptual", 0), ("style", 1)):
        sr, gt = images()
        value = loss(sr, gt)[part]
        if f"{kind}/{name}/value" not in reference:
            assert value is None
            continue
        value.backward()
        # Measured: 2e-5, for a norm of 262144 numbers.
        assert_close(value, reference[f"{kind}/{name}/value"], 5e-5)
        # Rounding may flip the sign of an L1 difference of equal features.
        assert_close(sr.grad, reference[f"{kind}/{name}/grad"], 1e-3)


def test_weights_are_frozen_and_loaded_up_to_the_deepest_layer(vgg_path):
    features = load_vgg19(vgg_path, ["7", "conv1_2"])
    assert list(features.convolutions) == ["conv1_1", "conv1_2", "conv2_1", "conv2_2"]
    sr, gt = images()
    content, style = PerceptualLoss({"7": 1.0, "conv1_2": 0.5}, features)(sr, gt)
    content.backward()
    assert style is None
    assert np.abs(sr.grad.numpy()).sum() > 0
    assert all(
        weight.grad is None and bias.grad is None
        for weight, bias in features.convolutions.values()
    )


def test_equal_images_have_gradient_0(vgg_path):
    loss = PerceptualLoss(
        {"conv1_2": 1.0},
        load_vgg19(vgg_path, ["conv1_2"]),
        criterion="fro",
        style_weight=1.0,
    )
    sr, _ = images()
    sum(loss(sr, sr.detach())).backward()
    assert (sr.grad.numpy() == 0).all()


def test_layers_are_found_by_name_and_number():
    assert [layer_name(str(number)) for number in NUMBERS] == list(VGG19_LAYERS)
    assert layer_name("conv3_4") == "conv3_4"
    with pytest.raises(UserError, match=r"'conv4_5'.*did you mean"):
        layer_name("conv4_5")
    with pytest.raises(UserError, match="'4'"):
        layer_name("4")  # a pooling layer


@pytest.mark.parametrize(
    "key",
    [
        "features.{number}.{kind}",
        "{number}.{kind}",
        "vgg_net.{name}.{kind}",
        "{name}.{kind}",
        "_conv_block_{b}._conv_{c}.{kind}",
    ],
)
def test_every_naming_of_the_layers_is_read(key, tensors, file):
    renamed = {
        key.format(number=number, kind=kind, name=name, b=name[4], c=name[6]): tensors[
            f"{number}.{kind}"
        ]
        for number, name in zip(NUMBERS, VGG19_LAYERS, strict=True)
        for kind in ("weight", "bias")
    }
    found = read_vgg19(
        file({**renamed, "classifier.0.weight": np.zeros(1), "mean": np.zeros(3)})
    )
    for number, name in zip(NUMBERS, VGG19_LAYERS, strict=True):
        assert np.array_equal(found[name][0], tensors[f"{number}.weight"])
        assert np.array_equal(found[name][1], tensors[f"{number}.bias"])


def test_missing_biases_as_in_paddleclas_are_0(tensors, file):
    path = file(
        {name: tensor for name, tensor in tensors.items() if name.endswith("weight")}
    )
    found = read_vgg19(path)
    assert all((bias == 0).all() for _, bias in found.values())
    assert recognize_normalization(found) == "torchvision"


def trained_on_unit_inputs(tensors):
    """Return weights whose signals exceed their biases, as after training."""
    return {
        name: tensor * np.float32(0.1) if name.endswith("bias") else tensor
        for name, tensor in tensors.items()
    }


def caffe_twin(tensors):
    """Return the same network for BGR in 0..255 less the mean."""
    first = tensors["0.weight"][:, ::-1] / np.float32(255 * 0.226)
    return {**trained_on_unit_inputs(tensors), "0.weight": np.ascontiguousarray(first)}


def test_the_normalization_is_recognized_from_the_weights(tensors, file):
    assert (
        recognize_normalization(read_vgg19(file(trained_on_unit_inputs(tensors))))
        == "torchvision"
    )
    assert recognize_normalization(read_vgg19(file(caffe_twin(tensors)))) == "caffe"


def test_a_caffe_file_gives_caffes_features_on_torchvisions_scale(tensors, file):
    path = file(caffe_twin(tensors))
    rgb = formulas.picture("sr", sample.VGG_SHAPE)
    bgr = rgb[:, ::-1] * 255 - np.float32([103.939, 116.779, 123.68]).reshape(
        1, 3, 1, 1
    )
    layers = ["conv1_2", "conv3_4", "conv5_4"]
    plain = VGG19(read_vgg19(path), layers, mean=[0.0] * 3, std=[1.0] * 3)(
        paddle.to_tensor(np.ascontiguousarray(bgr))
    )
    features = load_vgg19(path, layers)(paddle.to_tensor(rgb))
    for layer in layers:
        assert_close(features[layer], plain[layer].numpy() / (255 * 0.226), 1e-4)


def test_the_error_for_missing_weights_says_how_to_get_them(tmp_path):
    with pytest.raises(
        UserError,
        match=r"vgg_path: .*none\.pdparams: no such file.*"
        r"curl --create-dirs -Lo .*none\.pdparams https://",
    ):
        load_vgg19(tmp_path / "none.pdparams", ["conv5_4"])


def test_another_network_is_refused(tensors, file):
    vgg16 = {
        name: tensor for name, tensor in tensors.items() if not name.startswith("16.")
    }
    with pytest.raises(
        UserError,
        match=r"not VGG19: conv3_4 should be \[256, 256, 3, 3\] and is missing",
    ):
        read_vgg19(file(vgg16))
    batch_norm = {**tensors, "2.weight": np.zeros(64)}
    with pytest.raises(UserError, match=r"conv1_2 .* is \[64\]"):
        read_vgg19(file(batch_norm))
