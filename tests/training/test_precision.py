"""Mixed precision, as far as it can be tested without a GPU.

Paddle's `auto_cast` does nothing on a CPU, so networks here run in float32 throughout,
but for those under `gpu_autocast`. In float32 a loss scale, a power of two, must not
change a single bit.
"""

import math
from contextlib import nullcontext

import formulas
import numpy as np
import paddle
import pytest
from gpu_autocast import gpu_autocast
from sample_runs import assert_resumes_exactly, log_of, parts_of, run

from realesrgan_paddle.loss.losses import GANLoss, L1Loss
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.projected_discriminator import (
    ProjectedDiscriminator,
)
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step import precision
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import (
    EMA,
    Batch,
    ReferenceLosses,
    weights_of,
)
from realesrgan_paddle.models.step.precision import Precision, choose_precision
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


@pytest.fixture
def uncast(monkeypatch):
    monkeypatch.setattr(paddle.amp, "auto_cast", lambda **_: nullcontext())


def batches(iteration, factor=1.0):
    gt = paddle.to_tensor(formulas.picture(f"gt{iteration}", (4, 3, 16, 16)))
    parts = [
        Batch(lq=paddle.nn.functional.avg_pool2d(part, 2), gt=part, gt_usm=part)
        for part in gt.split(2)
    ]
    return [
        Batch(lq=part.lq, gt=part.gt * factor, gt_usm=part.gt_usm * factor)
        for part in parts
    ]


def make(dtype):
    paddle.seed(5)
    generator = Network(SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2))
    discriminator = UNetDiscriminatorSN(num_feat=8)
    return GANStep(
        generator=generator,
        ema=EMA(generator, 0.9),
        losses=ReferenceLosses(pixel=L1Loss()),
        optimizer_g=paddle.optimizer.Adam(1e-3, parameters=generator.parameters()),
        lr_g=1e-3,
        grad_clip_g=0.1,
        precision=Precision(dtype),
        discriminator=discriminator,
        optimizer_d=paddle.optimizer.Adam(1e-3, parameters=discriminator.parameters()),
        lr_d=1e-3,
        gan_loss=GANLoss(),
    )


def weights(step):
    """Everything that an update changes, but for the vectors of the power iteration."""
    state, found = step.state(), {}
    for part in ("generator", "ema", "discriminator", "optimizer_g", "optimizer_d"):
        for name, array in state[part].items():
            if not name.endswith(("weight_u", "weight_v")):
                found[f"{part}/{name}"] = array.tobytes()
    return found


def test_the_loss_scale_changes_no_bit(uncast):
    scaled, plain = make("float16"), make("float32")
    for i in range(1, 4):
        found, expected = scaled(batches(i), i), plain(batches(i), i)
        assert float(found.pop("loss_scale")) == 2**16
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert float(found[name]) == float(value), name
    assert weights(scaled) == weights(plain)


def test_a_loss_scale_that_is_too_large_is_halved_and_does_not_count_as_skipped(
    uncast,
):
    step = make("float16")
    step.precision.scale = 2.0**126
    step.losses = ReferenceLosses(pixel=L1Loss(loss_weight=1e3))
    before, scales = weights(step), []
    while weights(step) == before:
        scales.append(float(step(batches(1), 1)["loss_scale"]))
        assert not step.skipped
    assert len(scales) > 2
    assert scales == [2.0 ** (126 - i) for i in range(len(scales))]
    assert step.precision.scale == scales[-1]
    assert all(
        np.isfinite(array).all()
        for part in step.state().values()
        for array in part.values()
    )


def test_an_update_that_no_loss_scale_can_save_counts_as_skipped(uncast):
    step = make("float16")
    step(batches(1, math.nan), 1)
    assert step.skipped and step.precision.scale == 2**16, (
        "the losses are not finite, whatever the scale"
    )
    step.losses = ReferenceLosses(
        pixel=lambda sr, gt: (sr - sr).sum().sqrt()
    )  # with an infinite slope
    skipped = []
    for _ in range(18):
        step(batches(1), 1)
        skipped.append(step.skipped)
    assert skipped == [False] * 16 + [True] * 2


def test_the_scale_is_doubled_after_many_updates(monkeypatch):
    monkeypatch.setattr(precision, "UPDATES_UNTIL_DOUBLED", 3)
    scale, found = Precision("float16"), []
    for finite in (True, True, False, True, True, True, True):
        scale.adapt(finite)
        found.append(scale.scale / 2**16)
    assert found == [1, 1, 0.5, 0.5, 0.5, 1, 1]


