"""The most memory that this process ever held."""

import importlib.util
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory() -> dict[str, float]:
    """Return `memory_mb`, the host's, where the system tells it, and `gpu_memory_mb` where Paddle uses a GPU.

    In MiB; of this process alone, without those that read images. The GPU's is what
    Paddle's tensors took.
    """
    # here, for it reads the environment once, and whoever imports this file may not
    # have set it yet
    import paddle

    peaks = {}
    host = host_peak_bytes()
    if host is not None:
        peaks["memory_mb"] = host / 2**20
    if paddle.get_device().startswith("gpu"):
        peaks["gpu_memory_mb"] = paddle.device.cuda.max_memory_allocated() / 2**20
    return peaks


def host_peak_bytes() -> int | None:
    """Return the largest resident size of this process [bytes]; None on Windows.

    Linux's `ru_maxrss` would do no less for a process that starts another: a child
    inherits its parent's.
    """
    if STATUS.exists():
        line = next(
            line
            for line in STATUS.read_text().splitlines()
            if line.startswith("VmHWM:")
        )
        return int(line.split()[1]) * 1024
    if importlib.util.find_spec("resource") is None:
        return None
    import resource

    unit = (
        1 if sys.platform == "darwin" else 1024
    )  # getrusage(2): bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
