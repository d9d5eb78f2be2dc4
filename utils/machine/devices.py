"""Which device to compute on, and how many CPU cores there are to compute with."""

import math
import os
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

DEVICES = ("auto", "cpu", "gpu")


def core_count() -> int:
    """Return the number of CPU cores this process may use, at least 1.

    That is the least of its affinity mask and its control group's quota: in a
    container, the host's core count would start more threads than there are cores, and
    a convolution would slow down.
    """
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    return max(1, math.ceil(min(cores, _quota(Path("/sys/fs/cgroup")))))


def local_process_count() -> int:
    """Return how many processes Paddle's launcher has started on this machine; 1 without it."""
    return int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))


def _quota(root: Path) -> float:
    """Return the cores that the control group under `root` grants (version 2, then 1); infinity where none is set."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        files = [root / name for name in names]
        if all(file.is_file() for file in files):
            quota, period = " ".join(file.read_text() for file in files).split()
            if quota not in ("max", "-1"):
                return int(quota) / int(period)
    return math.inf


def memory_limit() -> float:
    """Return the memory that this process may use at most, in bytes; infinity where the system does not say."""
    limit = Path("/sys/fs/cgroup/memory.max")
    granted = limit.read_text().strip() if limit.is_file() else "max"
    there = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if hasattr(os, "sysconf")
        else math.inf
    )
    return there if granted == "max" else min(there, int(granted))


def pick_device(wanted: str = "auto") -> tuple[str, str]:
    """Return Paddle's name of the device to use, "cpu" or "gpu", and the reason in a few words.

    Raises:
        UserError: `wanted` is no device, or is "gpu" where there is none.
    """
    if wanted not in DEVICES:
        raise UserError(f"device {wanted!r}: known are {', '.join(DEVICES)}")
    if wanted == "cpu":
        return "cpu", "asked for"
    import paddle  # here, for it takes seconds and the other functions do without it

    if not paddle.device.is_compiled_with_cuda():
        found = "the installed Paddle is the CPU build"
    elif not paddle.device.cuda.device_count():
        found = "no GPU is visible"
    else:
        return "gpu", "asked for" if wanted == "gpu" else "a GPU is there"
    if wanted == "gpu":
        raise UserError(f"device 'gpu': {found}; see requirements-gpu.txt, or use cpu")
    return "cpu", found
