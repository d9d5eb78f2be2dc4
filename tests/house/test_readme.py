"""What the README and the guide tell a user to type is what is typed here."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import picture_clip
from formulas import picture
from places import ROOT
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.tools import quickstart
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams, write_pth

READMES = ("README.md", "README_CN.md")
GUIDE = "docs/finetuning.md"
PAGES = [
    *READMES,
    "CONTRIBUTING.md",
    "models/README.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
SCRIPTS = [
    "train.py",
    "make_lq_data.py",
    *(f"tools/{p.name}" for p in (ROOT / "tools").glob("[!_]*.py")),
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
    "python tools/generate_meta_info.py --input datasets/A datasets/B --root datasets/ datasets/"
    " --meta_info datasets/meta_Soccer.txt",
    "python make_lq_data.py --yml_path options/generate_lq_data.yml --save_dir datasets/LQ",
    "python train.py --yml_path options/train_realesrgan_x4plus.yml",
    "python tools/predict.py --input inputs --output results --model_path .../net_g_102500.pdparams --block 23",
    "python tools/export_model.py --model-dir .../net_g_102500.pdparams --save-inference-dir ./infer/ --block 23",
    "python tools/infer.py --input inputs --output results_infer --model_path ./infer",
]
# Not run here: the first takes minutes (its flags are checked), the others install,
# fetch, or want larger pictures.
QUICKSTART = "python tools/quickstart.py --video match.mp4"
OTHERS = [
    # test_fit.py runs it.
    "python make_lq_data.py --yml_path options/generate_lq_broadcast.yml --input datasets/SoccerHR --fit datasets/Real"
    " --fit_report fit.png",
    "pip install paddlepaddle==2.6.2 setuptools -e .",
    "pip install -r requirements-gpu.txt",
    "curl --create-dirs -Lo weights/vgg19.pdparams https://paddle-hapi.bj.bcebos.com/models/vgg19.pdparams",
    # test_many_processes.py runs this launcher.
    "python -m paddle.distributed.launch --devices 0,1,2,3 train.py --yml_path options/finetune_realesrgan_x4plus.yml",
    "python -m paddle.distributed.launch --master 10.0.0.1:6170 --nnodes 2 --rank 0 --devices 0,1,2,3 train.py"
    " --yml_path options/finetune_realesrgan_x4plus.yml",
]
# What a page says, and what is typed here: the network of the training before it, with
# 2 blocks.
TYPED = {
    ".../net_g_102500.pdparams": "experiments/finetune_RealESRGANx4plus/models/net_g_2.pdparams",
    "--block 23": "--block 2",
    '"body.?.*", "body.1?.*"': '"body.0.*"',
}

SMALL_TRAINING = (
    "gt_size=32",
    "queue_size=0",
    "datasets.train.batch_size_per_gpu=1",
    "datasets.train.num_worker_per_gpu=0",
    "network_d.num_feat=4",
    "path.pretrain_network_d=null",
    "train.perceptual_opt=null",
    "train.lpips_opt=null",
    "train.total_iter=2",
    "logger.print_freq=1",
)
SMALL_NETWORKS = ("animevideov3", "general_x4v3", "finetune_cpu", "--recipe")
SMALL_RRDBNET = (
    "network_g.num_block=2",
    "network_g.num_feat=8",
    "network_g.num_grow_ch=4",
    "path.pretrain_network_g=X.pdparams",
)


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE
    )


def commands(page):
    """The lines of the page's bash blocks, without comments."""
    lines = [
        re.sub(r"\s+#.*", "", line)
        for block in blocks(page, "bash")
        for line in block.splitlines()
    ]
    return [line for line in lines if line]


def scripts_of(page):
    return [
        line for line in commands(page) if line not in (*SET_UP, *OTHERS, QUICKSTART)
    ]


