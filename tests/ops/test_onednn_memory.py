"""Large tensors take the lowest free place of one address range."""

import mmap
import sys

import numpy as np
import paddle
import pytest

from realesrgan_paddle.ops.training import tensor_memory as memory_module
from realesrgan_paddle.ops.training.tensor_memory import LARGE, empty
from realesrgan_paddle.utils.machine.memory import AddressRange

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
    memory = AddressRange(8 * LARGE)
    monkeypatch.setattr(memory_module, "_memory", lambda: memory)
    return memory


def places(memory, *tensors):
    return [(tensor.data_ptr() - memory.address) / LARGE for tensor in tensors]


def test_a_freed_place_is_taken_by_the_next_tensor_of_that_size(memory):
    first, second, third = (empty([LARGE // 4]) for _ in range(3))
    assert places(memory, first, second, third) == [0, 1, 2]

    del second
    too_large = empty([3, LARGE // 2], "int16")
    same_size = empty([LARGE], "uint8")
    assert places(memory, too_large, same_size) == [3, 1]


def test_adjacent_free_places_are_joined(memory):
    tensors = [empty([LARGE], "uint8") for _ in range(4)]
    for i in (0, 2, 1):
        tensors[i] = None
    large = empty([3 * LARGE], "uint8")
    assert places(memory, large) == [0]


def test_sizes_are_rounded_up_to_whole_pages(memory):
    assert memory.allocate(PAGE + 1) == (0, 2 * PAGE)


def test_a_tensor_kept_for_the_backward_pass_keeps_its_place(memory):
    x = paddle.ones([LARGE // 4])
    x.stop_gradient = False
    factor = empty([LARGE // 4])
    factor[:] = 3.0
    place = places(memory, factor)
    product = (x * factor).sum()

    # only the graph refers to the factor now
    del factor
    other = empty([LARGE // 4])
    other[:] = 0.0
    product.backward()

    assert (x.grad.numpy() == 3).all()
    assert places(memory, other) != place
    assert places(memory, empty([LARGE // 4])) == place


def test_small_tensors_and_those_that_do_not_fit_are_allocated_by_paddle(memory):
    for x in (empty([LARGE // 4 - 1]), empty([9 * LARGE], "uint8")):
        assert not 0 <= places(memory, x)[0] < 8
        x[:] = 1
        assert np.all(x.numpy() == 1)
