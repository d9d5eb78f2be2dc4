"""The color loss depends on the color of areas, not on their texture."""

import numpy as np
import paddle
import pytest
from sample_runs import picture, reported, run

from realesrgan_paddle.loss.losses import ColorLoss

pytestmark = pytest.mark.paddle

CHECKERS = np.indices((48, 48)).sum(0) % 2 * 2 - 1


def tensor(array: np.ndarray, **arguments) -> paddle.Tensor:
    return paddle.to_tensor(array, dtype="float64", **arguments)


@pytest.fixture
def gt() -> np.ndarray:
    return np.stack([picture(48, 48, i).transpose(2, 0, 1) / 255 for i in range(2)])


def test_equal_images_have_no_loss(gt):
    assert float(ColorLoss()(tensor(gt), tensor(gt))) == 0


def test_a_texture_of_mean_0_costs_nothing(gt):
    textured = gt + 0.2 * CHECKERS * np.array([1, -0.5, 0.3])[:, None, None]
    assert np.abs(textured - gt).mean() > 0.1
    assert float(ColorLoss()(tensor(textured), tensor(gt))) < 1e-12


def test_random_grain_costs_little(gt):
    grain = np.random.default_rng(0).normal(0, 0.05, gt.shape)
    assert (
        float(ColorLoss()(tensor(gt + grain), tensor(gt))) < 0.2 * np.abs(grain).mean()
    )


@pytest.mark.parametrize(
    ("channel", "luma", "cb", "cr"),
    [(0, 0.299, -0.1687, 0.5), (2, 0.114, 0.5, -0.0813)],
)
def test_a_tint_costs_its_ycbcr_difference(gt, channel, luma, cb, cr):
    """With the coefficients of JPEG's YCbCr (T.871, section 7), full-range BT.601."""
    tinted = gt.copy()
    tinted[:, channel] += 0.02
    loss = float(ColorLoss(loss_weight=3)(tensor(tinted), tensor(gt)))
    assert loss == pytest.approx(3 * 0.02 * (luma + abs(cb) + abs(cr)), rel=1e-3)


def test_the_brightness_weight_scales_the_luma_difference(gt):
    brighter = tensor(gt + 0.02)
    assert float(ColorLoss()(brighter, tensor(gt))) == pytest.approx(0.02)
    assert float(ColorLoss(brightness=0)(brighter, tensor(gt))) == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("side", [32, 40])
def test_the_gradient_equals_finite_differences(side):
    rng = np.random.default_rng(1)
    sr, gt = rng.random((2, 1, 3, side, side))
    loss, target = ColorLoss(0.7, brightness=0.4), tensor(gt)
    x = tensor(sr, stop_gradient=False)
    loss(x, target).backward()
    for place in [(0, 0, 3, 4), (0, 1, 20, 31), (0, 2, side - 1, side - 1)]:
        step = np.zeros_like(sr)
        step[place] = 1e-6
        difference = float(loss(tensor(sr + step), target)) - float(
            loss(tensor(sr - step), target)
        )
        assert difference / 2e-6 == pytest.approx(
            float(x.grad.numpy()[place]), rel=1e-4
        )


def test_gradient_descent_removes_a_tint_and_keeps_texture(gt):
    texture = 0.1 * CHECKERS
    start = gt + texture + np.array([0.05, 0, -0.05])[:, None, None]
    sr = paddle.create_parameter(start.shape, "float64")
    sr.set_value(start)
    sgd = paddle.optimizer.SGD(2.0, parameters=[sr])
    for _ in range(200):
        ColorLoss()(sr, tensor(gt)).backward()
        sgd.step()
        sgd.clear_grad()
    left = sr.numpy() - gt
    assert np.abs(left.mean(axis=(2, 3))).max() < 5e-3
    np.testing.assert_allclose(
        left - left.mean(axis=(2, 3), keepdims=True),
        np.broadcast_to(texture, gt.shape),
        atol=0.01,
    )


def test_training_reports_the_same_loss_on_fast_and_plain_operators(tmp_path, options):
    options["train"]["color_opt"] = {"loss_weight": 2}
    fast, plain = (
        reported(
            run(
                tmp_path, options, f"name={ops}", f"cpu_ops={ops}", "train.total_iter=2"
            )
        )
        for ops in ("auto", "plain")
    )
    assert [line["l_g_color"] for line in fast] == pytest.approx(
        [line["l_g_color"] for line in plain], rel=1e-3
    )
    assert fast[0]["l_g_color"] > 0
