import mmap
import sys

import numpy as np
import paddle
import pytest

from realesrgan_paddle.utils.ops.onednn import memory as onednn_memory
from realesrgan_paddle.utils.ops.onednn.memory import LARGE, Memory, empty

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(
        sys.platform != "linux" or paddle.__version__.startswith("2."),
        reason="all tensors are Paddle's own",
    ),
]

PAGE = mmap.PAGESIZE


@pytest.fixture
def memory(monkeypatch):
    memory = Memory(8 * LARGE)
    monkeypatch.setattr(onednn_memory, "_memory", lambda: memory)
    return memory


def places(memory, *tensors):
    return [(tensor.data_ptr() - memory.address) / LARGE for tensor in tensors]


def test_a_tensor_lies_where_one_of_its_size_was(memory):
    first, second, third = (empty([LARGE // 4]) for _ in range(3))
    assert places(memory, first, second, third) == [0, 1, 2]
    del second
    assert places(memory, empty([3, LARGE // 2], "int16"), empty([LARGE], "uint8")) == [
        3,
        1,
    ]


def test_places_beside_one_another_become_one(memory):
    tensors = [empty([LARGE], "uint8") for _ in range(4)]
    for i in (0, 2, 1):
        tensors[i] = None
    large = empty([3 * LARGE], "uint8")
    assert places(memory, large) == [0]
    assert memory.take(PAGE + 1) == (4 * LARGE, 4 * LARGE + 2 * PAGE)  # whole pages


def test_what_a_backward_pass_needs_keeps_its_place(memory):
    x, factor = paddle.ones([LARGE // 4]), empty([LARGE // 4])
    x.stop_gradient = False
    factor[:] = 3.0
    place, product = places(memory, factor), (x * factor).sum()
    del factor
    other = empty([LARGE // 4])
    other[:] = 0.0
    product.backward()
    assert (x.grad.numpy() == 3).all()
    assert places(memory, other) != place == places(memory, empty([LARGE // 4]))


def test_small_tensors_and_those_that_do_not_fit_are_paddles_own(memory):
    for x in (empty([LARGE // 4 - 1]), empty([9 * LARGE], "uint8")):
        assert not 0 <= places(memory, x)[0] < 8
        x[:] = 1
        assert np.all(x.numpy() == 1)
