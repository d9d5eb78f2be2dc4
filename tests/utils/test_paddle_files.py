"""Paddle reads our weight files, and we read those of Paddle."""

import numpy as np
import paddle
import pytest
from array_asserts import assert_arrays_identical

from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


def network() -> paddle.nn.Layer:
    paddle.seed(0)
    return paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 3), paddle.nn.BatchNorm2D(2))


def arrays(state: dict) -> dict[str, np.ndarray]:
    return {key: np.array(tensor) for key, tensor in state.items()}


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_files_of_paddle_save_are_read(tmp_path, protocol):
    state = network().state_dict()
    contents = {
        "": state,
        "params": {"params": state, "params_ema": state},
        "generator": {"generator": state, "epoch": 3},
    }
    for key, content in contents.items():
        paddle.save(content, str(tmp_path / "w.pdparams"), protocol=protocol)
        weights = read_weights(tmp_path / "w.pdparams")
        assert weights.format == "Paddle"
        assert_arrays_identical(weights.select(key), arrays(state))


def test_paddles_bfloat16_is_widened(tmp_path):
    values = paddle.to_tensor([1.0, -3.140625, 1e-30]).astype("bfloat16")
    paddle.save({"w": values}, str(tmp_path / "w.pdparams"))
    expected = values.astype("float32").numpy()
    assert_arrays_identical(
        read_weights(tmp_path / "w.pdparams").select(), {"w": expected}
    )


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_paddle_loads_our_files(tmp_path):
    state = arrays(network().state_dict())
    state |= {
        "half": np.linspace(0, 1, 3).astype(np.float16),
        "count": np.array(7),
        "empty": np.empty((0, 2), np.float32),
    }
    write_pdparams(tmp_path / "w.pdparams", {"params": state, "params_ema": state})
    write_pdparams(tmp_path / "flat.pdparams", {"": state})
    loaded = paddle.load(str(tmp_path / "w.pdparams"))
    for found in (*loaded.values(), paddle.load(str(tmp_path / "flat.pdparams"))):
        assert all(isinstance(tensor, paddle.Tensor) for tensor in found.values())
        assert_arrays_identical(arrays(found), state)
    assert list(loaded) == ["params", "params_ema"]
