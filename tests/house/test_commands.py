"""`python -m realesrgan_paddle <command>`."""

import subprocess
import sys

import pytest
from places import ROOT

from realesrgan_paddle.__main__ import COMMANDS, main

TOOLS = {path.stem for path in (ROOT / "tools").glob("*.py")} - {"__init__"}


def test_every_tool_is_a_command():
    assert set(COMMANDS) == TOOLS


def test_help_lists_them(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)
    assert main([]) == 2


def test_an_unknown_command_is_an_error(capsys):
    assert main(["infr"]) == 2
    assert "did you mean 'infer'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export_model", "export-model"])
def test_a_command_gets_its_flags(command):
    call = [sys.executable, "-m", "realesrgan_paddle", command, "--model-dri", "x"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("realesrgan_paddle export_model: error: ")


def test_an_error_of_a_command_is_one_line(tmp_path):
    call = [sys.executable, "-m", "realesrgan_paddle", "infer", "--input", "nowhere"]
    done = subprocess.run(
        call, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: nowhere: no such file or folder\n",
    )


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_help_does_not_wait_for_paddle(name):
    """What a tool imports at its top level must not import Paddle, which takes seconds."""
    code = f"import sys, realesrgan_paddle.tools.{name}; assert 'paddle' not in sys.modules"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=False
        ).returncode
        == 0
    )
