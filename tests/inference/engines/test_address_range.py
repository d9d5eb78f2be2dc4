"""Address ranges cost nothing before they are written to."""

import mmap
import os
import sys

import pytest

from realesrgan_paddle.utils.machine.memory import AddressRange


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts what is reserved")
def test_a_process_with_many_ranges_may_fork():
    size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE
    ranges = [AddressRange(size) for _ in range(20)]
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert len({memory.address for memory in ranges}) == 20