def test_a_run_resumes_with_its_scale(tmp_path, options, uncast, monkeypatch):
    monkeypatch.setattr(precision, "UPDATES_UNTIL_DOUBLED", 4)
    monkeypatch.setattr(
        "realesrgan_paddle.training.build.choose_precision",
        lambda *_: Precision("float16"),
    )
    straight, resumed = assert_resumes_exactly(tmp_path, options)
    scale, updates = parts_of(resumed, 6)["precision"]["scale"]
    assert (scale, updates) == (2**17, 2)
    assert "loss_scale 6.554e+04" in log_of(straight)


def test_networks_run_under_auto_cast_and_return_float32(monkeypatch):
    entered = []
    monkeypatch.setattr(
        paddle.amp, "auto_cast", lambda **given: entered.append(given) or nullcontext()
    )
    y = Precision("bfloat16")(
        lambda x: x.astype("bfloat16"), paddle.to_tensor([1.0, 2.0])
    )
    assert y.dtype == paddle.float32 and y.tolist() == [1.0, 2.0]
    Precision("float16")(lambda x: x, paddle.to_tensor([1.0]))
    Precision()(lambda x: x, paddle.to_tensor([1.0]))
    assert entered == [
        {"level": "O1", "dtype": "bfloat16"},
        {"level": "O1", "dtype": "float16"},
    ]


def test_autocast_rounds_products_as_on_a_gpu():
    """Or the tests below would pass whatever the networks do."""
    x = paddle.to_tensor([[1.001, 2.0]])
    with gpu_autocast():
        with paddle.amp.auto_cast(level="O1", dtype="bfloat16"):
            product = paddle.matmul(x, x, transpose_y=True)
            with paddle.amp.auto_cast(enable=False):
                exact = paddle.matmul(x, x, transpose_y=True)
        after = paddle.matmul(x, x, transpose_y=True)
    assert product.dtype == paddle.bfloat16
    assert exact.dtype == after.dtype == paddle.float32
    assert (product.item(), exact.item()) == (5, pytest.approx(5.002001))


@pytest.mark.parametrize("kind", ["u-net", "projected"])
def test_a_discriminator_trained_in_bfloat16_loads_equal(kind, tmp_path):
    trained, loaded = (new_discriminator(kind, seed) for seed in (1, 2))
    images = paddle.to_tensor(formulas.picture("real", (2, 3, 16, 16)))
    adam = paddle.optimizer.Adam(1e-3, parameters=trained.parameters())
    with gpu_autocast():
        for _ in range(2):
            logits = Precision("bfloat16")(trained.classify, trained.features(images))
            GANLoss()(logits, True, is_disc=True).backward()
            adam.step()
            adam.clear_grad()

    arrays = weights_of(trained)
    assert {array.dtype.name for array in arrays.values()} == {"float32"}
    write_pdparams(tmp_path / "net_d.pdparams", {"params": arrays})
    load_weights(loaded, read_weights(tmp_path / "net_d.pdparams").select())
    for name, array in weights_of(loaded).items():
        assert np.array_equal(array, arrays[name]), name
    trained.eval()
    loaded.eval()
    assert np.array_equal(loaded(images).numpy(), trained(images).numpy())


def new_discriminator(kind, seed):
    paddle.seed(seed)
    if kind == "u-net":
        return UNetDiscriminatorSN(num_feat=4)
    return ProjectedDiscriminator(half_sizes, num_feat=4, num_block=2)


def half_sizes(images):
    """Stand in for VGG16's first two blocks: 64 and 128 channels."""
    features = images.mean(1, keepdim=True).expand([-1, 64, -1, -1])
    small = paddle.nn.functional.avg_pool2d(features, 2)
    return [features, paddle.concat([small, small], 1)]


def test_on_a_cpu_amp_is_ignored_and_the_log_says_why(tmp_path, options):
    folder = run(tmp_path, options, "use_amp=true", "train.total_iter=1")
    ignored = "option use_amp is ignored: it is for GPUs; on a CPU there is cpu_ops: onednn_bf16"
    assert ignored in log_of(folder)
    assert (
        choose_precision(use_amp=False, amp_bf16=True).remark
        == "option amp_bf16 is ignored: use_amp is false"
    )
    assert not choose_precision(use_amp=False, amp_bf16=False).remark


def test_on_a_gpu_the_type_is_chosen_or_refused(monkeypatch):
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    for name, answer in (("bfloat16", False), ("float16", True)):
        monkeypatch.setattr(
            paddle.amp, f"is_{name}_supported", lambda answer=answer: answer
        )
    chosen = choose_precision(use_amp=True, amp_bf16=False)
    assert (chosen.dtype, chosen.scale) == ("float16", 2**16)
    assert "networks in float16 (auto_cast, O1)" in chosen.remark
    with pytest.raises(
        UserError,
        match=r"does not compute in bfloat16; try amp_bf16: false \(float16\)",
    ):
        choose_precision(use_amp=True, amp_bf16=True)
