"""oneDNN's operators give the results and gradients of Paddle's own operators."""

import numpy as np
import paddle
import pytest

from realesrgan_paddle.loss.losses import GANLoss, L1Loss
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.step.gan_step import GANStep
from realesrgan_paddle.models.step.pixel_step import EMA, Batch, ReferenceLosses
from realesrgan_paddle.models.step.state import freeze, frozen
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.ops.onednn.library import BF16, OneDNNError, library, threads
from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.ops.training import weight_gradients
from realesrgan_paddle.ops.training.operators import OneDNNOps
from realesrgan_paddle.ops.training.weight_gradients import (
    ConvolutionSpec,
    weight_gradient_by_strips,
)
from realesrgan_paddle.ops.trial import differences
from realesrgan_paddle.utils.machine.devices import has_bf16

pytestmark = pytest.mark.paddle

NETWORKS = {
    "rrdbnet": (RRDBNet(num_feat=32, num_block=1, num_grow_ch=16), (2, 3, 7, 11)),
    "rrdbnet, odd channels": (
        RRDBNet(num_feat=12, num_block=1, num_grow_ch=5),
        (2, 3, 6, 9),
    ),
    "rrdbnet x2": (
        RRDBNet(scale=2, num_feat=16, num_block=1, num_grow_ch=16),
        (1, 3, 10, 6),
    ),
    "srvgg": (SRVGGNetCompact(num_feat=16, num_conv=2), (2, 3, 9, 7)),
    "srvgg x2, leaky": (
        SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2, act_type="leakyrelu"),
        (1, 3, 5, 8),
    ),
    "srvgg, relu": (
        SRVGGNetCompact(num_feat=8, num_conv=1, act_type="relu"),
        (1, 3, 5, 8),
    ),
    "discriminator": (UNetDiscriminatorSNOptions(num_feat=16), (2, 3, 24, 40)),
}
RRDBNET = RRDBNet(num_feat=16, num_block=1, num_grow_ch=16)
SRVGG = SRVGGNetCompact(num_feat=8, num_conv=2, upscale=2)


@pytest.fixture(autouse=True)
def _needs_onednn():
    try:
        library()
    except OneDNNError as error:
        pytest.skip(str(error))


