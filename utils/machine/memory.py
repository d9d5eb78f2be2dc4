"""Peak memory of this process, what it may still take, and an allocator of large tensors."""

import importlib.util
import math
import mmap
import os
import sys
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")

GROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
}
"""By folder below `GROUPS`, for control groups of version 2 and 1.

The files with the limit and the use, and the line of memory.stat with what of the use is
cached files, which the system drops first.
"""
UNKNOWN_MEMORY = 2 << 30
"""Taken for free where the system does not say how much memory there is [bytes]."""
NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""MAP_NORESERVE: otherwise a process with some ranges could not start others.

When it forks, Linux would ask for as much memory again. Python 3.10 has no name for it.
"""
SMALLEST_RANGE = 64 << 20
"""Fewer addresses hold no network's features of any picture [bytes]."""
ByteRange = tuple[int, int]
"""Begin and end, in bytes from the start of the memory."""


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


def free_memory() -> float:
    """Return how much memory this process may still take [bytes].

    On Linux what /proc/meminfo calls available, or what is left to one of its control
    groups if that is less. On other systems half of the machine's memory, and
    `UNKNOWN_MEMORY` where that is not known either (Windows).
    """
    if MEMINFO.exists():
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
                return min(available, _left_to_groups())
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    return UNKNOWN_MEMORY


def memory_limit() -> float:
    """Return the most memory this process may use [bytes]; infinity if unknown."""
    total = math.inf
    if hasattr(os, "sysconf"):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *(limit for limit, _ in _group_limits())])


def _left_to_groups() -> float:
    """Return what this process's control groups leave it [bytes]; infinity if all."""
    return min([math.inf, *(max(limit - used, 0) for limit, used in _group_limits())])


def _group_limits() -> Iterator[tuple[int, int]]:
    """Yield limit and use of this process's control groups that have a limit [bytes].

    In a container the path of a group may be that on the host: then its folder is not
    there, and the limit is in the topmost one.
    """
    if not OWN_GROUPS.exists():
        return
    for line in OWN_GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in GROUP_FILES:
            continue
        top = GROUPS / controllers
        own = top / path.lstrip("/")
        limit_file, used_file, cached = GROUP_FILES[controllers]
        for folder in (own, *own.parents):
            limit = folder / limit_file
            if not folder.is_relative_to(top) or not limit.is_file():
                continue
            most = limit.read_text().strip()
            if most != "max":
                yield int(most), _used(folder, used_file, cached)


def _used(folder: Path, used: str, cached: str) -> int:
    """Return what a control group uses without cached files [bytes]."""
    taken = int((folder / used).read_text())
    for line in (folder / "memory.stat").read_text().splitlines():
        name, value = line.split()
        if name == cached:
            taken -= int(value)
    return taken


def addresses_left() -> float:
    """Return how many addresses `ulimit -v` leaves this process; infinity if all."""
    if importlib.util.find_spec("resource") is None:
        return math.inf
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    statm = STATUS.with_name("statm")
    if limit == resource.RLIM_INFINITY or not statm.exists():
        return math.inf
    pages = int(statm.read_text().split()[0])
    return max(limit - pages * mmap.PAGESIZE, 0)


def reserve_memory(most: float = math.inf) -> "AddressRange":
    """Return an address range of `most` bytes, or as long as memory or a limit allows.

    Of a limited address space it takes half of what is left, for others come after it.

    Raises:
        MemoryError: less than `SMALLEST_RANGE` is left.
    """
    size = min(most, memory_limit(), addresses_left() / 2)
    if size == math.inf:
        size = UNKNOWN_MEMORY
    while size >= min(most, SMALLEST_RANGE):
        try:
            return AddressRange(int(size))
        except OSError:
            size /= 2
    raise MemoryError("no addresses are left; raise the limit that ulimit -v shows")


class AddressRange:
    """An address range of `size` bytes; pages are committed when first written to.

    Attributes:
        address: where the range begins.
        released: places of tensors that are gone. Tensors may be freed in any thread,
            at any time, even within `allocate`.
    """

    def __init__(self, size: int) -> None:
        if hasattr(mmap, "MAP_ANONYMOUS"):
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
            pages = mmap.mmap(-1, size, flags)
        else:  # Windows, which grants all of it or nothing
            pages = mmap.mmap(-1, size)
        self.pages = np.frombuffer(pages, np.uint8)
        self.address: int = self.pages.ctypes.data

        self.released: deque[ByteRange] = deque()
        self._holes = [(0, size)]
        """The free places in order; no two of them touch."""

    def allocate(self, size: int) -> ByteRange | None:
        """Return the lowest free place for `size` bytes, in whole pages, or None."""
        while self.released:
            self._free(*self.released.popleft())

        pages = -(-size // mmap.PAGESIZE)
        size = pages * mmap.PAGESIZE
        for i, (begin, end) in enumerate(self._holes):
            if end - begin >= size:
                rest = (begin + size, end)
                self._holes[i : i + 1] = [rest] if end - begin > size else []
                return begin, begin + size

        return None

    def _free(self, begin: int, end: int) -> None:
        """Add a place to the holes, joined with the holes that it touches."""
        holes = self._holes
        i = bisect(holes, (begin, end))

        next_touches = i < len(holes) and holes[i][0] == end
        if next_touches:
            _, end = holes.pop(i)

        previous_touches = i > 0 and holes[i - 1][1] == begin
        if previous_touches:
            i -= 1
            begin, _ = holes.pop(i)

        holes.insert(i, (begin, end))
