"""The networks: equal to BasicSR's (recorded with torch), trainable, exportable."""

import os
import subprocess
import sys

import formulas
import numpy as np
import paddle
import pytest
import sample_networks
from places import REFERENCE, TESTS

from realesrgan_paddle.loss.losses import GANLoss
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.known import GENERATORS
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.reader import read_weights

pytestmark = pytest.mark.paddle

RECORDED = REFERENCE / "networks.npz"
TINY_D = {"num_feat": 4}


@pytest.fixture(scope="module")
def reference():
    return np.load(RECORDED)


def described(kind, arguments):
    types = {network.model_fields["type"].default: network for network in GENERATORS}
    return types[kind](**arguments)


def filled(network):
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    load_weights(network, formulas.weights(shapes, sample_networks.GAIN))
    return network


def enlarge(network, size):
    network.eval()
    with paddle.no_grad():
        return network(
            paddle.to_tensor(formulas.picture("input", (1, 3, *size)))
        ).numpy()


def assert_close(actual, expected, tolerance):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance


@pytest.mark.parametrize("name", sample_networks.GENERATORS)
def test_a_generator_equals_basicsrs(name, reference):
    kind, arguments, size = sample_networks.GENERATORS[name]
    expected = reference[name]
    # Relative, for these outputs are larger than a image's; 1.7e-6 was seen.
    assert_close(
        enlarge(filled(Network(described(kind, arguments))), size),
        expected,
        5e-6 * np.abs(expected).max(),
    )


@pytest.mark.parametrize("file", sample_networks.RELEASED)
def test_a_released_generator_equals_basicsrs(file, reference, assets):
    kind, arguments = sample_networks.RELEASED[file]
    network = Network(described(kind, arguments))
    load_weights(network, read_weights(assets / "weights" / file).select(), source=file)
    assert_close(
        enlarge(network, sample_networks.RELEASED_INPUT), reference[file], 1e-4
    )


@pytest.mark.parametrize("name", sample_networks.DISCRIMINATORS)
def test_the_discriminator_and_its_spectral_norm_equal_torchs(name, reference):
    network = filled(UNetDiscriminatorSN(**sample_networks.DISCRIMINATORS[name]))
    network.train()
    x = paddle.to_tensor(
        formulas.picture("input", sample_networks.DISCRIMINATOR_INPUT),
        stop_gradient=False,
    )
    for _ in range(3):
        out = network(x)
    (
        out * paddle.to_tensor(formulas.noise("output gradient", out.shape))
    ).sum().backward()
    network.eval()
    actual = {
        "out": out,
        "x.grad": x.grad,
        "eval": network(x),
        **dict(network.named_buffers()),
    }
    actual |= {
        f"{key}.grad": parameter.grad for key, parameter in network.named_parameters()
    }

    recorded = {
        key.removeprefix(f"{name}/")
        for key in reference.files
        if key.startswith(f"{name}/")
    }
    assert recorded == actual.keys()
    for key, tensor in actual.items():
        expected = reference[f"{name}/{key}"]
        assert_close(tensor.numpy(), expected, 1e-5 * np.abs(expected).max())


def test_power_iteration_runs_in_training_only():
    network = UNetDiscriminatorSN(**TINY_D)
    x = paddle.to_tensor(formulas.picture("input", (1, 3, 16, 16)))
    network.eval()
    before = network.conv3.weight_u.numpy()
    network(x)
    assert np.array_equal(network.conv3.weight_u.numpy(), before)
    network.train()
    network(x)
    assert not np.allclose(network.conv3.weight_u.numpy(), before, atol=1e-3)


def test_two_forwards_can_share_one_backward():
    network = UNetDiscriminatorSN(**TINY_D)
    x = paddle.to_tensor(formulas.picture("input", (1, 3, 16, 16)))
    (network(x).sum() + network(1 - x).sum()).backward()
    assert np.isfinite(network.conv1.weight_orig.grad.numpy()).all()


@pytest.mark.parametrize(
    ("network", "description"),
    [
        (Network(generator), generator)
        for generator in (
            RRDBNet(num_block=2),
            RRDBNet(scale=2, num_block=1),
            SRVGGNetCompact(),
            RDN(C=2, D=2),
            RDN(C=2, D=2, x=4, upscaling="shuffle"),
            RRDN(T=2),
        )
    ]
    + [(UNetDiscriminatorSN(), UNetDiscriminatorSNOptions())],
    ids=lambda part: type(part).__name__,
)
def test_a_layer_has_the_tensors_that_its_description_names(network, description):
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    assert shapes == description.tensor_shapes()


def test_networks_start_as_the_reference_does():
    paddle.seed(0)
    network = Network(RRDBNet(num_feat=32, num_block=1))
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    kaiming = np.sqrt(2 / (9 * (32 + 4 * 32)))
    dense = tensors["body.0.rdb1.conv5.weight"]
    assert dense.std() == pytest.approx(0.1 * kaiming, rel=0.02)
    assert (tensors["body.0.rdb1.conv5.bias"] == 0).all()

    spectral = UNetDiscriminatorSN(num_feat=32).conv8.weight_orig.numpy()
    plain = (tensors["conv_hr.weight"], tensors["conv_hr.bias"], spectral)
    bound = 1 / np.sqrt(9 * 32)
    for weight in plain:
        assert 0.8 * bound < np.abs(weight).max() <= bound

    small = Network(SRVGGNetCompact(num_feat=4, num_conv=1)).state_dict()
    assert (small["body.1.weight"].numpy() == 0.25).all()


