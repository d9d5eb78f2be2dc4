"""RecurrentSRVGG: begins as the network that it was made from, and carries a state."""

import numpy as np
import paddle
import pytest

from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.recurrent_srvgg import MOST, RecurrentSRVGG
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.ops.choose import choose_ops

pytestmark = pytest.mark.paddle

SMALL = {"num_feat": 16, "num_conv": 2}


def made_recurrent(*, trained):
    """Return a plain network and the recurrent one that begins with its weights."""
    paddle.seed(0)
    plain = Network(SRVGGNetCompact(**SMALL))
    recurrent = Network(RecurrentSRVGG(**SMALL, num_state=5))
    tensors = {name: tensor.numpy() for name, tensor in recurrent.state_dict().items()}
    tensors |= {name: tensor.numpy() for name, tensor in plain.state_dict().items()}
    if trained:
        rng = np.random.default_rng(1)
        shape = tensors["beside.weight"].shape
        tensors["beside.weight"] = rng.normal(0, 0.2, shape).astype(np.float32)
    load_weights(recurrent, tensors)
    return plain, recurrent


def pictures(*shape):
    rng = np.random.default_rng(2)
    return paddle.to_tensor(rng.random(shape, np.float32))


def test_it_begins_as_the_plain_network_to_the_bit():
    plain, recurrent = made_recurrent(trained=False)
    frames = pictures(6, 3, 9, 7)
    expected = plain(frames).numpy()
    assert np.array_equal(recurrent(frames).numpy(), expected)
    assert np.array_equal(recurrent.clips(frames, 3).numpy(), expected)


def test_single_pictures_do_not_see_each_other():
    _, recurrent = made_recurrent(trained=True)
    frames = pictures(3, 3, 9, 7)
    together = recurrent(frames).numpy()
    alone = np.concatenate([recurrent(frame[None]).numpy() for frame in frames])
    assert np.allclose(together, alone, atol=1e-6)


def test_a_frame_sees_its_neighbors_and_what_the_state_keeps():
    _, recurrent = made_recurrent(trained=True)
    frames = pictures(5, 3, 9, 7)
    before = recurrent.clips(frames, 5).numpy()
    changed = frames.clone()
    changed[1] = 1 - frames[1]
    after = recurrent.clips(changed, 5).numpy()
    # The first sees the second, and the last two see it by the state alone.
    differences = np.abs(after - before).max(axis=(1, 2, 3))
    assert (differences > 1e-4).all()


def test_clips_of_a_batch_do_not_see_each_other():
    _, recurrent = made_recurrent(trained=True)
    frames = pictures(6, 3, 9, 7)
    together = recurrent.clips(frames, 3).numpy()
    alone = [recurrent.clips(part, 3).numpy() for part in (frames[:3], frames[3:])]
    assert np.allclose(together, np.concatenate(alone), atol=1e-6)


def test_the_state_stays_within_its_bound():
    _, recurrent = made_recurrent(trained=True)
    weight = recurrent.state_dict()["state.weight"]
    weight.set_value(weight * 100)
    network, beside = recurrent.description, pictures(1, 11, 9, 7)
    frame = pictures(1, 3, 9, 7)
    _, state = network.step(frame, beside, recurrent.weights(), recurrent.ops)
    assert state.shape == [1, 5, 9, 7]
    assert state.abs().max().item() == MOST


def test_training_unrolls_clips_and_validation_takes_pictures():
    _, recurrent = made_recurrent(trained=True)
    frames = pictures(6, 3, 9, 7)
    recurrent.num_frame = 3
    recurrent.train()
    clips = recurrent(frames).numpy()
    assert np.array_equal(clips, recurrent.clips(frames, 3).numpy())
    recurrent.eval()
    assert not np.allclose(recurrent(frames).numpy(), clips, atol=1e-3)


@pytest.mark.parametrize("fast", [False, True])
def test_warm_up_frames_fill_the_state_without_gradients(fast):
    _, recurrent = made_recurrent(trained=True)
    if fast:
        recurrent.ops, _ = choose_ops("onednn")
    frames = pictures(8, 3, 9, 7)
    whole = recurrent.clips(frames, 4).reshape([2, 4, 3, 36, 28])
    frames.stop_gradient = False
    found = recurrent.clips(frames, 4, warmup_frames=2)
    assert np.allclose(found, whole[:, 2:].flatten(0, 1), atol=1e-6)
    found.square().sum().backward()
    # The second is a neighbor of the third; the first is seen by the state alone.
    seen = frames.grad.reshape([2, 4, -1]).abs().max(axis=(0, 2)).numpy()
    assert seen[0] == 0
    assert (seen[1:] > 0).all()


def test_onednns_operators_give_the_same_result_and_gradients():
    ops, _ = choose_ops("onednn")
    _, recurrent = made_recurrent(trained=True)
    gradients = []
    for chosen in (recurrent.ops, ops):
        recurrent.ops = chosen
        recurrent.clear_gradients()
        result = recurrent.clips(pictures(4, 3, 9, 7), 2)
        result.square().sum().backward()
        found = {n: p.grad.numpy() for n, p in recurrent.named_parameters()}
        gradients.append((result.numpy(), found))

    (plain, expected), (fast, found) = gradients
    assert np.allclose(fast, plain, atol=1e-5)
    for name, gradient in expected.items():
        assert np.abs(gradient).max() > 0, name
        assert np.allclose(found[name], gradient, rtol=1e-3, atol=1e-3), name


def test_its_weights_tell_what_it_is():
    _, recurrent = made_recurrent(trained=False)
    tensors = {name: tensor.numpy() for name, tensor in recurrent.state_dict().items()}
    found = recognize(tensors)
    assert found == recurrent.description
    assert str(found).endswith("5 channels of state")