def random(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def largest(array):
    return np.abs(array).max()


def assert_near(actual, expected, tolerance):
    """Compare arrays by name; the difference is relative to what is expected."""
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        difference = largest(actual[name] - array)
        assert difference <= tolerance * largest(array), name


def result_and_gradients(run, arrays, learns):
    """Return the result "y" of run(**tensors), and the gradients that it gives."""
    tensors = {}
    for (name, array), wanted in zip(arrays.items(), learns, strict=True):
        tensors[name] = paddle.to_tensor(array, stop_gradient=not wanted)

    y = run(**tensors)
    loss_weights = paddle.to_tensor(random(*y.shape, seed=1) - 0.5)
    (y * loss_weights).sum().backward()

    found = {"y": y.numpy()}
    for name, tensor in tensors.items():
        if tensor.grad is not None:
            found[name] = tensor.grad.numpy()
    return found


def parameter_gradients(network):
    return {
        name: parameter.grad.numpy()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def build_with(ops, spec):
    paddle.seed(5)
    network = (
        UNetDiscriminatorSN(**spec.model_dump(exclude={"type"}))
        if isinstance(spec, UNetDiscriminatorSNOptions)
        else Network(spec)
    )
    network.ops = ops
    return network


CHECKED_SHAPES = {
    "even": {},
    "2x2 pixels": {"x": (1, 16, 2, 2)},
    "odd": {"x": (3, 16, 7, 5)},
    "from 3 channels": {
        "x": (1, 3, 9, 8),
        "weight": (64, 3, 3, 3),
        "bias": (64,),
        "strided": (5, 3, 4, 4),
        "slopes": (64,),
    },
    "to 1 channel": {
        "x": (1, 64, 5, 6),
        "weight": (1, 64, 3, 3),
        "bias": (1,),
        "strided": (7, 64, 4, 4),
        "slopes": (1,),
    },
}


@pytest.mark.parametrize("case", CHECKED_SHAPES)
def test_every_operator_equals_paddles_own(case):
    shapes = dict(CHECKED_SHAPES[case])
    channels = shapes.get("x", (2, 16, 6, 10))[1]
    # a dense block of as many channels
    for i in range(5):
        out_ch = 16 if i < 4 else channels
        shapes[f"weight{i}"] = (out_ch, channels + 16 * i, 3, 3)
    shapes["bias4"] = (channels,)
    shapes["large x"] = (1, channels, 32, 32)

    found = differences(OneDNNOps(), shapes)
    assert max(found.values()) <= 1e-5, found


@pytest.mark.skipif(not has_bf16(), reason="this CPU does not multiply in bfloat16")
def test_operators_in_bfloat16_are_near_paddles_own():
    found = differences(OneDNNOps(BF16), {"x": (2, 16, 9, 7)})
    linear = "conv", "strided conv", "conv_upsampled, bilinear"
    assert max(found[name] for name in linear) <= 0.01, found  # measured: 2.5e-3
    assert found["conv"] >= 1e-4, "this was not computed in bfloat16"
    # Rounding changes the sign of some inputs of leaky ReLUs, and with it their
    # gradients. Measured: 0.09.
    assert max(found.values()) <= 0.2, found

    ops, reason = choose_ops("onednn_bf16")
    assert ops == OneDNNOps(BF16)
    assert "bfloat16" in reason


@pytest.mark.parametrize("size", [(1, 5), (4, 1), (9, 6)])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_conv_upsampled_equals_paddles_own(mode, size):
    arrays = {
        "x": random(2, 16, *size) - 0.5,
        "weight": (random(8, 16, 3, 3) - 0.5) / 12,
        "bias": random(8) - 0.5,
    }

    def evaluate(ops, learns):
        return result_and_gradients(
            lambda x, weight, bias: ops.leave(
                ops.conv_upsampled(ops.enter(x), weight, bias, mode=mode, slope=0.2)
            ),
            arrays,
            learns,
        )

    for learns in [(True, True, True), (True, False, False), (False, True, False)]:
        actual = evaluate(OneDNNOps(), learns)
        assert [name in actual for name in arrays] == list(learns)
        assert_near(actual, evaluate(PLAIN, learns), 5e-6)


@pytest.mark.parametrize(
    ("stride", "kernel_size", "padding", "height"),
    [(1, 3, 1, 12), (2, 4, 1, 12), (2, 4, 1, 13), (1, 5, 2, 12), (4, 11, 2, 51)],
)
def test_weight_gradients_summed_over_strips_equal_paddles_own(
    stride, kernel_size, padding, height, monkeypatch
):
    two_rows = 2 * 4 * 5 * 24  # of 5 channels
    monkeypatch.setattr(weight_gradients, "STRIP_BYTES", two_rows // threads())
    monkeypatch.setattr(weight_gradients, "WEIGHTS_PER_STRIP", 2**30)
    weight_gradient_by_strips.cache_clear()
    arrays = {
        "x": random(2, 7, height, 24),
        "weight": random(5, 7, kernel_size, kernel_size) / 8,
        "bias": random(5),
    }

    def evaluate(ops):
        return result_and_gradients(
            lambda x, weight, bias: ops.leave(
                ops.conv(ops.enter(x), weight, bias, stride=stride, padding=padding)
            ),
            arrays,
            (True, True, True),
        )

    actual = evaluate(OneDNNOps())
    assert_near(actual, evaluate(PLAIN), 5e-6)

    spec = ConvolutionSpec(arrays["x"].shape, 5, kernel_size, stride, padding)
    assert spec.out_shape == actual["y"].shape
    assert len(weight_gradient_by_strips(spec).strips) > 1


@pytest.mark.parametrize("x_learns", [True, False])
def test_a_dense_block_gives_gradients_to_what_learns_only(x_learns):
    x = paddle.to_tensor(random(1, 6, 10, 16), stop_gradient=not x_learns)
    learns = [False, True, True, False, False, False, True, True, False, True]
    parameters = []
    for i in range(5):
        parameters.append(paddle.to_tensor(random(16, 16 + 16 * i, 3, 3) / 12))
        parameters.append(paddle.to_tensor(random(16) / 12))
    for parameter, learn in zip(parameters, learns, strict=True):
        parameter.stop_gradient = not learn

    convolutions = list(zip(parameters[::2], parameters[1::2], strict=True))
    OneDNNOps().dense_block(x, convolutions).sum().backward()

    assert (x.grad is not None) == x_learns
    assert [parameter.grad is not None for parameter in parameters] == learns


@pytest.mark.parametrize("name", NETWORKS)
def test_network_output_and_gradients_equal_paddles_own(name):
    spec, shape = NETWORKS[name]

    def evaluate(ops):
        network = build_with(ops, spec)
        x = paddle.to_tensor(random(*shape), stop_gradient=False)
        y = network(x)
        (y * paddle.to_tensor(random(*y.shape, seed=1))).sum().backward()
        gradients = parameter_gradients(network)
        assert len(gradients) == len(list(network.parameters()))
        return {"y": y.numpy(), "x": x.grad.numpy(), **gradients}

    assert_near(evaluate(OneDNNOps()), evaluate(PLAIN), 1e-5)


def test_only_unfrozen_parameters_get_gradients():
    def evaluate(ops):
        network = build_with(ops, RRDBNET)
        frozen_names = (
            "body.0.rdb1.conv2.weight",
            "body.0.rdb1.conv2.bias",
            "body.0.rdb2.conv5.weight",
            "body.0.rdb2.conv5.bias",
            "conv_hr.weight",
            "body.0.rdb3.conv1.weight",
        )
        for name in frozen_names:
            network.state_dict()[name].stop_gradient = True
        network(paddle.to_tensor(random(1, 3, 5, 6))).mean().backward()
        gradients = parameter_gradients(network)
        assert len(gradients) == len(list(network.parameters())) - 6
        return gradients

    assert_near(evaluate(OneDNNOps()), evaluate(PLAIN), 1e-5)


@pytest.mark.parametrize(
    ("spec", "patterns"),
    [
        (RRDBNET, ["conv_first.*", "body.0.rdb1.*", "body.0.rdb3.*"]),
        (RRDBNET, ["conv_first.*"]),
        (SRVGG, ["body.0.*"]),
        (SRVGG, ["body.1.*", "body.3.*"]),
    ],
)
def test_layers_before_and_after_frozen_ones_learn(spec, patterns):
    def evaluate(ops):
        network = build_with(ops, spec)
        freeze(network, patterns)
        network(paddle.to_tensor(random(1, 3, 5, 6))).mean().backward()
        return parameter_gradients(network)

    assert_near(evaluate(OneDNNOps()), evaluate(PLAIN), 1e-5)


@pytest.mark.parametrize("learns", [(True, True), (True, False), (False, True)])
def test_gradients_through_add_are_accumulated_with_others(learns):
    arrays = {name: random(2, 3, 4, 5, seed=i) for i, name in enumerate("ab")}

    def evaluate(ops):
        def run(a, b):
            x, y = 2 * a, 2 * b
            total = ops.add(ops.add(x, y), y)
            return total * paddle.to_tensor(arrays["a"]) + x * 3

        return result_and_gradients(run, arrays, learns)

    actual = evaluate(OneDNNOps())
    expected = evaluate(PLAIN)
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=1e-6)


def test_a_transposed_view_is_read_in_its_logical_order():
    x = paddle.to_tensor(random(2, 3, 8, 10)).transpose([0, 1, 3, 2])
    weight = paddle.to_tensor(random(4, 3, 3, 3))

    def evaluate(ops):
        return {"y": ops.leave(ops.conv(ops.enter(x), weight)).numpy()}

    assert_near(evaluate(OneDNNOps()), evaluate(PLAIN), 1e-5)


def test_a_frozen_discriminator_gives_gradients_to_its_input_only():
    def evaluate(ops):
        network = build_with(ops, UNetDiscriminatorSNOptions(num_feat=8))
        x = paddle.to_tensor(random(1, 3, 16, 16), stop_gradient=False)
        with frozen(network):
            y = network(x).mean()
        y.backward()
        assert not parameter_gradients(network)
        return {"x": x.grad.numpy()}

    assert_near(evaluate(OneDNNOps()), evaluate(PLAIN), 1e-5)


def losses_of_training(ops, steps, num_feat, size):
    paddle.seed(2)
    generator = Network(SRVGGNetCompact(num_feat=num_feat, num_conv=2, upscale=2))
    discriminator = UNetDiscriminatorSN(num_feat=8)
    generator.ops = discriminator.ops = ops
    adam = {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.99}
    step = GANStep(
        generator=generator,
        ema=EMA(generator, 0.9),
        losses=ReferenceLosses(pixel=L1Loss()),
        optimizer_g=paddle.optimizer.Adam(**adam, parameters=generator.parameters()),
        lr_g=1e-4,
        discriminator=discriminator,
        optimizer_d=paddle.optimizer.Adam(
            **adam, parameters=discriminator.parameters()
        ),
        lr_d=1e-4,
        gan_loss=GANLoss(loss_weight=0.1),
    )
    curve = []
    for i in range(steps):
        gt = paddle.to_tensor(random(2, 3, *size, seed=i))
        batch = Batch(lq=paddle.nn.functional.avg_pool2d(gt, 2), gt=gt, gt_usm=gt)
        losses = step([batch], i + 1)
        curve.append(
            [float(loss) for name, loss in losses.items() if name.startswith("l_")]
        )
    return np.array(curve)


@pytest.mark.parametrize(
    ("num_feat", "size"),
    [(12, (16, 24)), (64, (64, 64))],
    ids=["direct", "Winograd"],
)
def test_losses_of_20_gan_steps_equal_paddles_own(num_feat, size):
    actual = losses_of_training(OneDNNOps(), 20, num_feat, size)
    expected = losses_of_training(PLAIN, 20, num_feat, size)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
