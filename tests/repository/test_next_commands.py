"""Each command names the next one: a line that bash runs as it is."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clips import picture_clip
from places import ROOT
from sample_runs import picture, usable_ops
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle import __main__ as program
from realesrgan_paddle.commands.make_lq_data import main as make_lq
from realesrgan_paddle.commands.what_follows import after_part, after_upscale
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.options.reading.load import given_options, load_config
from realesrgan_paddle.tools import (
    build_domain_set,
    convert_torch,
    extract_keyframes,
    extract_subimages,
    generate_meta_info_pairdata,
    generate_multiscale,
    preflight,
)
from realesrgan_paddle.utils import next_steps
from realesrgan_paddle.utils.cli import parse_flags
from realesrgan_paddle.utils.images import list_images, write_image
from realesrgan_paddle.utils.next_steps import (
    command_line,
    next_line,
    override,
    print_next,
    shell_join,
)
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(not shutil.which("bash"), reason="the lines are for bash"),
]

FOLDER = "a 'folder' \"of\" $x; #1 & 比赛"
CLIP = "-rf; 'a' \"b\".mkv"
TINY = (
    "path.pretrain_network_g=tiny.pdparams",
    f"cpu_ops={usable_ops()}",
    "gt_size=32",
    "queue_size=0",
    "datasets.train.batch_size_per_gpu=1",
    "datasets.train.num_worker_per_gpu=0",
    "train.lpips_opt=null",
    "train.total_iter=2",
    "val.drift=null",
)
"""What makes the run of a printed training command short."""


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder whose name needs quotes, with a clip of six shots, to work in."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    shots = [scene(n // 2, 8 * (n % 2), width=96, height=64) for n in range(12)]
    picture_clip(folder / CLIP, shots, rate=1)
    tiny = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(folder / "tiny.pdparams", {"params": tiny})
    monkeypatch.chdir(folder)
    return folder


def printed_next(printed: str) -> str:
    """The command of the one `next:` line that a command has printed, or nothing."""
    lines = re.findall(r"^next: (.*)$", printed, re.MULTILINE)
    assert len(lines) <= 1
    return lines[0] if lines else ""


def words_of(line: str) -> list[str]:
    """What bash makes of a line."""
    script = f"printf '%s\\0' {line}"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True)
    return done.stdout.decode().split("\0")[:-1]


def run_here(line: str, more: list[str], capsys) -> str:
    """Run a line in this process, and return what it printed."""
    python, script, *arguments = words_of(line)
    assert shutil.which(python)
    before, sys.argv = sys.argv, [script, *arguments, *more]
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name="__main__")
    finally:
        sys.argv = before
    assert not ended.value.code, line
    return capsys.readouterr().out


def run_in_bash(line: str, more: list[str], _) -> str:
    """Run a line as a user would paste it, and return what it printed."""
    words = shell_join(more)
    done = subprocess.run(
        ["bash", "-c", f"{line} {words}"], capture_output=True, text=True, check=False
    )
    assert not done.returncode, f"{line}: {done.stderr}"
    return done.stdout


def walk(printed: str, run, capsys) -> list[str]:
    """Run each line that is printed, until there is none; return the scripts' names."""
    names = []
    while line := printed_next(printed):
        names.append(Path(words_of(line)[1]).name)
        printed = run(line, [*TINY] if names[-1] == "train.py" else [], capsys)
    return names


runs = pytest.mark.parametrize(
    "run", [run_here, pytest.param(run_in_bash, marks=pytest.mark.slow)]
)
AFTER_TRAINING = ["train.py", "export_model.py", "infer.py", "compare.py"]


@runs
def test_the_chain_from_a_clip_to_the_comparison_is_walked(place, run, capsys):
    assert (
        extract_keyframes.main(["--input", f"./{CLIP}", "--output", "-my 'set'"]) == 0
    )
    walked = walk(capsys.readouterr().out, run, capsys)
    assert walked == ["extract_subimages.py", "generate_meta_info.py", *AFTER_TRAINING]
    (page,) = place.glob("experiments/*/infer_compare/index.html")
    assert "finetuned" in page.read_text()


