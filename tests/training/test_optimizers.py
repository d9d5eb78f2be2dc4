"""Optimizers: weight decay in Adam and AdamW, their states, and gradient clipping."""

import numpy as np
import paddle
import pytest
from sample_runs import log_of, reported, run

from realesrgan_paddle.loss.losses import L1Loss
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.step.pixel_step import (
    EMA,
    Batch,
    PixelStep,
    ReferenceLosses,
    are_finite,
)
from realesrgan_paddle.models.step.state import get_optimizer_state, set_optimizer_state
from realesrgan_paddle.options.schema.optimization import OptimizerOptions
from realesrgan_paddle.training.build import build_optimizer

pytestmark = pytest.mark.paddle

OPTIMIZERS = [("Adam", 0.0), ("Adam", 0.3), ("AdamW", 0.0), ("AdamW", 0.3)]
LR, BETAS = 0.05, (0.9, 0.99)


def gradient(iteration):
    return np.random.default_rng(iteration).standard_normal((3, 2))


def updated(kind, decay, weight, steps):
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2.

    The decay of the latter is multiplied by the rate.
    """
    beta1, beta2 = BETAS
    m = v = np.zeros_like(weight)
    for i in range(1, steps + 1):
        g = gradient(i)
        if kind == "Adam":
            g = g + decay * weight
        else:
            weight = weight - LR * decay * weight
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        corrected_m, corrected_v = m / (1 - beta1**i), v / (1 - beta2**i)
        weight = weight - LR * corrected_m / (np.sqrt(corrected_v) + 1e-8)
    return weight


def make(kind, decay):
    network = paddle.nn.Linear(3, 2, bias_attr=False)
    optimizer = build_optimizer(
        OptimizerOptions(type=kind, lr=LR, weight_decay=decay, betas=BETAS), network
    )
    return network, optimizer


def train_on(network, optimizer, iterations):
    for i in iterations:
        (network.weight * paddle.to_tensor(gradient(i), "float32")).sum().backward()
        optimizer.step()
        optimizer.clear_grad()


@pytest.mark.parametrize(("kind", "decay"), OPTIMIZERS)
def test_weight_decay_is_a_penalty_in_adam_and_decoupled_in_adamw(kind, decay):
    network, optimizer = make(kind, decay)
    expected = updated(kind, decay, network.weight.numpy().astype("float64"), 6)
    train_on(network, optimizer, range(1, 7))
    np.testing.assert_allclose(network.weight.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "decay"), OPTIMIZERS)
def test_a_new_optimizer_continues_from_a_state_bit_for_bit(kind, decay):
    network, optimizer = make(kind, decay)
    train_on(network, optimizer, range(1, 4))
    other, resumed = make(kind, decay)
    other.set_state_dict(network.state_dict())
    set_optimizer_state(resumed, other, get_optimizer_state(optimizer, network))
    train_on(network, optimizer, range(4, 7))
    train_on(other, resumed, range(4, 7))
    assert network.weight.numpy().tobytes() == other.weight.numpy().tobytes()


def make_step(grad_clip, pixel_loss):
    """A step with SGD at rate 1, and a batch for it."""
    paddle.seed(3)
    network = Network(SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2))
    step = PixelStep(
        generator=network,
        ema=EMA(network, 0.9),
        losses=ReferenceLosses(pixel=pixel_loss),
        optimizer_g=paddle.optimizer.SGD(1.0, parameters=network.parameters()),
        lr_g=1.0,
        grad_clip_g=grad_clip,
    )
    gt = paddle.linspace(0, 1, 2 * 3 * 16 * 16).reshape([2, 3, 16, 16]).sin()
    return step, Batch(lq=gt[:, :, ::2, ::2], gt=gt, gt_usm=gt)


def moved_by_one_step(grad_clip):
    """How far SGD at rate 1 moves the weights: the gradient's norm; and the losses."""
    step, batch = make_step(grad_clip, L1Loss(loss_weight=10))
    parameters = step.generator.parameters()
    before = [parameter.numpy() for parameter in parameters]
    losses = step([batch], 1)
    after = [parameter.numpy() for parameter in parameters]
    squares = [((a - b) ** 2).sum() for a, b in zip(after, before, strict=True)]
    return np.sqrt(sum(squares)), losses


def test_a_large_gradient_is_clipped_and_its_norm_reported():
    norm, losses = moved_by_one_step(None)
    assert norm > 0.2
    assert "grad_norm_g" not in losses
    clipped, losses = moved_by_one_step(0.1)
    assert clipped == pytest.approx(0.1, rel=1e-3)
    assert float(losses["grad_norm_g"]) == pytest.approx(norm, rel=1e-3)


def test_a_small_gradient_is_not_clipped():
    assert moved_by_one_step(1e4)[0] == moved_by_one_step(None)[0]


def test_the_log_has_the_norms_of_both_networks(tmp_path, options):
    overrides = (
        "train.optim_g.grad_clip=0.01",
        "train.optim_d.grad_clip=100",
        "train.total_iter=1",
    )
    folder = run(tmp_path, options, *overrides)
    (line,) = reported(folder)
    assert line["grad_norm_g"] > 0
    assert line["grad_norm_d"] > 0
    assert "  grad_norm_d " in log_of(folder)


@pytest.mark.parametrize("grad_clip", [None, 1.0])
def test_an_update_is_skipped_for_a_gradient_although_the_loss_is_finite(grad_clip):
    """Clipping does not hide it. The square root of 0 has an infinite slope."""
    step, batch = make_step(grad_clip, lambda sr, gt: (sr - sr).sum().sqrt())
    before = [parameter.numpy() for parameter in step.generator.parameters()]
    losses = step([batch], 1)
    assert step.skipped
    assert float(losses["l_g_pix"]) == 0
    for parameter, value in zip(step.generator.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), value)


@pytest.mark.parametrize("device", ["cpu", "gpu:0"])
def test_what_is_not_finite_is_found_in_losses_and_in_gradients(device, monkeypatch):
    """A GPU checks all gradients by one operation, which this CPU can do, too."""
    monkeypatch.setattr(paddle, "get_device", lambda: device)
    for wrong in (None, float("nan"), float("inf"), -float("inf")):
        losses = {"a": paddle.to_tensor(0.5), "b": paddle.to_tensor(wrong or 2.0)}
        gradients = [paddle.linspace(-3, 1e30, 9).reshape([3, 3]), paddle.ones([2])]
        before = [gradient.numpy() for gradient in gradients]
        assert are_finite(losses, gradients) == (wrong is None, True)
        for gradient, values in zip(gradients, before, strict=True):
            np.testing.assert_array_equal(gradient.numpy(), values)

        gradients[0][1, 1] = wrong or 0.0
        assert are_finite({"a": losses["a"]}, gradients) == (True, wrong is None)
