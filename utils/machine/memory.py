"""Peak memory of this process."""

import importlib.util
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory() -> dict[str, float]:
    """Return the peak of `memory_mb`, and of `gpu_memory_mb` where Paddle uses a GPU.

    In MiB, of this process without the workers that read images. `memory_mb` is the
    resident size, and missing where the system does not report it; `gpu_memory_mb` is
    what Paddle's tensors took.
    """
    # Imported here: Paddle reads the environment when it is imported, and whoever
    # imports this file may not have set it yet.
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

    On Linux not by `ru_maxrss`: a child process inherits its parent's.
    """
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if importlib.util.find_spec("resource") is None:
        return None
    import resource

    # getrusage(2): bytes on macOS, KiB elsewhere
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
