"""Commands, links and file names on the pages are real; the guides' commands are run."""

import contextlib
import functools
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import sample_perceptual_metrics
from clips import picture_clip
from formulas import picture
from places import ROOT
from sample_runs import usable_ops
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle.__main__ import module_of
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.tools import quickstart
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams, write_pth

READMES = ("README.md", "README_CN.md")
GUIDES = ("docs/finetuning.md", "docs/training.md")
ROOMS = (
    "data",
    "inference",
    "loss",
    "models",
    "ops",
    "options",
    "realesrgan_paddle",
    "tools",
    "utils",
)
PAGES = [
    *READMES,
    "CONTRIBUTING.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    *(f"{room}/README.md" for room in ROOMS),
]
FOLDERS = (*ROOMS, "benchmarks", "docs", "tests")
COMMANDS = [
    "train.py",
    "make_lq_data.py",
    *(f"tools/{p.name}" for p in (ROOT / "tools").glob("[!_]*.py")),
]
BENCHMARKS = [str(p.relative_to(ROOT)) for p in (ROOT / "benchmarks").rglob("*.py")]

START = [
    "pip install -r requirements.txt",
    "realesrgan-paddle upscale match.mp4 inputs",
    "realesrgan-paddle tune match1.mp4 match2.mp4 --lq stream.mp4 --minutes 15",
    "realesrgan-paddle upscale stream.mp4 -m tuned/match1",
]
SET_UP = [
    "pip install -r requirements.txt && python tools/quickstart.py",
    "pip install -r requirements-dev.txt && python -m pytest",
]
# The command lines that the project promises to keep, word for word.
KEPT = [
    "python tools/convert_torch.py",
    "python tools/convert_torch.py --input X.pth --output X.pdparams",
    "python tools/extract_keyframes.py --input match.mp4 --output datasets/SoccerHR",
    "python tools/generate_meta_info.py --input datasets/A datasets/B"
    " --root datasets/ datasets/ --meta_info datasets/meta_Soccer.txt",
    "python make_lq_data.py --yml_path options/generate_lq_data.yml"
    " --save_dir datasets/LQ",
    "python train.py --yml_path options/train_realesrgan_x4plus.yml",
    "python tools/predict.py --input inputs --output results"
    " --model_path .../net_g_102500.pdparams --block 23",
    "python tools/export_model.py --model-dir .../net_g_102500.pdparams"
    " --save-inference-dir ./infer/ --block 23",
    "python tools/infer.py --input inputs --output results_infer --model_path ./infer",
]
QUICKSTART = "python tools/quickstart.py --video match.mp4"
# No script of this project is started by these lines.
NOT_OURS = [
    START[0],
    "pip install paddlepaddle==2.6.2 setuptools -e .",
    "pip install -r requirements-gpu.txt",
    "python -m pip install paddlepaddle-gpu"
    " -i https://www.paddlepaddle.org.cn/packages/stable/cu118/",
    "curl --create-dirs -Lo weights/vgg19.pdparams"
    " https://paddle-hapi.bj.bcebos.com/models/vgg19.pdparams",
    "pip install realesrgan-paddle[cpu]",
    # test_many_processes.py runs this launcher.
    "python -m paddle.distributed.launch --devices 0,1,2,3 train.py"
    " --yml_path options/finetune_realesrgan_x4plus.yml",
    "python -m paddle.distributed.launch --master 10.0.0.1:6170 --nnodes 2 --rank 0"
    " --devices 0,1,2,3 train.py --yml_path options/finetune_realesrgan_x4plus.yml",
]
# Checked like all others, but not run here.
NOT_RUN = [
    QUICKSTART,  # it takes minutes
    *START[2:],  # test_tune.py runs one
    # test_fit.py runs it; it needs larger images than those here.
    "python make_lq_data.py --yml_path options/generate_lq_broadcast.yml"
    " --input datasets/SoccerHR --fit datasets/Real --fit_report fit.png",
    # It downloads pictures and fits for minutes; test_generic.py has its parts.
    "python train.py --recipe auto --lq datasets/Poor",
]
# On the page, and in its place here: the RRDBNet trained before has 1 block.
REPLACED = {
    "...": "experiments/finetune_RealESRGANx4plus/models",
    "net_g_102500": "net_g_2",
    "--block 23": "--block 1",
    "released=RealESRGAN_x4plus": "released=X.pth",  # the guide compares another by name
    '"body.?.*", "body.1?.*"': '"body.0.rdb1.*"',
}

