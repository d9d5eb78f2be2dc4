"""Optimizers: weight decay in Adam and in AdamW, states, and the clipping of gradients."""

import numpy as np
import paddle
import pytest
from sample_runs import assert_states_equal, reported, run

from realesrgan_paddle.loss.pixel import L1Loss
from realesrgan_paddle.models.networks.build import build
from realesrgan_paddle.models.networks.specs import SRVGGNetCompactSpec
from realesrgan_paddle.models.step.batch import Batch
from realesrgan_paddle.models.step.ema import EMA
from realesrgan_paddle.models.step.optimizer_state import (
    get_optimizer_state,
    set_optimizer_state,
)
from realesrgan_paddle.models.step.pixel_step import PixelStep
from realesrgan_paddle.models.step.reference_losses import ReferenceLosses
from realesrgan_paddle.options.schema.config import OptimizerOptions
from realesrgan_paddle.run.build import build_optimizer

pytestmark = pytest.mark.paddle

OPTIMIZERS = [("Adam", 0.0), ("Adam", 0.3), ("AdamW", 0.0), ("AdamW", 0.3)]
LR, BETAS = 0.05, (0.9, 0.99)


def gradient(iteration):
    return np.random.default_rng(iteration).standard_normal((3, 2))


def updated(kind, decay, weight, steps):
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2, with the decay times the rate."""
    m = v = np.zeros_like(weight)
    for i in range(1, steps + 1):
        g = gradient(i) + (decay * weight if kind == "Adam" else 0)
        m, v = BETAS[0] * m + (1 - BETAS[0]) * g, BETAS[1] * v + (1 - BETAS[1]) * g**2
        if kind == "AdamW":
            weight = weight - LR * decay * weight
        weight = weight - LR * (m / (1 - BETAS[0] ** i)) / (
            np.sqrt(v / (1 - BETAS[1] ** i)) + 1e-8
        )
    return weight


def make(kind, decay):
    network = paddle.nn.Linear(3, 2, bias_attr=False)
    optimizer = build_optimizer(
        OptimizerOptions(type=kind, lr=LR, weight_decay=decay, betas=BETAS), network
    )
    return network, optimizer


def take(network, optimizer, iterations):
    for i in iterations:
        (network.weight * paddle.to_tensor(gradient(i), "float32")).sum().backward()
        optimizer.step()
        optimizer.clear_grad()


@pytest.mark.parametrize(("kind", "decay"), OPTIMIZERS)
def test_weight_decay_is_a_penalty_in_adam_and_decoupled_in_adamw(kind, decay):
    network, optimizer = make(kind, decay)
    expected = updated(kind, decay, network.weight.numpy().astype("float64"), 6)
    take(network, optimizer, range(1, 7))
    np.testing.assert_allclose(network.weight.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "decay"), OPTIMIZERS)
def test_a_state_put_into_a_new_optimizer_goes_on_bit_for_bit(kind, decay):
    network, optimizer = make(kind, decay)
    take(network, optimizer, range(1, 4))
    other, resumed = make(kind, decay)
    other.set_state_dict(network.state_dict())
    set_optimizer_state(resumed, other, get_optimizer_state(optimizer, network))
    take(network, optimizer, range(4, 7))
    take(other, resumed, range(4, 7))
    assert network.weight.numpy().tobytes() == other.weight.numpy().tobytes()


def test_a_run_with_adamw_and_a_cosine_resumes_exactly(tmp_path, options):
    options["train"] |= {
        kind: {"type": "AdamW", "lr": 1e-3, "weight_decay": 0.1}
        for kind in ("optim_g", "optim_d")
    }
    cosine = {"periods": [2, 4], "restart_weights": [1, 0.5], "eta_min": 1e-5}
    options["train"]["scheduler"] = {"type": "CosineAnnealingRestartLR", **cosine}
    straight = run(tmp_path, options, "name=straight")
    run(tmp_path, options, "name=stopped", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true")
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )


def moved_by_one_step(grad_clip):
    """Return how far SGD at rate 1 moves the weights, which is the length of the gradient, and what is reported."""
    paddle.seed(3)
    network = build(SRVGGNetCompactSpec(num_feat=8, num_conv=2, upscale=2))
    step = PixelStep(
        generator=network,
        ema=EMA(network, 0.9),
        losses=ReferenceLosses(pixel=L1Loss(loss_weight=10)),
        optimizer_g=paddle.optimizer.SGD(1.0, parameters=network.parameters()),
        lr_g=1.0,
        grad_clip_g=grad_clip,
    )
    before = [parameter.numpy() for parameter in network.parameters()]
    gt = paddle.linspace(0, 1, 2 * 3 * 16 * 16).reshape([2, 3, 16, 16]).sin()
    losses = step([Batch(lq=gt[:, :, ::2, ::2], gt=gt, gt_usm=gt)], 1)
    after = [parameter.numpy() for parameter in network.parameters()]
    return np.sqrt(
        sum(((a - b) ** 2).sum() for a, b in zip(after, before, strict=True))
    ), losses


def test_a_long_gradient_is_shortened_and_its_length_reported():
    length, losses = moved_by_one_step(None)
    assert length > 0.2
    assert "grad_norm_g" not in losses
    shortened, losses = moved_by_one_step(0.1)
    assert shortened == pytest.approx(0.1, rel=1e-3)
    assert float(losses["grad_norm_g"]) == pytest.approx(length, rel=1e-3)


def test_a_short_gradient_stays_as_it_is():
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
    assert "  grad_norm_d " in (folder / "train.log").read_text()


def test_clipping_does_not_hide_a_gradient_that_is_not_finite(
    tmp_path, options, monkeypatch
):
    """The square root of 0 has an infinite slope."""
    monkeypatch.setattr(
        "realesrgan_paddle.run.build.PIXEL_LOSSES",
        {"L1Loss": lambda **_: lambda sr, gt: (sr - sr).sum().sqrt()},
    )
    folder = run(tmp_path, options, "train.total_iter=1", "train.optim_g.grad_clip=1")
    assert (
        "iter 1: update skipped, not finite: a gradient"
        in (folder / "train.log").read_text()
    )
