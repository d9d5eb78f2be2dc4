"""`python -m realesrgan_paddle <command>`."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from realesrgan_paddle import __version__
from realesrgan_paddle.__main__ import (
    COMMANDS,
    MORE_COMMANDS,
    NOT_IN_TOOLS,
    SMALL_PRODUCTS,
    main,
    module_of,
)
from realesrgan_paddle.commands import doctor, models
from realesrgan_paddle.options.reading.read_yaml import read_yaml
from realesrgan_paddle.tools import tune
from realesrgan_paddle.utils.cli import parse_flags, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.devices import NO_PADDLE
from realesrgan_paddle.utils.next_steps import SHORT_NAMES, print_next

TOOLS = {path.stem for path in (ROOT / "tools").glob("*.py")} - {"__init__"}
IMPORT_TOOLS = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"realesrgan_paddle.{name}")
    if "paddle" in sys.modules:
        sys.exit(f"{name} imports paddle at its top level")
"""


def python(*words, cwd=None):
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_list_that_is_given_twice_has_all():
    flags = parse_flags(
        tune.Flags, None, ["a.mp4", "--input", "b.mp4", "--input", "c.mp4"]
    )
    assert sorted(flags.input) == ["a.mp4", "b.mp4", "c.mp4"]


def test_every_tool_is_a_command():
    modules = {module_of(name) for name in (*COMMANDS, *MORE_COMMANDS)}
    tools = {f"realesrgan_paddle.tools.{name}" for name in TOOLS}
    assert modules == tools | set(NOT_IN_TOOLS.values())
    assert not COMMANDS.keys() & MORE_COMMANDS


def test_a_script_and_its_command_multiply_in_as_many_threads():
    scripts = (ROOT / "tools").glob("*.py")
    in_one = {path.stem for path in scripts if "use_one_blas" in path.read_text()}
    assert {SHORT_NAMES.get(name, name) for name in in_one} == set(SMALL_PRODUCTS)


def test_help_lists_them_and_the_present_names_go_on_working(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in COMMANDS)
    assert "quantize" not in printed
    assert main(["--help", "all"]) == 0
    printed = capsys.readouterr().out
    for name in (*COMMANDS, *MORE_COMMANDS, *SHORT_NAMES):
        assert f"\n  {name} " in printed
    assert main([]) == 2
    capsys.readouterr()

    for old, new in SHORT_NAMES.items():
        for name in (old, new):
            with pytest.raises(SystemExit):
                main([name, "--help"])
            assert capsys.readouterr().out.startswith(
                f"usage: realesrgan-paddle {name} "
            )


def test_the_help_of_a_command_begins_with_what_is_given(monkeypatch, capsys):
    for name, first in (
        ("upscale", "INPUT ... [flags]"),
        ("export", "MODEL [flags]"),
        ("evaluate", "--models [NAME=]MODEL"),
    ):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        printed = capsys.readouterr().out
        assert printed.startswith(f"usage: realesrgan-paddle {name} {first}")
        assert f"\n    realesrgan-paddle {name} " in printed, "an example"
    first, rest = help_of("export", capsys, "all").split("\nresult:\n")
    assert ("MODEL  " in first, "--onnx" in rest) == (True, True)
    assert ("--onnx" in first, "--dn_model" in rest.split("\nweights:\n")[1]) == (
        False,
        True,
    )
    assert "\nvideos:\n" in (page := help_of("upscale", capsys))
    assert "--precision" not in page
    assert "--precision" in help_of("upscale", capsys, "all")
    assert "\x1b" not in page

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1mvideos:\x1b[0m\n" in help_of("upscale", capsys)
    print_next("train.py")
    assert capsys.readouterr().out.startswith("\x1b[32mnext:\x1b[0m train.py")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in help_of("upscale", capsys)


def help_of(name, capsys, *words):
    with pytest.raises(SystemExit):
        main([name, "--help", *words])
    return capsys.readouterr().out


def test_a_shell_completes_commands_and_flags(tmp_path):
    pytest.importorskip("argcomplete")
    for line, expected in (
        ("realesrgan-paddle up", "upscale"),
        ("realesrgan-paddle models --he", "--help"),
    ):
        out = tmp_path / "completions"
        asked = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(out),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "PYTHONPATH": str(ROOT),
        }
        subprocess.run(
            [sys.executable, "-m", "realesrgan_paddle"],
            env={**os.environ, **asked},
            check=True,
        )
        assert out.read_text().strip() == expected
    assert main(["completion", "fish"]) == 0
    with pytest.raises(UserError, match="name the shell: bash, zsh, fish"):
        main(["completion", "tcsh"])


def test_an_unknown_command_is_an_error(capsys):
    assert main(["infr"]) == 2
    assert "did you mean 'infer'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export_model", "export-model"])
def test_a_command_gets_its_flags(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["__main__.py"])
    with pytest.raises(SystemExit) as ended:
        main([command, "--model-dri", "x"])
    assert ended.value.code == 2
    error = "realesrgan-paddle export_model: error: unknown flag '--model_dri'; did you"
    assert capsys.readouterr().err.startswith(error)


