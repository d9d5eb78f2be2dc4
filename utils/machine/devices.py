"""The device to compute on, and the CPU cores that this process may use."""

import math
import os
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

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
