"""What a command sets up before it loads Paddle."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
from realesrgan_paddle.utils.cpu import keep_freed_memory
from pathlib import Path

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_memory()
before = resident()
block = bytearray(b"x") * 2**26
del block
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's allocator is told")
@pytest.mark.parametrize(("variables", "keeps"), [({}, True), ({"MALLOC_TOP_PAD_": "0"}, False)])
def test_freed_memory_is_kept_unless_the_user_has_set_the_allocator(variables, keeps):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | variables
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 2**25) == keeps