@runs
def test_a_set_is_trained_on_and_compared_on_its_validation_images(place, run, capsys):
    words = ["--input", f"./{CLIP}", "--output", "my 'set'", "--val_share", "0.3"]
    assert build_domain_set.main([*words, "--crop_size", "64", "--step", "32"]) == 0
    walked = walk(capsys.readouterr().out, run, capsys)
    assert walked == AFTER_TRAINING

    (folder,) = place.glob("experiments/finetune_*")
    cfg = load_config(folder / "config.yml")
    assert cfg.datasets.train.meta_info == "my 'set'/meta_info.txt"
    count = len(list_images("my 'set'/val/LR"))
    (page,) = place.glob("experiments/*/infer_compare/index.html")
    assert f"{count} images; PSNR" in page.read_text(), "measured against the originals"


def train_options(line: str) -> dict:
    """The options that a printed training command gives; its flags must be known."""
    from realesrgan_paddle.commands.train import Flags

    _, script, *arguments = words_of(line)
    assert Path(script) == ROOT / "train.py"
    args = parse_flags(Flags, None, arguments)
    given = given_options(args.yml_path, args.overrides)
    return given if args.yml_path else {"dataroot_gt": args.dataroot_gt, **given}


def test_pairs_that_were_written_are_trained_on(place, options, capsys):
    for name in ("a.png", "b.png"):
        write_image(place / "H R" / name, picture(64, 64, 0))
    (place / "lq.yml").write_text('dataroot_gt: "H R"\n')
    assert make_lq(["--yml_path", "lq.yml", "--save_dir", "L 'Q'"]) == 0
    given = train_options(printed_next(capsys.readouterr().out))
    assert given["dataroot_gt"] == "H R"
    assert given["datasets"]["train"] == {
        "type": "RealESRGANPairedDataset",
        "dataroot_lq": "L 'Q'",
    }

    words = ["--input", "H R", "L 'Q'", "--root", "H R", "L 'Q'"]
    assert generate_meta_info_pairdata.main([*words, "--meta_info", "pairs.txt"]) == 0
    given = train_options(printed_next(capsys.readouterr().out))
    assert given["datasets"]["train"]["meta_info"] == "pairs.txt"
    assert given["datasets"]["train"]["dataroot_lq"] == "L 'Q'"

    assert preflight.main(["--input", "H R", "--lq", "L 'Q'"]) == 0
    given = train_options(printed_next(capsys.readouterr().out))
    assert given["datasets"]["train"]["dataroot_lq"] == "L 'Q'"


def test_pairs_for_validation_are_judged_not_trained_on(place, capsys):
    write_image(place / "val/HR/a.png", picture(64, 64, 0))
    (place / "lq.yml").write_text("dataroot_gt: val/HR\n")
    assert make_lq(["--yml_path", "lq.yml", "--save_dir", "val/LR"]) == 0
    words = words_of(printed_next(capsys.readouterr().out))
    assert Path(words[1]) == ROOT / "tools" / "compare.py"
    models = ["--models", "realesr-general-x4v3", "--output", "val_compare"]
    assert words[2:] == ["--input", "val/LR", "--gt", "val/HR", *models]


@pytest.mark.parametrize("scale", [1, 2])
def test_pairs_of_another_scale_are_trained_with_a_network_for_it(place, scale, capsys):
    write_image(place / "HR/a.png", picture(64, 64, 0))
    (place / "lq.yml").write_text(f"dataroot_gt: HR\nscale: {scale}\n")
    assert make_lq(["--yml_path", "lq.yml", "--save_dir", "LQ"]) == 0
    given = train_options(printed_next(capsys.readouterr().out))
    if scale == 2:
        network = find(given["path"]["pretrain_network_g"]).network
        assert network.scale == 2
    else:
        assert (given["scale"], given["network_g"]["upscale"]) == (1, 1)


def test_a_preview_leads_to_the_images_and_a_list_to_their_list(place, capsys):
    write_image(place / "HR/a.png", picture(64, 64, 0))
    (place / "list.txt").write_text("a.png\n")
    (place / "lq.yml").write_text("dataroot_gt: HR\nmeta_info: list.txt\n")
    preview = ["--yml_path", "lq.yml", "--preview", "sheet.png", "--seed", "3"]
    assert make_lq([*preview, "jpeg_range=[50, 60]"]) == 0
    line = printed_next(capsys.readouterr().out)
    flags = "--yml_path lq.yml --save_dir LQ --meta_info LQ_pairs.txt --seed 3"
    assert words_of(line)[2:] == [*flags.split(), "jpeg_range=[50, 60]"]
    given = train_options(printed_next(run_here(line, [], capsys)))
    assert given["datasets"]["train"]["meta_info"] == "LQ_pairs.txt"