def test_a_discriminator_learns_to_tell_flat_from_noisy():
    paddle.seed(0)
    network = UNetDiscriminatorSN(num_feat=8)
    adam = paddle.optimizer.Adam(1e-3, parameters=network.parameters())
    loss = GANLoss("vanilla")
    for step in range(30):
        real = paddle.to_tensor(
            np.float32(0.5)
            + np.float32(0.3) * formulas.noise(f"real {step}", (2, 3, 16, 16))
        )
        d_real = loss(network(real), True, is_disc=True)
        d_fake = loss(network(paddle.full_like(real, 0.5)), False, is_disc=True)
        (d_real + d_fake).backward()
        adam.step()
        adam.clear_grad()
    assert max(float(d_real), float(d_fake)) < 0.35  # ln 2 = 0.69 at the start


def test_gradients_pass_through_a_frozen_discriminator_into_the_generator():
    generator = Network(SRVGGNetCompact(num_feat=4, num_conv=1))
    discriminator = UNetDiscriminatorSN(**TINY_D)
    sr = generator(paddle.to_tensor(formulas.picture("input", (1, 3, 8, 8))))
    for parameter in discriminator.parameters():
        parameter.stop_gradient = True
    GANLoss("vanilla", loss_weight=0.1)(discriminator(sr), True).backward()
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(
        np.abs(parameter.grad.numpy()).sum() > 0 for parameter in generator.parameters()
    )


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"15 x 16 pixels .* not multiples of 2"):
        Network(RRDBNet(scale=2, num_feat=4, num_block=1, num_grow_ch=4))(
            paddle.zeros([1, 3, 15, 16])
        )
    with pytest.raises(ValueError, match=r"48 x 20 pixels .* not multiples of 8"):
        UNetDiscriminatorSN(**TINY_D)(paddle.zeros([1, 3, 48, 20]))


class TestLoadState:
    spec = SRVGGNetCompact(num_feat=4, num_conv=1)

    def tensors(self):
        return {
            name: np.ones(shape, np.float16)
            for name, shape in self.spec.tensor_shapes().items()
        }

    def test_copies_in_the_networks_dtype(self):
        network = Network(self.spec)
        load_weights(network, self.tensors())
        assert all(
            tensor.dtype == paddle.float32 and (tensor == 1).all()
            for tensor in network.state_dict().values()
        )

    def test_names_what_does_not_fit_and_copies_nothing(self):
        network = Network(self.spec)
        before = network.state_dict()["body.2.weight"].numpy()
        tensors = self.tensors()
        tensors["body.9.weight"] = tensors.pop("body.0.weight")
        tensors["body.4.bias"] = np.ones(5)
        with pytest.raises(
            UserError,
            match=r"x\.pth: .*1 missing \(body\.0\.weight\); 1 not of.*\[5\] instead of \[48\]",
        ):
            load_weights(network, tensors, source="x.pth")
        assert np.array_equal(network.state_dict()["body.2.weight"].numpy(), before)

    def test_not_strict_leaves_the_rest_alone(self):
        network = Network(self.spec)
        load_weights(
            network,
            {"body.0.bias": np.full(4, 3.0), "other": np.zeros(1)},
            strict=False,
        )
        assert (network.state_dict()["body.0.bias"].numpy() == 3).all()
        with pytest.raises(UserError, match="another shape"):
            load_weights(network, {"body.0.bias": np.zeros(5)}, strict=False)
        mixed = {"body.0.bias": np.full(4, 2.0), "body.2.bias": np.zeros(5)}
        load_weights(network, mixed, strict=False)
        assert (network.state_dict()["body.0.bias"].numpy() == 2).all()


EXPORT = """
import sys
import numpy as np, paddle
import formulas, sample_networks
from paddle.static import InputSpec
from realesrgan_paddle.models.networks.network import Network
from test_networks import described, enlarge, filled

kind, arguments, size = sample_networks.GENERATORS[sys.argv[1]]
network = filled(Network(described(kind, arguments)))
sizes = [(12, 20), (24, 8)]
expected = [enlarge(network, size) for size in sizes]
spec = InputSpec([None, 3, None, None], "float32", "x")
static = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
paddle.jit.save(static, "net")
for onednn in (False, True):
    config = paddle.inference.Config("net.pdmodel", "net.pdiparams")
    config.disable_gpu()
    config.enable_mkldnn() if onednn else None
    predictor = paddle.inference.create_predictor(config)
    for size, target in zip(sizes, expected):
        x = predictor.get_input_handle(predictor.get_input_names()[0])
        x.copy_from_cpu(formulas.picture("input", (1, 3, *size)))
        predictor.run()
        y = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
        assert y.shape == target.shape
        assert np.abs(y - target).max() < 1e-5 * np.abs(target).max(), (onednn, size)
print("same")
"""


@pytest.mark.parametrize("name", ["rrdbnet_x4", "rrdbnet_x1", "srvgg_x4_prelu"])
def test_a_pdmodel_gives_the_networks_output_at_any_size(name, tmp_path):
    # A process of its own: the flag must be set before Paddle is imported.
    path = os.pathsep.join(
        str(TESTS / folder) for folder in ("helpers", "record", "networks")
    )
    environment = {**os.environ, "FLAGS_enable_pir_api": "0", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.rstrip().endswith("same"), done.stderr[-2000:]
    assert (tmp_path / "net.pdmodel").is_file()
