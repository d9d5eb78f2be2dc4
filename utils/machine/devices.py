"""The device to compute on, the CPU's cores and features, and how Paddle is started."""

import ctypes
import io
import logging
import math
import os
import platform
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.signals import ending_at_once

DEVICES = ("auto", "cpu", "gpu")

LAUNCHER_NUMBERS = {
    "PADDLE_TRAINERS_NUM": 1,
    "PADDLE_LOCAL_SIZE": 1,
    "PADDLE_TRAINER_ID": 0,
}
"""Environment variables of Paddle's launcher, and the least value of each.

Without them a process is alone: then the numbers of processes are 1, its own is 0.
"""

MAX_PROCESSES = 2**16
"""No training has that many."""
SPIN_MS = 2
"""Spin time of idle OpenMP threads [ms] where another thread computes beside them."""


def core_count() -> int:
    """Return the number of CPU cores this process may use, at least 1.

    That is the smaller of its affinity mask and its control group's quota. With the
    host's core count, a container would start more threads than it has cores, and a
    convolution would slow down.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return max(1, math.ceil(min(cores, _quota(Path("/sys/fs/cgroup")))))


def running_elsewhere() -> int:
    """Return how many threads of other processes run now or wait for a core.

    On Linux: the fourth field of /proc/loadavg (proc(5)) without this process's own;
    elsewhere, and where that cannot be read, 0. So it is where this process may use a
    part of the cores only, as in many containers: others may run beside that part.
    """
    if core_count() < (os.cpu_count() or 1):
        return 0
    try:
        load = Path("/proc/loadavg").read_text().split()
        running = int(load[3].split("/")[0])
        own = sum(map(_runs, Path("/proc/self/task").iterdir()))
    except (OSError, ValueError, IndexError):  # none, or a thread has just ended
        return 0
    return max(0, running - own)


def _runs(task: Path) -> bool:
    """Return whether a thread runs; in stat its state follows its name in brackets."""
    return (task / "stat").read_text().rpartition(") ")[2].startswith("R")


def local_process_count() -> int:
    """Return how many processes Paddle's launcher started on this machine, else 1."""
    return launcher_number("PADDLE_LOCAL_SIZE")


def launcher_number(name: str) -> int:
    """Return one of `LAUNCHER_NUMBERS` from the environment.

    Raises:
        UserError: it is set to something else than such a number.
    """
    least = LAUNCHER_NUMBERS[name]
    text = os.environ.get(name, str(least))
    is_number = text.isdecimal() and len(text) <= len(str(MAX_PROCESSES))
    if not is_number or not least <= int(text) <= MAX_PROCESSES:
        raise UserError(
            f"environment variable {name} is {text[:40]!r}, expected a whole number from "
            f"{least} to {MAX_PROCESSES:,}; unset it, or start with "
            "python -m paddle.distributed.launch, which sets it"
        )
    return int(text)


def _quota(root: Path) -> float:
    """Return the number of cores that the control group at `root` grants.

    Version 2, then 1; infinity without a quota.
    """
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        files = [root / name for name in names]
        if not all(file.is_file() for file in files):
            continue
        quota, period = " ".join(file.read_text() for file in files).split()
        if quota not in ("max", "-1"):
            return int(quota) / int(period)
    return math.inf


def pick_device(wanted: str = "auto") -> tuple[str, str]:
    """Return Paddle's name of the device, "cpu" or "gpu", and a few words on why.

    Raises:
        UserError: `wanted` is no device, or is "gpu" where there is none.
    """
    if wanted not in DEVICES:
        raise UserError(f"device {wanted!r}: known are {', '.join(DEVICES)}")
    if wanted == "cpu":
        return "cpu", "asked for"

    # Imported here: it takes seconds, and the other functions do not need it.
    import paddle

    if not paddle.device.is_compiled_with_cuda():
        obstacle = "the installed Paddle is the CPU build"
    elif not paddle.device.cuda.device_count():
        obstacle = "no GPU is visible"
    else:
        return "gpu", "asked for" if wanted == "gpu" else "a GPU is there"
    if wanted == "gpu":
        raise UserError(
            f"device 'gpu': {obstacle}; see requirements-gpu.txt, or use cpu"
        )
    return "cpu", obstacle