def test_smaller_versions_are_cut_or_listed_with_the_others(place, capsys):
    write_image(place / "HR/a.png", picture(96, 96, 0))
    assert generate_multiscale.main(["--input", "HR", "--output", "small"]) == 0
    line = printed_next(capsys.readouterr().out)
    assert words_of(line)[2:] == ["--input", "small", "--output", "small_sub"]

    cut = ["--input", "HR", "--output", "sub", "--crop_size", "64", "--step", "32"]
    assert extract_subimages.main(cut) == 0
    assert generate_multiscale.main(["--input", "sub", "--output", "smaller"]) == 0
    lines = re.findall("^next: (.*)$", capsys.readouterr().out, re.MULTILINE)
    printed = run_here(lines[-1], [], capsys)
    assert train_options(printed_next(printed))["dataroot_gt"] == str(place)


def test_weights_are_exported_and_then_wait_for_images(place, capsys):
    words = ["--input", "tiny.pdparams", "--output", "weights/my net.pdparams"]
    assert convert_torch.main(words) == 0
    printed = run_here(printed_next(capsys.readouterr().out), [], capsys)
    assert "next, with your images or videos in place of IMAGES_OR_VIDEOS: " in printed
    write_image(place / "inputs/a.png", picture(16, 16, 0))
    printed = run_here(
        command_line("tools/export_model.py", "--model_dir", "tiny.pdparams"),
        [],
        capsys,
    )
    printed = run_here(printed_next(printed), [], capsys)
    run_here(printed_next(printed), [], capsys)
    assert Path("infer_compare/index.html").is_file()


def test_names_with_an_equals_sign_and_milliseconds_are_understood():
    line = words_of(after_upscale(Path("in"), "a=b.pdparams"))
    assert "a_b=a=b.pdparams" in line
    times = 4000.0625, 4001.001
    line = words_of(after_part(Path("in.mp4"), Path("out.mp4"), "net", *times))
    assert "4000.0625" in line
    assert "4001.001" in line


def test_a_line_starts_this_python_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert words_of(command_line("tools/infer.py"))[1:] == ["tools/infer.py"]
    monkeypatch.chdir(tmp_path)
    assert words_of(command_line("tools/infer.py"))[1:] == [
        str(ROOT / "tools/infer.py")
    ]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("tools/infer.py").split()[0] == shell_join([sys.executable])
    python = Path(sys.executable)
    (tmp_path / "python").symlink_to(python)
    monkeypatch.setattr(sys, "executable", str(tmp_path / python.name))
    assert command_line("tools/infer.py").startswith("python ")


def test_who_types_the_program_is_told_its_commands(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["realesrgan-paddle"])
    write_image(place / "HR/a.png", picture(96, 96, 0))
    words = ["--input", "HR", "--root", "HR", "--meta_info", "list.txt"]
    assert program.main(["generate_meta_info", *words]) == 0
    line = printed_next(capsys.readouterr().out)
    assert " train --recipe auto " in line
    assert "train.py" not in line


def test_the_installed_package_names_its_own_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(next_steps, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", "")
    assert command_line("tools/infer.py").endswith(" -m realesrgan_paddle infer")

    installed = tmp_path / "bin/realesrgan-paddle"
    write_program(installed)
    print_next(next_line("training images", gt=Path("HR")))
    expected = f"next: {installed} train --recipe auto --dataroot_gt HR\n"
    assert capsys.readouterr().out == expected
    monkeypatch.setenv("PATH", str(installed.parent))
    assert command_line("tools/export_model.py") == "realesrgan-paddle export"


def write_program(path):
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "it's",
        '"q"',
        "$HOME `x` !",
        "a\nb\x1b[2J\\",
        "\u202egnp",
        "-é",
        "\udcff",
        "",
    ],
)
def test_bash_reads_the_very_words_and_the_terminal_none_of_them(text):
    line = shell_join([text])
    assert line.isprintable()
    printed = subprocess.run(
        ["bash", "-c", f"printf %s {line}"], check=True, capture_output=True
    ).stdout
    assert printed == text.encode("utf-8", "surrogateescape")
    if text == "\udcff":
        return  # YAML holds no bytes that are no text
    given = given_options(None, [override("datasets.train.dataroot_gt", text)])
    assert given["datasets"]["train"]["dataroot_gt"] == text


def test_a_run_is_resumed_by_its_own_options(tmp_path):
    line = next_line("interrupted run", config=tmp_path / "my run/config.yml")
    assert words_of(line)[2:] == [
        "--yml_path",
        str(tmp_path / "my run/config.yml"),
        "--auto_resume",
    ]
