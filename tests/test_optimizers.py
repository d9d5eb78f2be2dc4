"""Optimizers: what weight decay does in Adam and in AdamW, and that both go on exactly from a state."""

import numpy as np
import paddle
import pytest
from sample_runs import assert_states_equal, run

from realesrgan_paddle.models.optimizer_state import get_optimizer_state, set_optimizer_state
from realesrgan_paddle.options.config import OptimizerOptions
from realesrgan_paddle.training import build_optimizer

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
        weight = weight - LR * (m / (1 - BETAS[0] ** i)) / (np.sqrt(v / (1 - BETAS[1] ** i)) + 1e-8)
    return weight


def make(kind, decay):
    network = paddle.nn.Linear(3, 2)
    optimizer = build_optimizer(OptimizerOptions(type=kind, lr=LR, weight_decay=decay, betas=BETAS), network)
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
    options["train"] |= {kind: {"type": "AdamW", "lr": 1e-3, "weight_decay": 0.1} for kind in ("optim_g", "optim_d")}
    cosine = {"periods": [2, 4], "restart_weights": [1, 0.5], "eta_min": 1e-5}
    options["train"]["scheduler"] = {"type": "CosineAnnealingRestartLR", **cosine}
    straight = run(tmp_path, options, "name=straight")
    run(tmp_path, options, "name=stopped", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true")
    assert_states_equal(straight / "training_states/6.state", resumed / "training_states/6.state")