def start_gpu() -> None:
    """Prepare Paddle for training where it computes on a GPU; does nothing elsewhere.

    cuDNN tries its algorithms for each new shape, once: training repeats a few shapes.

    Raises:
        UserError: the installed Paddle has no code for this GPU.
    """
    import paddle

    if not paddle.get_device().startswith("gpu"):
        return
    paddle.set_flags({"FLAGS_cudnn_exhaustive_search": True})
    try:
        paddle.ones([1]).sum().item()
    except (RuntimeError, OSError) as error:
        major, minor = paddle.device.cuda.get_device_capability()
        raise UserError(
            f"{paddle.device.cuda.get_device_name()} (compute capability {major}.{minor}): "
            f"the installed Paddle {paddle.__version__}, built for CUDA "
            f"{paddle.version.cuda()}, cannot compute on it; install one that can "
            "(docs/gpu.md), or train on the CPU: CUDA_VISIBLE_DEVICES= in the environment"
        ) from error


@contextmanager
def without_tf32() -> Iterator[None]:
    """Let a GPU multiply matrices of float32 as such meanwhile, not in TF32.

    TF32, Paddle's default on Ampere and later, rounds to 10 bits: an image in [0, 1] then
    differs by up to half a level of 255.
    """
    import paddle
    from paddle.base import core

    if not paddle.device.is_compiled_with_cuda():
        yield
        return
    before = core.get_cublas_switch()
    core.set_cublas_switch(False)
    try:
        yield
    finally:
        core.set_cublas_switch(before)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


NO_PADDLE = (
    "PaddlePaddle is not installed, and this package does not choose between its CPU and "
    "its GPU build: pip install paddlepaddle for a CPU; for an NVIDIA GPU pip install "
    "paddlepaddle-gpu setuptools, or a newer one from "
    "https://www.paddlepaddle.org.cn/install/quick"
)
"""What a user without it is told."""


def require_paddle() -> None:
    """Raise UserError, which says what to install, if there is no Paddle."""
    if find_spec("paddle") is None:
        raise UserError(NO_PADDLE)