TINY_RUN = (
    f"cpu_ops={usable_ops()}",
    "gt_size=32",
    "queue_size=0",
    "datasets.train.batch_size_per_gpu=1",
    "datasets.train.num_worker_per_gpu=0",
    "path.pretrain_network_d=null",
    "train.perceptual_opt=null",
    "train.lpips_opt=null",
    "logger.print_freq=1",
)
TINY_RRDBNET = (
    "network_g.num_block=1",
    "network_g.num_feat=8",
    "network_g.num_grow_ch=4",
    "path.pretrain_network_g=X.pdparams",
)
TINY_SRVGG = ("network_g.num_conv=2", "network_g.num_feat=8")
TINY_DISCRIMINATOR = "network_d.num_feat=4"


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE
    )


def commands(page):
    """The lines of the page's bash blocks, without comments."""
    lines = [
        re.sub(r"(^|\s+)#.*", "", line)
        for block in blocks(page, "bash")
        for line in block.splitlines()
    ]
    return [line for line in lines if line]


def scripts_of(page):
    """Script and words of each command that starts a script of this project."""
    started = [line for line in commands(page) if line not in (*SET_UP, *NOT_OURS)]
    return list(map(script_of, started))


def script_of(line):
    """Script and words of a line that begins with `python` or the installed program."""
    program, name, *words = shlex.split(line)
    if program == "realesrgan-paddle":
        script = module_of(name).rpartition(".")[2]
        name = (
            f"tools/{script}.py"
            if (ROOT / f"tools/{script}.py").is_file()
            else f"{script}.py"
        )
    else:
        assert program == "python", line
    if name == "-m":
        module, *words = words
        name = f"{module.replace('.', '/')}.py"
    return [name, *words]


