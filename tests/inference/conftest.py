"""What tests of the engine need of the processor."""

from pathlib import Path

import pytest

CPUINFO = Path("/proc/cpuinfo")


@pytest.fixture
def avx2():
    """Skip where oneDNN has no convolutions for the engine, which the command then leaves."""
    if CPUINFO.is_file() and "avx2" not in CPUINFO.read_text().split():
        pytest.skip("this processor has no AVX2")


@pytest.fixture
def has_bf16():
    """Skip where oneDNN does not multiply in bfloat16."""
    from realesrgan_paddle.inference.engine.check import check_operators
    from realesrgan_paddle.ops.onednn.library import BF16, OneDNNError

    try:
        check_operators(BF16)
    except OneDNNError as error:
        pytest.skip(f"no bfloat16 here: {error}")
