"""int8: what it computes, what it costs, and which files of ranges are refused."""

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.inference.engine import calibrate as module
from realesrgan_paddle.inference.engine.calibrate import split
from realesrgan_paddle.inference.engine.check import check_integers
from realesrgan_paddle.inference.engine.engine import Engine
from realesrgan_paddle.inference.engine.int8 import IntegerWeights
from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.ops.onednn.library import OneDNNError
from realesrgan_paddle.tools import quantize
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

COMPACT = SRVGGNetCompact(num_feat=16, num_conv=2, upscale=2)
NETWORKS = [
    COMPACT,
    SRVGGNetCompact(num_feat=20, num_conv=1, upscale=4, act_type="relu"),
    SRVGGNetCompact(num_feat=24, num_conv=3, upscale=1, act_type="leakyrelu"),
]
NAME = "inference.int8.json"


@pytest.fixture(autouse=True)
def has_integers() -> None:
    try:
        check_integers()
    except OneDNNError as error:
        pytest.skip(f"no int8 here: {error}")


def picture(height, width, seed=0):
    """Return a smooth image with some noise, float32 (3, H, W) in [0, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(random.uniform(1, 9) * (x + k * y)) for k in range(3)]
    noise = random.normal(0, 0.05, (3, height, width))
    return np.clip(np.stack(waves) / 2 + 0.5 + noise, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "infer"
    export(COMPACT, sample_weights(COMPACT), folder)
    return folder


@pytest.fixture
def exported(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "infer"))


@pytest.fixture
def calibration(tmp_path):
    for seed in range(5):
        pixels = 255 * picture(30, 20 + seed, seed).transpose(1, 2, 0)
        write_image(tmp_path / "images" / f"{seed}.png", pixels.astype(np.uint8))
    return tmp_path / "images"


def run(exported, calibration, *flags):
    words = ["--model_path", str(exported), "--calibration", str(calibration)]
    return quantize.main([*words, *flags])


@pytest.mark.parametrize("description", NETWORKS, ids=str)
@pytest.mark.parametrize("size", [(16, 12), (1, 1), (3, 5), (7, 34)])
def test_int8_is_close_to_float32(description, size):
    tensors = sample_weights(description)
    image = picture(*size)
    exact = Engine(description, tensors)
    integers = Engine(description, tensors, "int8", ranges=exact.measure_ranges(image))
    expected, found = exact(image[None]), integers(image[None])
    error = np.sqrt(np.mean((found - expected) ** 2)) / np.std(expected)
    assert 0 < error < 0.04
    np.testing.assert_array_equal(integers(image[None]), found)


def test_int8_without_ranges_never_computes_in_float32():
    with pytest.raises(ValueError, match="ranges"):
        Engine(COMPACT, sample_weights(COMPACT), "int8")


def test_a_part_of_an_image_gives_the_same_bits():
    tensors = sample_weights(COMPACT)
    image = picture(40, 36)
    ranges = Engine(COMPACT, tensors).measure_ranges(image)
    integers = Engine(COMPACT, tensors, "int8", ranges=ranges)
    whole = integers(image[None])
    pad = integers.radius
    part = integers(image[None, :, 8:32])
    np.testing.assert_array_equal(
        part[:, :, 2 * pad : -2 * pad], whole[:, :, 16 + 2 * pad : 64 - 2 * pad]
    )


def test_weights_of_other_outputs_do_not_coarsen_a_small_one():
    weight = np.ones((2, 16, 3, 3), np.float32)
    weight[1] *= 1e-4
    weights = IntegerWeights(weight, np.zeros(2), None, np.ones(2, np.float32))
    np.testing.assert_allclose(weights.scales, [1 / 127, 1e-4 / 127])


def test_quantize_writes_the_same_file_again(exported, calibration, capsys):
    assert run(exported, calibration) == 0
    first = (exported / NAME).read_bytes()
    printed = capsys.readouterr().out
    assert printed.count("next: ") == 1
    assert "--precision int8" in printed

    assert run(exported, calibration) == 0
    assert (exported / NAME).read_bytes() == first

    runner = open_runner(exported, precision="int8")
    assert "in int8 (asked for)" in runner.device
    assert runner(picture(9, 8)[None]).shape == (1, 3, 18, 16)
    assert "int8" not in open_runner(exported).device


def test_held_out_images_give_no_ranges(exported, calibration, monkeypatch):
    seen = []
    measure = Engine.measure_ranges

    def note(engine, image):
        seen.append(image.shape)
        return measure(engine, image)

    monkeypatch.setattr(Engine, "measure_ranges", note)
    run(exported, calibration)
    widths = {width for _, _, width in seen}
    assert widths == {20, 21, 23, 24}


def test_too_large_a_loss_is_refused(exported, calibration):
    # One weight of each output is so large that 8 bits round the others to zero.
    tensors = sample_weights(COMPACT)
    for tensor in tensors.values():
        if tensor.ndim == 4:
            tensor[:, 0, 0, 0] *= 300
    export(COMPACT, tensors, exported)
    with pytest.raises(UserError, match=r"dB from float32, and 38 or more are needed"):
        run(exported, calibration)
    assert not (exported / NAME).exists()


def test_a_loss_at_the_bound_is_allowed(exported, calibration, monkeypatch):
    monkeypatch.setattr(module, "LEAST_PSNR", 0)
    assert run(exported, calibration) == 0


def test_images_are_split_in_two():
    for count, share in product([2, 3, 10, 777], [0.0, 0.2, 0.5, 1.0]):
        calibrating, held_out = split(list(range(count)), share)
        assert calibrating
        assert held_out
        assert not set(calibrating) & set(held_out)
        assert len(calibrating) + len(held_out) == min(count, module.MAX_IMAGES)


def test_too_few_images_are_refused(exported, calibration):
    for path in sorted(calibration.iterdir())[1:]:
        path.unlink()
    with pytest.raises(UserError, match=r"1 images; 2 or more are needed"):
        run(exported, calibration)


def test_int8_without_ranges_says_how_to_make_them(exported):
    with pytest.raises(UserError, match=r"no such file.*tools/quantize.py") as error:
        open_runner(exported, precision="int8")
    assert "\n" not in str(error.value)


def damaged(key, value):
    """Return a change of the file's content."""

    def change(content):
        content[key] = value
        return json.dumps(content)

    return change


