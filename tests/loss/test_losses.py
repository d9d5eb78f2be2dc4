"""Pixel, GAN and artifact losses: values and gradients equal BasicSR's (recorded)."""

from itertools import product

import formulas
import numpy as np
import paddle
import pytest
import sample_losses as sample
from array_asserts import assert_close
from places import REFERENCE

from realesrgan_paddle.loss.losses import (
    PIXEL_LOSSES,
    ArtifactLoss,
    CharbonnierLoss,
    GANLoss,
    artifact_map,
)

pytestmark = pytest.mark.paddle


@pytest.fixture(scope="module")
def reference():
    return np.load(REFERENCE / "losses.npz")


def image(name, shape):
    return paddle.to_tensor(
        formulas.picture(name, shape), stop_gradient=name not in ("pred", "sr")
    )


def assert_equals(pred, value, expected, tolerance=2e-6):
    """Compare the value, and the gradient of its sum, with the recorded ones."""
    value.sum().backward()
    assert_close(value, expected["value"], tolerance)
    assert_close(pred.grad, expected["grad"], tolerance)


def recorded(reference, name):
    return {part: reference[f"{name}/{part}"] for part in ("value", "grad")}


def test_pixel_losses_equal_basicsrs(reference):
    for kind, arguments in sample.PIXEL.items():
        for reduction in ("mean", "sum"):
            loss = PIXEL_LOSSES[kind](loss_weight=0.7, reduction=reduction, **arguments)
            pred, target = image("pred", sample.SHAPE), image("target", sample.SHAPE)
            expected = recorded(reference, f"{kind}/{reduction}/unweighted")
            assert_equals(pred, loss(pred, target), expected)


@pytest.mark.parametrize("gan_type", sample.GAN_TYPES)
def test_a_gan_loss_equals_basicsrs(gan_type, reference):
    for real, disc in product((True, False), (True, False)):
        noise = formulas.noise("answers", sample.GAN_SHAPE) + np.float32(0.5)
        pred = paddle.to_tensor(noise, stop_gradient=False)
        value = GANLoss(gan_type, **sample.GAN)(pred, real, is_disc=disc)
        assert_equals(pred, value, recorded(reference, f"{gan_type}/{real}/{disc}"))


def test_the_artifact_loss_and_its_map_equal_the_reference(reference):
    gt, sr, ema = (image(name, sample.ARTIFACT_SHAPE) for name in ("gt", "sr", "ema"))
    assert_close(artifact_map(gt, sr, ema), reference["artifact/map"], 1e-5)
    assert_equals(
        sr, ArtifactLoss()(sr, gt, ema), recorded(reference, "artifact"), 1e-5
    )


def test_the_artifact_map_is_0_where_the_ema_is_farther_from_gt():
    gt, sr = image("gt", (1, 3, 16, 16)), image("sr", (1, 3, 16, 16))
    assert (artifact_map(gt, sr, 1 - gt).numpy() == 0).mean() > 0.8
    assert (artifact_map(gt, sr, gt) > 0).all()


def test_perfect_images_and_constant_residuals_have_finite_gradients():
    gt = paddle.zeros([1, 3, 16, 16])
    # Perfect; wrong by the same amount everywhere, so that all variances are zero.
    for level in (0.0, 0.25):
        sr = paddle.full([1, 3, 16, 16], level)
        sr.stop_gradient = False
        (ArtifactLoss()(sr, gt, gt) + CharbonnierLoss()(sr, gt)).backward()
        assert np.isfinite(sr.grad.numpy()).all()


def test_unknown_gan_types_are_refused():
    with pytest.raises(ValueError, match="gan_type 'r1'"):
        GANLoss("r1")(paddle.zeros([1, 1, 2, 2]), True)