def start_paddle() -> None:
    """Import Paddle in the environment in which its CPU kernels are fastest.

    Variables that the user has set are kept. Paddle reads the environment once, when it
    is imported:

    * It uses one thread unless OMP_NUM_THREADS is set. Processes that Paddle's launcher
      starts share the cores.
    * On an AMD processor its MKL takes slow code unless MKL_DEBUG_CPU_TYPE names AVX2.
      A training step of SRVGGNetCompact on two cores of an AMD EPYC took 0.25 s with
      both variables, 0.38 s with the second only, 0.55 s with neither.
    * FLAGS_use_stride_kernel would make views, whose copies are 30 times as slow on a
      CPU; it is turned off.
    """
    require_paddle()
    for name in LAUNCHER_NUMBERS:
        launcher_number(name)  # Paddle's import ends in a traceback at a wrong one

    processes = local_process_count()
    if processes > 1 and os.environ.get("OMP_NUM_THREADS") == "1":
        # Not the user's: importing Paddle in the launcher sets it, and we inherit it.
        del os.environ["OMP_NUM_THREADS"]

    threads = max(1, core_count() // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if _is_amd():
        os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    os.environ.setdefault("FLAGS_use_stride_kernel", "0")
    # Warnings off: Paddle's errors come as exceptions, its log is about its internals.
    os.environ.setdefault("GLOG_minloglevel", "2")

    messages = io.StringIO()
    # Paddle's import would turn Ctrl-C into an ImportError.
    with ending_at_once(), redirect_stderr(messages), warnings.catch_warnings():
        # ccache would speed up extensions; we compile none.
        warnings.filterwarnings("ignore", message="No ccache found")
        import paddle  # noqa: F401  (for its effect: the environment is read here)
    # It gives the root logger a handler, which would keep our own warnings in `messages`.
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream is messages:
            root.removeHandler(handler)
    for line in messages.getvalue().splitlines(keepends=True):
        if "OMP_NUM_THREADS" not in line:  # it warns of every number but 1
            sys.stderr.write(line)


def compute_on_one_thread() -> None:
    """Make Paddle compute on the CPU with one thread when called by this thread.

    OpenCV uses one thread in all threads then. Otherwise Paddle's OpenMP would start as
    many threads for the calling thread as for the main one, more than there are cores,
    and those spin between operations.
    """
    import cv2
    import paddle

    cv2.setNumThreads(1)
    paddle.set_device("cpu")
    for openmp in _openmp():
        openmp.omp_set_num_threads(1)


def shorten_spin_time() -> None:
    """Make idle OpenMP threads of the calling thread sleep after `SPIN_MS`.

    By default they spin for 200 ms, and a core that spins is lost to other threads. To
    sleep at once costs as much, because each operation must wake them. With the next
    batch made beside the step, 2 cores trained on 10.9 images a second with 0 ms and on
    13.0 with 2 ms.
    """
    for openmp in _openmp():
        openmp.kmp_set_blocktime(SPIN_MS)


def _openmp() -> list[ctypes.CDLL]:
    """Return the Intel OpenMP library of the Paddle wheel; [] if it has none."""
    import paddle

    libraries = (Path(paddle.__file__).parent / "libs").glob("libiomp5*")
    return [ctypes.CDLL(str(path)) for path in libraries]


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of returning it.

    Each training step allocates the same hundreds of megabytes, and the system clears
    every page that it hands out again. With kept memory, a step of SRVGGNetCompact
    (2 x 64 x 64 pixels) took 320 ms of one AMD EPYC core instead of 380, one of RRDBNet
    (2 blocks, 64 x 64) 715 instead of 795, with a peak memory a sixth higher. Does
    nothing where the user has set a MALLOC_... variable, nor on other systems.
    """
    set_by_user = any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or set_by_user:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, -1)  # never
    # One arena, so that the step reuses what the thread of the next batch has freed.
    mallopt(_M_ARENA_MAX, 1)


def has_bf16() -> bool:
    """Return whether oneDNN multiplies in bfloat16 here; False where that is not known.

    Its variable ONEDNN_MAX_CPU_ISA, which keeps it from bfloat16, is obeyed.
    """
    if float_lanes() < 16 or _isa_limit() in ("AVX512_CORE", "AVX512_CORE_VNNI"):
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu_features())


def float_lanes() -> int:
    """Return how many float32 oneDNN keeps in a register: 16 with AVX-512, else 8.

    Its variable ONEDNN_MAX_CPU_ISA, which keeps it from AVX-512, is obeyed.
    """
    limit = _isa_limit()
    is_limited = limit.startswith(("SSE", "AVX2")) or limit == "AVX"
    return 16 if "avx512f" in cpu_features() and not is_limited else 8


def _isa_limit() -> str:
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()


def cpu_name() -> str:
    """Return the processor's name, as the system has it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def cpu_features() -> Sequence[str]:
    """Return the words that describe this CPU, none where they are not known."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return ()
    return cpuinfo.read_text(encoding="utf-8").split()


def _is_amd() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    processor = cpuinfo.read_text() if cpuinfo.is_file() else platform.processor()
    return "AuthenticAMD" in processor


def use_one_blas_thread() -> None:
    """Let numpy compute products of matrices in one thread; call it before its import.

    What a user has set is kept. With a thread for each core, OpenBLAS, which numpy's
    wheels have, spends most of their time waiting: comparing 400 corners of two pictures
    (`data.footage.views.features`) took 17 ms of processor time on two cores, and 2 ms
    with one thread. And numpy's import starts no threads: a whole `tools/infer.py` for one
    small image took 0.83 s instead of 0.94 (two cores of an AMD EPYC, Zen 3).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