def in_ranges(value):
    """Return a change of the first number."""

    def change(content):
        content["ranges"]["body.0.weight"][0] = value
        return json.dumps(content)

    return change


BAD_FILES = [
    (lambda _: "", "damaged"),
    (lambda _: "\xff" * 9, "damaged"),
    (lambda _: "[" * 100_000, "damaged"),
    (lambda content: json.dumps(content)[:200], "damaged"),
    (damaged("ranges", []), "not the ranges of 3 layers"),
    (damaged("ranges", {"body.0.weight": [1.0]}), "not the ranges of 3 layers"),
    (in_ranges(0), "has not 16 numbers above 0"),
    (in_ranges(-1.0), "has not 16 numbers"),
    (in_ranges(float("nan")), "has not 16 numbers"),
    (in_ranges(float("inf")), "has not 16 numbers"),
    (in_ranges(10**400), "has not 16 numbers"),
    (in_ranges("1"), "has not 16 numbers"),
    (in_ranges(True), "has not 16 numbers"),
    (damaged("weights_sha256", "0" * 64), "was made for other weights"),
    (damaged("weights_sha256", None), "was made for other weights"),
]


def test_a_bad_file_is_refused(exported, calibration):
    run(exported, calibration)
    sound = (exported / NAME).read_text()
    for change, message in BAD_FILES:
        (exported / NAME).write_text(change(json.loads(sound)))
        with pytest.raises(UserError, match=message) as error:
            open_runner(exported, precision="int8")
        assert "quantize.py" in str(error.value)


def test_ranges_of_other_weights_are_refused(exported, calibration):
    run(exported, calibration)
    export(COMPACT, sample_weights(COMPACT, seed=1), exported)
    with pytest.raises(UserError, match="was made for other weights"):
        open_runner(exported, precision="int8")


def test_other_networks_and_weights_have_no_int8(tmp_path, calibration):
    rrdb = RRDBNet(num_feat=16, num_block=1, num_grow_ch=16)
    export(rrdb, sample_weights(rrdb), tmp_path / "rrdb")
    for call in (
        lambda: open_runner(tmp_path / "rrdb", precision="int8"),
        lambda: run(tmp_path / "rrdb", calibration),
    ):
        with pytest.raises(UserError, match="not with RRDBNet; use bf16"):
            call()

    write_pdparams(tmp_path / "net.pdparams", {"params": sample_weights(COMPACT)})
    with pytest.raises(UserError, match=r"export_model.py, then run tools/quantize"):
        open_runner(tmp_path / "net.pdparams", precision="int8")


def test_a_network_with_a_state_is_quantized_for_pictures_and_says_so(
    tmp_path, calibration
):
    recurrent = RecurrentSRVGG(**COMPACT.model_dump(exclude={"type"}), num_state=4)
    tensors = {**sample_weights(recurrent), **sample_weights(COMPACT)}
    export(recurrent, tensors, tmp_path / "infer")
    assert run(tmp_path / "infer", calibration) == 0
    runner = open_runner(tmp_path / "infer", precision="int8", device="cpu")
    assert not hasattr(runner, "num_state")
    told = "in int8 (asked for; each frame of a video alone, without the state)"
    assert runner.device.endswith(told)