def test_an_error_of_a_command_is_one_line(tmp_path):
    done = python(
        "-m", "realesrgan_paddle", "infer", "--input", "nowhere", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == "error: nowhere: no such file or folder\n"


def test_a_tool_is_imported_without_paddle_and_without_pyav():
    """Its --help and its first errors must not wait for Paddle, which takes seconds."""
    modules = [f"tools.{name}" for name in sorted(TOOLS)]
    others = [name.removeprefix("realesrgan_paddle.") for name in NOT_IN_TOOLS.values()]
    code = f"import sys; sys.modules['av'] = None\n{IMPORT_TOOLS}"
    done = python("-c", code, *modules, *others)
    assert done.returncode == 0, done.stderr


RUN_WITHOUT = """
import json, sys
missing, *commands = map(json.loads, sys.argv[1:])
sys.modules[missing] = None
from realesrgan_paddle.__main__ import command
for words in commands:
    sys.argv[1:] = words
    try:
        command()
    except SystemExit as ended:
        print(ended.code)
"""


def run_without(module, commands, folder):
    """Run commands where a module is not installed, one after the other."""
    words = map(json.dumps, [module, *map(str.split, commands)])
    return python("-c", RUN_WITHOUT, *words, cwd=folder)


def test_without_paddle_a_command_says_what_to_install(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    commands = [
        "predict --input a.png --output out --model_path x.pth",
        "infer --input a.png --output out --model_path infer",
        "compare --input a.png --models x=x.pth",
        "evaluate --gt a.png --degrade bicubic --models x=x.pth",
        "--version",
    ]
    done = run_without("paddle", commands, tmp_path)
    version = f"realesrgan-paddle {__version__}, {NO_PADDLE}"
    assert done.stdout.splitlines() == ["1"] * 4 + [version, "0"]
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("error: PaddlePaddle is not installed")
        assert "pip install paddlepaddle" in line


def test_without_paddle_the_package_can_be_imported_and_says_what_to_install():
    code = (
        "import sys; sys.modules['paddle'] = None; import realesrgan_paddle as it;"
        "print(len(it.list_models())); it.Upscaler.load('x')"
    )
    done = python("-c", code)
    assert int(done.stdout) > 0
    assert "UserError: PaddlePaddle is not installed" in done.stderr


def test_without_pyav_a_video_says_what_to_install(tmp_path):
    (tmp_path / "a.mp4").touch()
    commands = [
        "infer --input a.mp4 --model_path x --preview 1",
        "compare --input a.mp4 --models x=x.pth --video",
    ]
    done = run_without("av", commands, tmp_path)
    assert done.stdout.split() == ["1", "1"]
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all("pip install av" in line for line in lines)


@pytest.mark.paddle
def test_the_version_is_that_of_the_toolkit_and_of_paddle_with_the_device(capsys):
    import paddle

    assert main(["--version"]) == 0
    printed = capsys.readouterr().out
    version = f"realesrgan-paddle {__version__}, PaddlePaddle {paddle.__version__}, "
    assert printed.startswith(version)
    assert printed.endswith(")\n")


def test_doctor_says_what_is_there_and_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert f"realesrgan-paddle {__version__}" in printed
    assert "ONEDNN_MAX_CPU_ISA=AVX2" in printed
    assert f"released networks:  in {tmp_path / 'weights'}: none yet" in printed
    assert printed.splitlines()[-1].endswith(" upscale IMAGES_OR_VIDEOS")
    assert not list(tmp_path.iterdir())

    def without(missing):
        return lambda name: None if name in missing else find_spec(name)

    monkeypatch.setattr(doctor, "find_spec", without({"paddle", "av"}))
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "Paddle:             MISSING: pip install paddlepaddle (CPU)" in printed
    assert (
        "av:                 not installed; for upscaling videos: pip install"
        in printed
    )


def test_models_says_where_each_is_from_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/realesr-animevideov3.pdparams").touch()
    monkeypatch.setattr(models, "answers", lambda site: "github" not in site)
    assert main(["models"]) == 0
    printed = capsys.readouterr().out
    places = {line.split()[0]: line for line in printed.splitlines()}
    assert places["realesr-animevideov3"].endswith(
        " here: weights/realesr-animevideov3.pdparams"
    )
    assert "x4  67.0 MB  BSD-3-Clause" in places["RealESRGAN_x4plus"]
    assert places["RealESRGAN_x4plus"].endswith("(fp16)")
    assert places["RealESRGAN_x2plus"].endswith("out of reach: see below")
    assert "/RealESRGAN_x2plus.pth\n" in printed
    assert places["psnr-large"].endswith("amazonaws.com")


def test_option_files_are_found_by_name(tmp_path, monkeypatch):
    """In any folder: those of the project, behind a file of that path."""
    monkeypatch.chdir(tmp_path)
    shipped = read_yaml(ROOT / "options/finetune_cpu.yml")
    for name in ("finetune_cpu", "finetune_cpu.yml", "options/finetune_cpu.yml"):
        assert read_yaml(name) == shipped
    with pytest.raises(UserError, match="finetune_cp: no such file; did you mean 'fin"):
        read_yaml("finetune_cp")
    with pytest.raises(UserError, match="no such file"):
        read_yaml("elsewhere/finetune_cpu.yml")

    (tmp_path / "finetune_cpu").mkdir()
    assert read_yaml("finetune_cpu") == shipped
    (tmp_path / "finetune_cpu.yml").write_text("name: mine\n")
    assert read_yaml("finetune_cpu") == {"name": "mine"}


def test_inputs_need_no_flag(capsys):
    @dataclass(frozen=True)
    class Several:
        input: list[Path] = setting(..., "files", takes_words=True)
        output: str = setting("out", "a folder")

    @dataclass(frozen=True)
    class One:
        input: Path | None = setting(None, "a file", takes_words=True)

    both = parse_flags(Several, "", ["a", "--output", "x", "b", "--input", "c", "d"])
    assert both == Several(input=[Path(name) for name in "abcd"], output="x")
    assert parse_flags(One, "", ["a"]) == parse_flags(One, "", ["--input", "a"])
    assert parse_flags(One, "", []).input is None
    for group, words, problem in (
        (Several, [], "the following arguments are required: --input"),
        (One, ["a", "--input", "b"], "one input is expected, not 2"),
    ):
        with pytest.raises(SystemExit):
            parse_flags(group, "", words)
        assert problem in capsys.readouterr().err
