"""Gradient accumulation: an update of two small batches equals that of a large one."""

from dataclasses import replace
from itertools import islice

import formulas
import numpy as np
import paddle
import pytest
from batch_changes import changed_batches
from sample_runs import log_of, picture, reported, run, write_yml

from realesrgan_paddle.loss.losses import ArtifactLoss, GANLoss, L1Loss
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import (
    EMA,
    Batch,
    PixelStep,
    ReferenceLosses,
)
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle

ACCUMULATED = ("datasets.train.batch_size_per_gpu=2", "datasets.train.accum_iter=2")
LARGE = ("datasets.train.batch_size_per_gpu=4",)


def batches(iteration, count):
    """Four pairs, in `count` batches."""
    gt = paddle.to_tensor(formulas.picture(f"gt{iteration}", (4, 3, 16, 24)))
    return [
        Batch(lq=paddle.nn.functional.avg_pool2d(part, 2), gt=part, gt_usm=part)
        for part in gt.split(count)
    ]


def make(adversarial):
    """A step with SGD: Adam makes a whole step of a gradient that is nothing but rounding."""
    paddle.seed(5)
    generator = Network(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2))
    step = PixelStep(
        generator=generator,
        ema=EMA(generator, 0.9),
        losses=ReferenceLosses(pixel=L1Loss(), artifact=ArtifactLoss()),
        optimizer_g=paddle.optimizer.SGD(0.1, parameters=generator.parameters()),
        lr_g=0.1,
    )
    if not adversarial:
        return step
    discriminator = UNetDiscriminatorSN(num_feat=8)
    return GANStep(
        **vars(step),
        discriminator=discriminator,
        optimizer_d=paddle.optimizer.SGD(0.1, parameters=discriminator.parameters()),
        lr_d=0.1,
        gan_loss=GANLoss(),
    )


@pytest.mark.parametrize("adversarial", [False, True])
def test_two_batches_of_two_are_one_of_four(adversarial):
    large, small = make(adversarial), make(adversarial)
    before = large.state()
    for i in range(1, 4):
        expected, found = large(batches(i, 1), i), small(batches(i, 2), i)
        assert list(expected) == list(found)
        for name, loss in expected.items():
            assert float(found[name]) == pytest.approx(float(loss), rel=1e-4), name

    accumulated, changed = small.state(), 0
    for part, arrays in large.state().items():
        for name, array in arrays.items():
            where = f"{part}/{name}"
            np.testing.assert_allclose(
                accumulated[part][name], array, atol=2e-6, err_msg=where
            )
            changed += np.abs(array - before[part][name]).max() > 1e-4
    assert changed > 10


@pytest.mark.parametrize(
    "pixel", [L1Loss(), None], ids=["all losses", "the adversarial loss alone"]
)
def test_the_generator_is_updated_by_the_sum_of_its_losses(pixel):
    step, other, batch = make(True), make(True), batches(1, 1)[0]
    step.losses = other.losses = ReferenceLosses(pixel=pixel)
    step([batch], 1)

    sr = other.generator(batch.lq)
    adversarial = other.gan_loss(other.discriminator(sr), True, is_disc=False)
    sum(other.losses(sr, batch, other.ema, 1).values(), adversarial).backward()
    for found, parameter in zip(
        step.generator.parameters(), other.generator.parameters(), strict=True
    ):
        expected = parameter - 0.1 * parameter.grad
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-7)
        assert np.abs(parameter.grad.numpy()).max() > 1e-5


def test_the_discriminator_is_updated_by_its_own_losses_alone():
    """The generator's adversarial loss passes through it and leaves no gradient in it."""
    ignored, followed, batch = make(True), make(True), batches(1, 1)[0]
    ignored.gan_loss, followed.gan_loss = GANLoss(loss_weight=0), GANLoss(loss_weight=9)
    ignored([batch], 1)
    followed([batch], 1)

    expected = ignored.state()
    for name, found in followed.state()["discriminator"].items():
        assert np.array_equal(found, expected["discriminator"][name]), name
    weight = "body.0.weight"
    generators = (expected["generator"], followed.state()["generator"])
    assert not np.array_equal(*(each[weight] for each in generators))


@pytest.fixture
def pairs(tmp_path, options):
    """Options of a run on given pairs: nothing is drawn for a batch as a whole."""
    for i in range(3):
        gt = picture(64, 48, i)
        write_image(tmp_path / "gt" / f"{i}.png", gt)
        write_image(tmp_path / "lq" / f"{i}.png", gt[::4, ::4])
    folders = {"dataroot_gt": str(tmp_path / "gt"), "dataroot_lq": str(tmp_path / "lq")}
    options["datasets"]["train"] |= {"type": "RealESRGANPairedDataset", **folders}
    options["high_order_degradation"] = False
    return options


def test_the_stream_of_samples_is_that_of_large_batches(tmp_path, pairs):
    def images(count, *overrides, start=0):
        cfg = load_config(write_yml(tmp_path, pairs), overrides)
        stream = TrainingBatches(cfg, open_training_data(cfg), start)
        return paddle.concat([batch.gt for batch in islice(stream, count)]).numpy()

    large = images(3, *LARGE)
    assert np.array_equal(images(6, *ACCUMULATED), large)
    assert np.array_equal(images(4, *ACCUMULATED, start=2), large[4:])


def test_a_run_reports_the_losses_of_large_batches(tmp_path, pairs):
    total = "train.total_iter=3"
    large = reported(run(tmp_path, pairs, "name=large", total, *LARGE))
    small = reported(run(tmp_path, pairs, "name=small", total, *ACCUMULATED))
    assert [line["iter"] for line in small] == [1, 2, 3]
    for expected, found in zip(large, small, strict=True):
        for name in ("l_g_pix", "l_g_gan", "l_d_real", "l_d_fake", "lr"):
            assert found[name] == pytest.approx(expected[name], rel=1e-3), name


def test_one_bad_batch_spoils_its_update_and_no_other(tmp_path, options, monkeypatch):
    def spoil_third(batch, number):
        return replace(batch, gt=batch.gt * np.nan) if number == 3 else batch

    monkeypatch.setattr(TrainingBatches, "__next__", changed_batches(spoil_third))
    folder = run(tmp_path, options, "train.total_iter=3", "queue_size=0", *ACCUMULATED)
    skipped = [line for line in log_of(folder).splitlines() if "skipped" in line]
    assert len(skipped) == 1
    assert "iter 2: update skipped" in skipped[0]


@pytest.mark.parametrize("adversarial", [False, True])
def test_lpips_sees_both_images_at_each_of_16_places(adversarial):
    """So that it does not meet the pixels of an input pixel always at the same place."""
    step, batch = make(adversarial), batches(1, 1)[0]
    seen = []

    def lpips(upscaled, target):
        places = []
        sr = step.generator(batch.lq)
        for image, still in ((upscaled, sr), (target, batch.gt)):
            for down, across in np.ndindex(4, 4):
                if (image == paddle.roll(still, [down, across], [2, 3])).all():
                    places.append((down, across))
        seen.append(places)
        return 0 * upscaled.mean()

    step.losses = ReferenceLosses(pixel=None, lpips=lpips)
    for iteration in range(1, 17):
        step([batch], iteration)
    assert all(len(places) == 2 and len({*places}) == 1 for places in seen)
    assert len({places[0] for places in seen}) == 16
