"""The moving average of the weights."""

import numpy as np
import paddle
import pytest

from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.pixel_step import EMA

pytestmark = pytest.mark.paddle

SPEC = SRVGGNetCompact(num_feat=4, num_conv=1)


def weights(layer):
    return {name: parameter.numpy() for name, parameter in layer.named_parameters()}


def test_the_average_equals_its_closed_form():
    """After n updates: decay^n w_0 + (1 - decay) * sum over k of decay^(n - k) w_k."""
    network, decay, n = Network(SPEC), 0.9, 12
    history = [weights(network)]
    ema = EMA(network, decay)
    for step in range(n):
        for parameter in network.parameters():
            parameter.set_value(parameter + np.float32(np.sin(step)))
        ema.update(network)
        history.append(weights(network))

    for name, average in weights(ema.layer).items():
        terms = [
            decay ** (n - k) * history[k][name].astype(np.float64)
            for k in range(1, n + 1)
        ]
        expected = decay**n * history[0][name] + (1 - decay) * sum(terms)
        np.testing.assert_allclose(average, expected, atol=1e-6)
        assert np.abs(expected - history[-1][name]).max() > 0.1  # it lags behind


def test_buffers_are_copied():
    discriminator = UNetDiscriminatorSN(num_feat=4)
    ema = EMA(discriminator, 0.999)
    discriminator(paddle.rand([1, 3, 16, 16]))  # moves u and v
    assert not np.array_equal(
        ema.layer.conv1.weight_u.numpy(), discriminator.conv1.weight_u.numpy()
    )
    ema.update(discriminator)
    copies = dict(ema.layer.named_buffers())
    for name, buffer in discriminator.named_buffers():
        assert np.array_equal(copies[name].numpy(), buffer.numpy())


def test_an_update_makes_no_tensors(monkeypatch):
    """Each would be a copy to the GPU that the host waits for."""
    network = Network(SPEC)
    ema = EMA(network, 0.999)
    made = []
    for name in ("to_tensor", "full"):
        make = getattr(paddle, name)
        monkeypatch.setattr(
            paddle,
            name,
            lambda *args, make=make, **options: (
                made.append(args) or make(*args, **options)
            ),
        )
    ema.update(network)
    assert not made


def test_an_update_equals_that_with_a_number_bit_for_bit():
    network = Network(SPEC)
    ema, expected = EMA(network, 0.999), weights(network)
    for parameter in network.parameters():
        parameter.set_value(parameter + paddle.rand(parameter.shape))
    ema.update(network)

    current = weights(network)
    for name, average in weights(ema.layer).items():
        tensor = paddle.to_tensor(expected[name])
        tensor.lerp_(paddle.to_tensor(current[name]), 1.0 - 0.999)
        assert np.array_equal(average, tensor.numpy())


def test_training_the_network_does_not_change_the_average():
    network = Network(SPEC)
    ema = EMA(network, 0.5)
    x = paddle.rand([1, 3, 6, 5])
    before = ema(x)
    assert before.stop_gradient
    assert not ema.layer.training
    assert network.training
    network(x).sum().backward()
    paddle.optimizer.SGD(0.1, parameters=network.parameters()).step()
    assert np.array_equal(ema(x).numpy(), before.numpy())
    assert all(parameter.stop_gradient for parameter in ema.layer.parameters())
    assert not any(parameter.stop_gradient for parameter in network.parameters())


def test_decay_zero_is_a_copy():
    network = Network(SPEC)
    ema = EMA(Network(SPEC), 0)
    ema.update(network)
    expected = weights(network)
    for name, average in weights(ema.layer).items():
        np.testing.assert_allclose(average, expected[name], atol=1e-7)


def test_a_decay_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"1\.5"):
        EMA(Network(SPEC), 1.5)
