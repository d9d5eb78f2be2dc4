"""The pair pool keeps pairs together, returns each pair once, and can be resumed."""

import numpy as np
import paddle
import pytest

from realesrgan_paddle.data.loading.pair_pool import PairPool, check_pairs
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle


def pairs(start: int, count: int = 2) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Return (gt, lq) whose pixels are the numbers of their pairs."""
    number = paddle.arange(start, start + count, dtype="float32").reshape([-1, 1, 1, 1])
    return number.expand([count, 3, 4, 4]) + 0.5, number.expand([count, 3, 2, 2])


def numbers(gt: paddle.Tensor, lq: paddle.Tensor) -> list[int]:
    np.testing.assert_array_equal(gt[:, 0, 0, 0].numpy() - 0.5, lq[:, 0, 0, 0].numpy())
    return lq[:, 0, 0, 0].numpy().astype(int).tolist()


def step(pool: PairPool, iteration: int) -> list[int]:
    rng = np.random.default_rng([0, iteration])
    return numbers(*pool.exchange(*pairs(2 * iteration), [rng]))


def test_the_pool_fills_first_and_then_mixes():
    pool = PairPool(6)
    assert [step(pool, i) for i in range(3)] == [[0, 1], [2, 3], [4, 5]]
    out = [step(pool, i) for i in range(3, 40)]
    seen = [number for batch in out for number in batch]
    assert len(set(seen)) == len(seen)  # what came out has left the pool
    assert out != [[2 * i, 2 * i + 1] for i in range(3, 40)]
    inside = pool.state()["lq"][:, 0, 0, 0].astype(int).tolist()
    assert sorted(seen + inside) == list(range(80))  # and nothing is lost


def test_a_pool_that_no_whole_batches_fill_is_filled_completely():
    pool = PairPool(5)
    out = [number for i in range(30) for number in step(pool, i)]
    assert out[:6] == list(range(6)), "returned as given while the pool fills"
    assert len(set(out[6:])) == len(out[6:]) and out[6:] != list(range(6, 60))
    assert len(pool.state()["lq"]) == 5


@pytest.mark.parametrize("k", [0, 2, 10])
def test_a_resumed_pool_continues_as_the_original(k: int):
    straight, resumed = PairPool(6), PairPool(6)
    expected = [step(straight, i) for i in range(16)][k:]
    before = PairPool(6)
    for i in range(k):
        step(before, i)
    resumed.load_state(before.state(), gt_size=4)
    assert [step(resumed, i) for i in range(k, 16)] == expected


def test_the_pool_copies_its_pairs():
    pool = PairPool(2)
    gt, lq = pairs(0)
    pool.exchange(gt, lq, [np.random.default_rng(0)])
    gt.fill_(9.0)
    lq.fill_(9.0)
    in_8_bits = pool.state()["lq"][:, 0, 0, 0]
    assert sorted(in_8_bits.tolist()) == [0, 255], "the pairs 0 and 1"


def test_a_pool_of_size_zero_returns_each_batch():
    pool = PairPool(0)
    assert [step(pool, i) for i in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert pool.state() == {}


def test_a_state_of_another_size_is_refused():
    pool = PairPool(6)
    for i in range(3):
        step(pool, i)
    with pytest.raises(UserError, match="queue_size: 4 is smaller than the 6 pairs"):
        PairPool(4).load_state(pool.state(), gt_size=4)
    with pytest.raises(UserError, match=r"gt_size: 64.*set it to 4"):
        PairPool(6).load_state(pool.state(), gt_size=64)


@pytest.mark.parametrize("levels", [np.arange(256), np.arange(0, 256, 5)])
def test_a_pool_of_8_bit_images_is_kept_in_8_bits_without_a_changed_bit(levels):
    pool, resumed = PairPool(1), PairPool(1)
    images = levels.astype(np.float32) / np.float32(255)
    gt = paddle.to_tensor(np.resize(images, (1, 3, 16, 16)))
    pool.exchange(gt, gt[..., :4, :4], [np.random.default_rng(0)])
    state = pool.state()
    assert {array.dtype for array in state.values()} == {np.dtype(np.uint8)}
    resumed.load_state(state, gt_size=16)
    out, _ = resumed.exchange(gt, gt, [np.random.default_rng(0)])
    assert out.numpy().tobytes() == gt.numpy().tobytes()


@pytest.mark.parametrize("change", [1e-7, -0.5, 1.5])
def test_a_pool_of_other_images_is_kept_as_it_is(change):
    pool = PairPool(1)
    gt = paddle.full([1, 3, 8, 8], 0.2) + change
    pool.exchange(gt, gt[..., :2, :2], [np.random.default_rng(0)])
    assert pool.state()["gt"].tobytes() == gt.numpy().tobytes()


def exchange(pool: PairPool, iteration: int) -> list[int]:
    """Exchange the pairs 4 * iteration ... + 3: two of each slice."""
    rngs = [np.random.default_rng([iteration, number]) for number in range(2)]
    return numbers(*pool.exchange(*pairs(4 * iteration, 4), rngs))


def test_slices_have_pools_of_their_own_and_the_same_together_or_apart():
    together, apart = PairPool(6, 2), [PairPool(6), PairPool(6)]
    for i in range(20):
        out = exchange(together, i)
        assert {number // 2 % 2 for number in out[:2]} == {0}, "of the first slice"
        assert {number // 2 % 2 for number in out[2:]} == {1}
        for number, pool in enumerate(apart):
            rng = np.random.default_rng([i, number])
            given = pairs(4 * i + 2 * number)
            assert numbers(*pool.exchange(*given, [rng])) == out[2 * number :][:2]

    state = together.state()
    assert state["counts"].tolist() == [6, 6]
    check_pairs(state, 2, "state")
    with pytest.raises(UserError, match=r"counts, \[6 5\], are not those of 12 pairs"):
        check_pairs({**state, "counts": np.array([6, 5])}, 2, "state")

    resumed, second = PairPool(6, 2), PairPool(6)
    resumed.load_state(state, gt_size=4)
    assert exchange(resumed, 20) == exchange(together, 20)
    second.load_state(state, 4, slice(1, 2), slices=2)
    assert second.state()["lq"].tobytes() == apart[1].state()["lq"].tobytes()


def test_a_pool_of_another_number_of_slices_is_dealt_out():
    one, two = PairPool(5), PairPool(4, 2)
    for i in range(3):
        step(one, i)
    two.load_state(one.state(), gt_size=4)
    assert [len(pairs) for pairs in two.slices] == [3, 2]
    one.load_state(two.state(), gt_size=4)
    assert [len(pairs) for pairs in one.slices] == [5]
