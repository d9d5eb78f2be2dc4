"""Each command that a benchmark or the docs name starts, and says what it takes."""

import re
import subprocess
import sys

import pytest
from places import ROOT

LAUNCHER = r"(?:-m paddle\.distributed\.launch \S+ \S+ )?"
COMMAND = re.compile(rf"python {LAUNCHER}(-m benchmarks[\w.]*|benchmarks/[\w/]+\.py)")


def named_commands() -> list[str]:
    files = [*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("docs/**/*.md")]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return sorted({command for text in texts for command in COMMAND.findall(text)})


@pytest.mark.parametrize("command", named_commands())
def test_the_command_of_a_benchmark_starts(command: str):
    done = subprocess.run(
        [sys.executable, *command.split(), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
