"""What tests of the engine need of the processor."""

from pathlib import Path

import pytest

CPUINFO = Path("/proc/cpuinfo")


@pytest.fixture
def avx2():
    """Skip where oneDNN has no convolutions for the engine, which the command then leaves."""
    if CPUINFO.is_file() and "avx2" not in CPUINFO.read_text().split():
        pytest.skip("this processor has no AVX2")
