"""The environment in which a command loads Paddle."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from realesrgan_paddle.utils.machine import devices

PROGRAM = """
from realesrgan_paddle.utils.machine.devices import keep_freed_memory
from pathlib import Path

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_memory()
before = resident()
block = bytearray(b"x") * 2**26
del block
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only for glibc")
@pytest.mark.parametrize(
    ("variables", "keeps"), [({}, True), ({"MALLOC_TOP_PAD_": "0"}, False)]
)
def test_freed_memory_is_kept_unless_the_user_has_set_the_allocator(variables, keeps):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MALLOC_")
    } | variables
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (int(done.stdout) > 2**25) == keeps


SHARES = [
    ({}, "8"),
    ({"OMP_NUM_THREADS": "1"}, "1"),
    ({"PADDLE_LOCAL_SIZE": "2"}, "4"),
    # As Paddle's launcher passes it on.
    ({"PADDLE_LOCAL_SIZE": "2", "OMP_NUM_THREADS": "1"}, "4"),
    ({"PADDLE_LOCAL_SIZE": "2", "OMP_NUM_THREADS": "3"}, "3"),
    ({"PADDLE_LOCAL_SIZE": "16"}, "1"),
]


def test_processes_of_one_machine_share_its_cores(monkeypatch):
    for variables, threads in SHARES:
        monkeypatch.setattr(os, "environ", variables.copy())
        monkeypatch.setattr(devices, "core_count", lambda: 8)
        # Only the environment is of interest.
        paddle = ModuleType("paddle")
        paddle.__spec__ = ModuleSpec("paddle", None)
        monkeypatch.setitem(sys.modules, "paddle", paddle)
        devices.start_paddle()
        assert os.environ["OMP_NUM_THREADS"] == threads, variables


PROCESSORS = [
    ("fpu avx2 avx512f avx512_bf16", None, 16, True),
    ("fpu avx2 avx512f amx_bf16", "AVX512_CORE_BF16", 16, True),
    ("fpu avx2 avx512f avx512_bf16", "avx512_core_vnni", 16, False),
    ("fpu avx2 avx512f avx512_bf16", "AVX512_CORE", 16, False),
    ("fpu avx2 avx512f avx512_bf16", "avx2_vnni", 8, False),
    ("fpu avx2 avx512f", None, 16, False),
    ("fpu avx2 avx512f", "AVX", 8, False),
    ("fpu avx2", None, 8, False),
    ("", None, 8, False),
]


def test_what_onednn_uses_is_what_the_processor_has_within_its_limit(monkeypatch):
    for features, limit, lanes, bf16 in PROCESSORS:
        monkeypatch.setattr(devices, "cpu_features", features.split)
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
        if limit:
            monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        assert devices.float_lanes() == lanes, (features, limit)
        assert devices.has_bf16() == bf16, (features, limit)
