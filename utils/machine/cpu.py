"""Paddle as a command starts it: fast on the CPU it finds, and without its two start-up warnings."""

import ctypes
import io
import os
import platform
import sys
import warnings
from contextlib import redirect_stderr
from pathlib import Path

from realesrgan_paddle.utils.deferred_signals import defer_interrupts
from realesrgan_paddle.utils.machine.devices import core_count, local_process_count

IDLE_MS = 2
"""For so long an OpenMP thread waits actively for more to do, where another thread needs the cores too."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def start_paddle() -> None:
    """Import Paddle in the environment in which its CPU kernels are fastest; what the user has set stays.

    Paddle reads the environment once, when it is imported. It takes one thread unless
    OMP_NUM_THREADS says otherwise. On an AMD processor its MKL takes slow code unless
    MKL_DEBUG_CPU_TYPE names AVX2: a training step of SRVGGNetCompact on two cores of an
    AMD EPYC took 0.25 s with both, 0.38 s with the second alone, 0.55 s with neither.
    Processes that Paddle's launcher starts share the cores.
    """
    processes = local_process_count()
    if processes > 1 and os.environ.get("OMP_NUM_THREADS") == "1":
        del os.environ[
            "OMP_NUM_THREADS"
        ]  # the launcher imports Paddle, which sets it, and its processes inherit it
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, core_count() // processes)))
    if _is_amd():
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    os.environ.setdefault(
        "FLAGS_use_stride_kernel", "0"
    )  # views, whose copies are 30 times as slow on a CPU
    os.environ.setdefault(
        "GLOG_minloglevel", "2"
    )  # its errors are Python's; the rest is about its own insides
    said = io.StringIO()
    # In the middle of its import, Paddle would make an ImportError of Ctrl-C; and it
    # takes SIGTERM for itself.
    with defer_interrupts(), redirect_stderr(said), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="No ccache found"
        )  # it compiles nothing for us
        import paddle  # noqa: F401  (for its effect: the environment is read here)
    for line in said.getvalue().splitlines(keepends=True):
        if "OMP_NUM_THREADS" not in line:  # it warns of every number but 1
            sys.stderr.write(line)


def compute_on_one_thread() -> None:
    """Let Paddle compute on one thread, on the CPU, where it is called by the thread that calls this; OpenCV anywhere.

    Else Paddle's OpenMP would start as many threads for that one as it has for the
    others, more than there are cores; between operations they wait actively.
    """
    import cv2
    import paddle

    cv2.setNumThreads(1)
    paddle.set_device("cpu")
    for openmp in _openmp():
        openmp.omp_set_num_threads(1)


def shorten_spin_time() -> None:
    """Let the calling thread's OpenMP threads sleep soon when they have nothing to do: another thread may compute.

    Else they wait actively for 200 ms, for each other too, and a core that waits is
    lost to the thread beside. To sleep at once costs as much: they must be woken for
    each operation. With the next batch made beside the step, 2 cores trained on 10.9
    pictures a second with 0 ms and on 13.0 with 2 ms (docs/training-speed.md).
    """
    for openmp in _openmp():
        openmp.kmp_set_blocktime(IDLE_MS)


def _openmp() -> list[ctypes.CDLL]:
    """Return the OpenMP library that Paddle computes with; nothing where it has another."""
    import paddle

    return [
        ctypes.CDLL(str(path))
        for path in (Path(paddle.__file__).parent / "libs").glob("libiomp5*")
    ]


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of giving it back to the system.

    Each training step asks for the same hundreds of megabytes, and the system clears
    every page that it hands out anew. Kept, a step of SRVGGNetCompact (2 x 64 x 64
    pixels) took 320 ms of one AMD EPYC core instead of 380, one of RRDBNet (2 blocks,
    64 x 64) 715 instead of 795, at a sixth more memory at the peak. Nothing is done
    where the user has set a MALLOC_... variable, nor on systems with another allocator.
    """
    if sys.platform != "linux" or any(
        name.startswith("MALLOC_") for name in os.environ
    ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, -1)  # never
        mallopt(
            _M_ARENA_MAX, 1
        )  # what the thread that makes the next batch has freed serves the step too


def _is_amd() -> bool:
    info = Path("/proc/cpuinfo")
    return "AuthenticAMD" in (
        info.read_text() if info.is_file() else platform.processor()
    )
