"""`python -m realesrgan_paddle <command>`."""

import subprocess
import sys

import pytest
from places import ROOT

from realesrgan_paddle.__main__ import COMMANDS, main

TOOLS = {path.stem for path in (ROOT / "tools").glob("*.py")} - {"__init__"}
IMPORT_TOOLS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"realesrgan_paddle.tools.{name}")
    if "paddle" in sys.modules:
        sys.exit(f"tools/{name}.py imports paddle at its top level")
"""


def python(*words, cwd=None):
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


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
def test_a_command_gets_its_flags(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    with pytest.raises(SystemExit) as ended:
        main([command, "--model-dri", "x"])
    assert ended.value.code == 2
    error = "realesrgan_paddle export_model: error: unknown flag '--model_dri'; did you"
    assert capsys.readouterr().err.startswith(error)


def test_an_error_of_a_command_is_one_line(tmp_path):
    done = python(
        "-m", "realesrgan_paddle", "infer", "--input", "nowhere", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == "error: nowhere: no such file or folder\n"


def test_help_does_not_wait_for_paddle():
    """What a tool imports at its top level must not import Paddle, which takes seconds."""
    done = python("-c", IMPORT_TOOLS, *sorted(TOOLS))
    assert done.returncode == 0, done.stderr
