"""On a CPU the next batch is made while the step computes; nothing else changes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice

import numpy as np
import pytest
from sample_runs import wait_until, write_yml

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.utils.errors import UserError

pytestmark = pytest.mark.paddle

PROGRAM = """
import ctypes
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from realesrgan_paddle.utils.machine.cpu import compute_on_one_thread, shorten_spin_time, start_paddle

start_paddle()
import paddle
openmp = ctypes.CDLL(str(Path(paddle.__file__).parent / "libs" / "libiomp5.so"))
beside = ThreadPoolExecutor(1, initializer=compute_on_one_thread)
shorten_spin_time()
print(openmp.kmp_get_blocktime())
print(openmp.omp_get_max_threads(), beside.submit(openmp.omp_get_max_threads).result(), openmp.omp_get_max_threads())
"""


@contextmanager
def opened(tmp_path, options, *overrides: str) -> Iterator[TrainingBatches]:
    with closing(
        TrainingBatches(load_config(write_yml(tmp_path, options), overrides), 0)
    ) as batches:
        yield batches


def test_the_next_batch_is_made_before_it_is_asked_for(tmp_path, options):
    with opened(tmp_path, options) as batches:
        first = next(batches)
        wait_until(lambda: batches.coming.done())
        assert batches.number == 1
        np.testing.assert_array_equal(
            batches.pool.state()["lq"], first.lq.numpy()
        )  # not the second's too


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_the_same_as_without_looking_ahead(tmp_path, options, workers):
    streams = []
    for ahead in (True, False):
        with opened(
            tmp_path, options, f"datasets.train.num_worker_per_gpu={workers}"
        ) as batches:
            if not ahead:
                batches.beside.shutdown()
                batches.beside = None
            streams.append(list(islice(batches, 5)))
    for batch, other in zip(*streams, strict=True):
        for name in ("lq", "gt", "gt_usm"):
            np.testing.assert_array_equal(
                getattr(batch, name).numpy(), getattr(other, name).numpy()
            )


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
def test_the_thread_beside_the_step_computes_alone_and_the_step_leaves_it_a_core():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "2\n3 1 3\n", done.stderr
