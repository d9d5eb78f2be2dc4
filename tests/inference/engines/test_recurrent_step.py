"""A network with a state, stepped frame by frame: what runs it computes what Paddle unrolls."""

import numpy as np
import paddle
import pytest
from sample_weights import tensors_of

from realesrgan_paddle.inference.engine import engine as engine_module
from realesrgan_paddle.inference.engine.engine import Engine
from realesrgan_paddle.inference.runners.dygraph_runner import DygraphRunner
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.ops.choose import choose_ops
from realesrgan_paddle.ops.plain import PLAIN, Ops

pytestmark = pytest.mark.paddle

NETWORKS = [
    RecurrentSRVGG(num_feat=16, num_conv=2, num_state=5),
    RecurrentSRVGG(num_feat=20, num_conv=1, num_state=16, upscale=2),
    RecurrentSRVGG(num_feat=32, num_conv=2, num_state=32, act_type="relu"),
]
COUNT = 5


def frames_of(height: int, width: int, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(2).random((count, 3, height, width), np.float32)


def network_of(description: RecurrentSRVGG) -> Network:
    paddle.set_device("cpu")
    network = Network(description)
    load_weights(network, tensors_of(description))
    network.eval()
    return network


def unrolled(description: RecurrentSRVGG, frames: np.ndarray) -> np.ndarray:
    """Return the frames of one clip as training computes them."""
    with paddle.no_grad():
        clip = paddle.to_tensor(frames)
        return network_of(description).clips(clip, len(frames)).numpy()


def stepped(runner: Engine | DygraphRunner, frames: np.ndarray) -> np.ndarray:
    """Return the frames of one clip, one after the other."""
    state = np.zeros((runner.num_state, *frames.shape[2:]), np.float32)
    results = []
    for number, frame in enumerate(frames):
        before = frames[max(0, number - 1)]
        after = frames[min(number + 1, len(frames) - 1)]
        result, state = runner.step(frame, before, after, state)
        assert state.dtype == result.dtype == np.float32
        results.append(result)
    return np.stack(results)


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize("size", [(9, 7), (16, 20), (1, 3)])
@pytest.mark.parametrize("description", NETWORKS, ids=str)
def test_the_engine_steps_as_paddle_unrolls(description, size):
    frames = frames_of(*size)
    engine = Engine(description, tensors_of(description))
    expected = unrolled(description, frames)
    assert largest_difference(stepped(engine, frames), expected) < 2e-5


@pytest.mark.parametrize("name", ["plain", "onednn"])
def test_dygraph_mode_steps_as_paddle_unrolls(name):
    description, frames = NETWORKS[0], frames_of(9, 7)
    network = network_of(description)
    if name == "onednn":
        network.ops, _ = choose_ops("onednn")
    runner = DygraphRunner(network, description.scale)
    expected = unrolled(description, frames)
    assert largest_difference(stepped(runner, frames), expected) < 2e-5


@pytest.mark.usefixtures("avx2", "has_bf16")
def test_bf16_stays_close_for_many_frames():
    description, frames = NETWORKS[2], frames_of(16, 20, count=30)
    exact = stepped(Engine(description, tensors_of(description)), frames)
    found = stepped(Engine(description, tensors_of(description), "bf16"), frames)
    error = np.sqrt(np.mean((found - exact) ** 2, axis=(1, 2, 3))) / np.std(exact)
    assert error.min() > 0
    assert error.max() < 0.02


@pytest.mark.usefixtures("avx2")
def test_pictures_and_frames_do_not_disturb_each_other():
    """Nor do other sizes, nor threads: a frame has the same bits whatever came before."""
    description, frames = NETWORKS[0], frames_of(12, 10)
    alone = Engine(description, tensors_of(description))
    expected, picture = stepped(alone, frames), alone(frames[:1])
    mixed = Engine(description, tensors_of(description), threads=1)
    for size in ((9, 7), (12, 10)):
        stepped(mixed, frames_of(*size))
        mixed(frames_of(*size)[:1])
    np.testing.assert_array_equal(stepped(mixed, frames), expected)
    np.testing.assert_array_equal(mixed(frames[:1]), picture)


@pytest.mark.usefixtures("avx2")
def test_a_frame_that_does_not_fit_is_a_memory_error(monkeypatch):
    description = NETWORKS[0]
    engine = Engine(description, tensors_of(description))
    monkeypatch.setattr(engine_module, "free_memory", lambda: 2**22)
    with pytest.raises(MemoryError):
        stepped(engine, frames_of(128, 128, count=1))
    assert stepped(engine, frames_of(16, 16, count=1)).shape == (1, 3, 64, 64)


@pytest.mark.usefixtures("avx2")
def test_only_a_network_with_a_state_says_so():
    plain = SRVGGNetCompact(num_feat=16, num_conv=1)
    engine = Engine(plain, tensors_of(plain))
    assert not hasattr(engine, "num_state")
    assert not hasattr(DygraphRunner(network_of(plain), 4), "num_state")


def dygraph_runner(ops: Ops) -> DygraphRunner:
    network = network_of(NETWORKS[0])
    network.ops = ops
    return DygraphRunner(network, 4)


@pytest.mark.usefixtures("avx2", "has_bf16")
@pytest.mark.parametrize("name", ["fp32", "bf16", "dygraph", "dygraph, oneDNN's"])
def test_a_picture_is_a_frame_with_nothing_beside_it_to_the_bit(name):
    """So the only frame of a shot is what the picture alone is."""
    if name == "dygraph":
        runner = dygraph_runner(PLAIN)
    elif name == "dygraph, oneDNN's":
        runner = dygraph_runner(choose_ops("onednn")[0])
    else:
        runner = Engine(NETWORKS[0], tensors_of(NETWORKS[0]), name)
    (frame,) = frames_of(12, 10, count=1)
    nothing = np.zeros((runner.num_state, 12, 10), np.float32)
    result, _ = runner.step(frame, frame, frame, nothing)
    np.testing.assert_array_equal(runner(frame[None])[0], result)
