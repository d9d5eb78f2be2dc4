"""On a CPU the next batch is made while the step computes; the batches are the same as without."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice

import numpy as np
import pytest
from sample_runs import wait_until, write_yml

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.batches import BatchMaker, Prefetcher, TrainingBatches
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.process_group import ALONE

pytestmark = pytest.mark.paddle

PROGRAM = """
import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from realesrgan_paddle.utils.machine.devices import (
    compute_on_one_thread, shorten_spin_time, start_paddle,
)

start_paddle()
import paddle
openmp = ctypes.CDLL(str(Path(paddle.__file__).parent / "libs" / "libiomp5.so"))
beside = ThreadPoolExecutor(1, initializer=compute_on_one_thread)
shorten_spin_time()
print(openmp.kmp_get_blocktime())
threads = openmp.omp_get_max_threads
print(threads(), beside.submit(threads).result(), threads())
"""


@contextmanager
def opened(tmp_path, options, *overrides: str) -> Iterator[TrainingBatches]:
    cfg = load_config(write_yml(tmp_path, options), overrides)
    with closing(TrainingBatches(cfg, open_training_data(cfg))) as batches:
        yield batches


def test_the_next_item_is_made_before_it_is_requested_in_another_thread():
    threads = {}

    def make(number: int) -> int:
        threads[number] = threading.current_thread()
        return number

    with closing(Prefetcher(make)) as prefetcher:
        assert prefetcher(1) == 1
        wait_until(prefetcher._next.done)
        assert list(threads) == [1, 2]
        assert prefetcher(2) == 2
    assert threads[1] is threads[2] is not threading.current_thread()
    assert not threads[1].is_alive(), "closing ends the thread"


def test_the_pool_is_that_of_the_last_batch_yielded(tmp_path, options):
    with opened(tmp_path, options) as batches:
        first = next(batches)
        wait_until(batches.prefetcher._next.done)
        assert batches.number == 1
        pool = batches.state()["lq"]
        if pool.dtype == np.uint8:
            pool = pool / np.float32(255)
        np.testing.assert_array_equal(pool, first.lq.numpy())


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_the_same_as_without_prefetching(tmp_path, options, workers):
    override = f"datasets.train.num_worker_per_gpu={workers}"
    with opened(tmp_path, options, "queue_size=0", override) as batches:
        prefetched = list(islice(batches, 5))

    cfg = load_config(write_yml(tmp_path, options))
    data = open_training_data(cfg)
    maker = BatchMaker(cfg, data, 0, ALONE, batches.bad_images)
    for number, batch in enumerate(prefetched, start=1):
        pairs = maker(number)
        np.testing.assert_array_equal(batch.lq.numpy(), pairs.lq.numpy())
        np.testing.assert_array_equal(batch.gt.numpy(), pairs.gt.numpy())


def test_an_error_comes_with_the_batch_that_has_it(tmp_path, options):
    options["datasets"]["train"] |= {
        "use_shuffle": False,
        "batch_size_per_gpu": 1,
        "max_bad_images": 0,
    }
    with opened(tmp_path, options) as batches:
        (tmp_path / "hr" / "1.png").write_bytes(b"\x89PNG nonsense")
        assert next(batches).gt.shape == [1, 3, 32, 32]
        with pytest.raises(UserError, match=r"1\.png: not a readable image"):
            next(batches)
        assert batches.number == 1


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's OpenMP library")
def test_the_prefetch_thread_uses_one_core_and_the_step_leaves_it_one():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2\n3 1 3\n", done.stderr