def first_cells(page):
    """The code in the first column of the page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", text_of(page), re.MULTILINE)


def anchor(heading):
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A checkout with what its user brings: two videos, images, and weights, all tiny or made of zeros."""
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("options", "tools", "train.py", "make_lq_data.py"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("match.mp4", "another_match.mp4"):
        picture_clip(folder / name, [scene(n, width=96, height=64) for n in range(3)])
    for name, size in (
        ("datasets/A/1.png", 64),
        ("datasets/B/2.png", 72),
        ("inputs/frame.png", 16),
    ):
        write_image(
            folder / name,
            np.uint8(picture(name, (1, 3, size, size + 8))[0].transpose(1, 2, 0) * 255),
        )
    tiny = RRDBNet(num_block=2, num_feat=8, num_grow_ch=4)
    write_pth(folder / "X.pth", {"params_ema": sample_weights(tiny)})
    for name in ("RealESRGAN_x4plus", "realesr-animevideov3", "realesr-general-x4v3"):
        spec = find(name).spec
        zeros = {
            key: np.zeros(shape, np.float32)
            for key, shape in spec.tensor_shapes().items()
        }
        write_pdparams(folder / f"weights/{name}.pdparams", {"params_ema": zeros})
    return folder


def type_in(line, monkeypatch):
    """Run a `python SCRIPT ...` line of a page, its training made small."""
    for said, typed in TYPED.items():
        line = line.replace(said, typed)
    _, *words = shlex.split(line)
    if words[0] == "train.py":
        small = any(name in line for name in SMALL_NETWORKS)
        words += SMALL_TRAINING if small else SMALL_TRAINING + SMALL_RRDBNET
        gan = not any(name in line for name in ("distill", "finetune_cpu", "--recipe"))
        words = [word for word in words if gan or not word.startswith("network_d.")]
        if "--minutes" in line:  # it chooses that
            words.remove("train.total_iter=2")
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(words[0], run_name="__main__")
    assert not ended.value.code, line


@pytest.mark.paddle
def test_every_command_works_in_the_order_of_the_pages(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    for line in dict.fromkeys([*scripts_of("README.md"), *scripts_of(GUIDE)]):
        type_in(line, monkeypatch)
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
    assert quickstart.main(shlex.split(QUICKSTART)[2:]) == 0
    assert taken[0][:2] == (Path("match.mp4"), Path("quickstart"))


@pytest.mark.parametrize("page", READMES)
def test_two_commands_do_all_the_set_up(page):
    assert commands(page)[:2] == SET_UP


def test_the_checks_run_the_second_command():
    checks = ROOT / ".ci" / "run"
    if not checks.is_file():
        pytest.skip("no .ci/run here")
    assert SET_UP[1] in checks.read_text()


def test_both_readmes_say_the_same_commands():
    assert commands("README.md") == commands("README_CN.md")
    without_comments = [
        [re.sub(r"\s+#.*", "", block) for block in blocks(page, "python")]
        for page in READMES
    ]
    assert without_comments[0] == without_comments[1]
    assert text_of("README.md").count("\n## ") == text_of("README_CN.md").count("\n## ")


def test_the_readme_holds_the_command_lines_that_are_kept():
    assert set(KEPT) <= set(commands("README.md"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_ones_that_exist(page):
    for line in scripts_of(page):
        words = shlex.split(line)
        assert words[0] == "python" and words[1] in SCRIPTS, line


@pytest.mark.parametrize("page", READMES)
def test_tables_name_every_command_and_option_file(page):
    cells = first_cells(page)
    assert sorted(cell for cell in cells if cell.endswith(".py")) == sorted(SCRIPTS)
    options = sorted(
        f"options/{path.name}" for path in (ROOT / "options").glob("*.yml")
    )
    assert sorted(cell for cell in cells if cell.endswith(".yml")) == options


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
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


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != "CONTRIBUTING.md"]
)  # it invents a network
def test_files_that_are_named_exist(page):
    for name in re.findall(
        r"(?<![\w/])(?:data|docs|loss|models|options|tests|tools|utils)/[\w/]+\.(?:md|py|yml)\b",
        text_of(page),
    ):
        assert (ROOT / name).is_file(), name
