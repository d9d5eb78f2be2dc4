"""The check for GPUs runs, in its smallest form, here; and what fails costs only itself."""

import subprocess
import sys

import pytest
from places import ROOT

pytestmark = [pytest.mark.paddle, pytest.mark.slow]


def test_every_check_has_its_row_and_a_failure_its_line():
    command = [sys.executable, ROOT / "benchmarks/gpu_check.py", "--smallest"]
    done = subprocess.run(
        [*command, "--torch_python", "/no/such/python"], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "2 checks failed"
    assert [line for line in lines if line.startswith("failed: ")] == [
        f"failed: {kind} 1 blocks, 1 x 16 px, float32, torch: /no/such/python: No such "
        "file or directory"
        for kind in ("train", "infer")
    ]
    for row in ("device", "smoke GAN run", "video, 6 frames", "reference arrays, 1"):
        assert any(line.startswith(row) for line in lines), row
    timed = [line for line in lines if "images/s " in line]
    assert len(timed) == 2
    assert "EMA ms" in timed[0]