def code_in_first_column(page):
    """The code in the first column of the page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", text_of(page), re.MULTILINE)


def anchor(heading):
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def run_script(script, arguments):
    """Run a script of the checkout in this process; its exit code must be 0."""
    before, sys.argv = sys.argv, [script, *arguments]
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    finally:
        sys.argv = before
    assert not ended.value.code, [script, *arguments]


def tiny(script, arguments):
    """The arguments, and for a training the overrides that make it small."""
    if script != "train.py":
        return arguments
    changes = list(TINY_RUN)
    if "--minutes" not in arguments:  # that chooses the number of iterations itself
        changes.append("train.total_iter=2")
    if "--recipe" in arguments:
        return [*arguments, *changes]

    cfg = load_config(arguments[arguments.index("--yml_path") + 1])
    if cfg.network_g.type == "RRDBNet":
        changes += TINY_RRDBNET
    if "finetune_cpu" in cfg.name:
        changes += TINY_SRVGG
    if cfg.path.pretrain_network_g == "realesr-general-x4v3":
        changes.append("path.pretrain_network_g=Y.pdparams")
    if cfg.network_d and cfg.network_d.type == "UNetDiscriminatorSN":
        changes.append(TINY_DISCRIMINATOR)
    return [*arguments, *changes]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what a user brings: two videos, images, weights; tiny or of zeros."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "options").symlink_to(ROOT / "options")
    for name in ("match.mp4", "another_match.mp4"):
        picture_clip(folder / name, [scene(n, width=96, height=64) for n in range(3)])
    for name, size in (
        ("datasets/A/1.png", 64),
        ("datasets/B/2.png", 72),
        ("inputs/frame.png", 16),
    ):
        image = picture(name, (1, 3, size, size + 8))[0].transpose(1, 2, 0)
        write_image(folder / name, np.uint8(image * 255))
    write_tiny_weights(folder)
    return folder


def write_tiny_weights(folder):
    """Write what would be fetched: released networks of zeros, and VGG16 of a formula."""
    rrdbnet = RRDBNet(num_block=1, num_feat=8, num_grow_ch=4)
    write_pth(folder / "X.pth", {"params_ema": sample_weights(rrdbnet)})
    srvgg = SRVGGNetCompact(num_conv=2, num_feat=8)
    write_pdparams(folder / "Y.pdparams", {"params_ema": sample_weights(srvgg)})
    for name in ("RealESRGAN_x4plus", "realesr-animevideov3", "realesr-general-x4v3"):
        shapes = find(name).network.tensor_shapes()
        zeros = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
        write_pdparams(folder / f"weights/{name}.pdparams", {"params_ema": zeros})
    vgg16 = sample_perceptual_metrics.network("vgg") | sample_perceptual_metrics.dists()
    write_pdparams(folder / "weights/dists.pdparams", {"": vgg16})


@pytest.mark.paddle
def test_every_command_works_in_the_order_of_the_pages(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    lines = [line for page in ("README.md", *GUIDES) for line in commands(page)]
    ours = [line for line in lines if line not in (*SET_UP, *NOT_OURS, *NOT_RUN)]
    for line in dict.fromkeys(ours):
        for shown, used in REPLACED.items():
            line = line.replace(shown, used)
        script, *arguments = script_of(line)
        run_script(script, tiny(script, arguments))
    for written in (
        "results/frame_out.png",
        "infer/inference.pdmodel",
        "results_infer/frame_out.png",
        "compare/index.html",
    ):
        assert Path(written).is_file(), written


@pytest.mark.paddle
def test_the_python_example_works(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    (example,) = blocks("README.md", "python")
    exec(compile(example, "README.md", "exec"), {})
    assert Path("frame_x4.png").is_file()


def test_the_quickstart_takes_a_video(monkeypatch):
    taken = []
    monkeypatch.setattr(
        quickstart, "quickstart", lambda *arguments: taken.append(arguments) or ""
    )
    assert QUICKSTART in commands("README.md")
    assert quickstart.main(shlex.split(QUICKSTART)[2:]) == 0
    assert taken[0][:2] == (Path("match.mp4"), Path("quickstart"))


def test_two_commands_do_all_the_set_up_and_the_checks_run_the_second():
    for page in READMES:
        assert commands(page)[: len(START)] == START
        assert commands(page)[len(START) :][:2] == SET_UP
    checks = ROOT / ".ci" / "run"
    assert not checks.is_file() or SET_UP[1] in checks.read_text()


def test_both_readmes_show_the_same_commands_code_and_sections():
    assert commands("README.md") == commands("README_CN.md")
    without_comments = [
        [re.sub(r"\s+#.*", "", block) for block in blocks(page, "python")]
        for page in READMES
    ]
    assert without_comments[0] == without_comments[1]
    assert code_in_first_column("README.md") == code_in_first_column("README_CN.md")
    assert text_of("README.md").count("\n## ") == text_of("README_CN.md").count("\n## ")


def test_the_readme_has_the_command_lines_that_are_kept():
    assert set(KEPT) <= set(commands("README.md"))


@functools.cache
def flags_of(script):
    """The flags in a script's --help, written with underscores."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run_script(script, ["--help", "all"])
    return set(re.findall(r"--\w+", printed.getvalue()))


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_scripts_flags_and_options_that_exist(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for script, *arguments in scripts_of(page):
        assert script in (*COMMANDS, *BENCHMARKS), script
        if script in BENCHMARKS:
            continue
        for argument in arguments:
            if argument.startswith("--"):
                flag = "--" + argument.removeprefix("--").replace("-", "_")
                assert flag in flags_of(script), f"{script} {argument}"
        if script == "train.py" and "--yml_path" in arguments:
            overrides = [word for word in arguments if "=" in word]
            load_config(arguments[arguments.index("--yml_path") + 1], overrides)


@pytest.mark.parametrize("page", READMES)
def test_tables_name_every_command_and_option_file(page):
    cells = code_in_first_column(page)
    assert sorted(cell for cell in cells if cell.endswith(".py")) == sorted(COMMANDS)
    options = sorted(
        f"options/{path.name}" for path in (ROOT / "options").glob("*.yml")
    )
    assert sorted(cell for cell in cells if cell.endswith(".yml")) == options


@pytest.mark.parametrize("page", PAGES)
def test_links_images_and_file_names_lead_somewhere(page):
    text = text_of(page)
    for link in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
        link = "".join(link)
        if "://" in link:
            continue
        name, _, place = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.is_file(), link
        if place:
            headings = re.findall(
                r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE
            )
            assert place in map(anchor, headings), link
    if page == "CONTRIBUTING.md":
        return  # its worked example has a network that does not exist
    file = rf"(?<![\w/])(?:{'|'.join(FOLDERS)})/[\w/]+\.(?:md|py|yml)\b"
    for name in re.findall(file, text):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("room", ROOMS)
def test_files_that_a_room_names_are_in_it(room):
    known = {path.name for path in (ROOT / room).rglob("*.py")}
    known |= {path.name for path in ROOT.glob("*.py")}
    names = re.findall(r"`([a-z]\w+\.py)`", text_of(f"{room}/README.md"))
    assert names
    assert set(names) <= known, set(names) - known
