"""Every command answers common mistakes with one line and exit code 1 or 2, and writes nothing."""

import importlib
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from places import ROOT
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils import cli
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

SCRIPTS = ("train", "make_lq_data")
TOOLS = [path.stem for path in sorted((ROOT / "tools").glob("[!_]*.py"))]
COMMANDS = [*SCRIPTS, *TOOLS]
TRAINING = {
    "name": "run",
    "model_type": "RealESRNetModel",
    "gt_size": 32,
    "queue_size": 0,
    "datasets": {
        "train": {
            "type": "RealESRGANDataset",
            "dataroot_gt": "images",
            "num_worker_per_gpu": 0,
        }
    },
    "network_g": {"type": "SRVGGNetCompact", "num_feat": 8, "num_conv": 2},
    "train": {"total_iter": 1, "optim_g": {"lr": 1e-4}, "pixel_opt": {}},
}
REQUIRED = {  # the flags that each command needs, with right values
    "train": "--yml_path train.yml",
    "make_lq_data": "--yml_path lq.yml --save_dir out",
    "compare": "--input images --models a=net.pdparams --output out",
    "convert_torch": "--input net.pdparams --output out.pdparams",
    "evaluate": "--models net.pdparams --gt images --degrade bicubic",
    "export_model": "--model_dir net.pdparams --save_inference_dir out",
    "extract_keyframes": "--input clip.mp4 --output out",
    "extract_clips": "--input clip.mp4 --output out",
    "build_domain_set": "--input images --output out",
    "extract_subimages": "--input images --output out",
    "generate_meta_info": "--input images --root . --meta_info out.txt",
    "generate_meta_info_pairdata": "--input images images --meta_info out.txt",
    "generate_multiscale": "--input images --output out",
    "infer": "--input images --output out --model_path exported",
    "plot_run": "--input run --output out.png",
    "predict": "--input images --output out --model_path net.pdparams",
    "preflight": "--input images",
    "quantize": "--model_path exported --calibration images",
    "quickstart": "--video clip.mp4 --output out",
    "upscale": "images --model_path net.pdparams",
    "tune": "clip.mp4",
    "doctor": "",
    "models": "",
}


@pytest.fixture(scope="module", autouse=True)
def workplace(tmp_path_factory):
    """A folder with a file and a folder of each kind that can be named by mistake."""
    folder = tmp_path_factory.mktemp("workplace")
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    for name in ("images/0.png", "images/1.png", "others/2.png", "others/3.png"):
        write_image(folder / name, pixels)
    for name in ("broken/0.png", "text.txt", "bad.pdparams", "clip.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"nonsense")
    (folder / "empty").mkdir()
    for name, spec in (
        ("net", SRVGGNetCompact(num_feat=8, num_conv=2)),
        ("net_d", UNetDiscriminatorSNOptions(num_feat=8)),
    ):
        write_pdparams(folder / f"{name}.pdparams", {"params": sample_weights(spec)})
    (folder / "train.yml").write_text(yaml.safe_dump(TRAINING))
    (folder / "lq.yml").write_text("dataroot_gt: images\n")
    (folder / "bad.yml").write_text("train: [1\n")
    return folder


@pytest.fixture
def answer(workplace, monkeypatch, capsys):
    """Run a command line; return its exit code and its error, without the program's name."""
    monkeypatch.chdir(workplace)
    handler = signal.getsignal(signal.SIGTERM)

    def _answer(line: str) -> tuple[int, str]:
        name, *argv = shlex.split(line)
        package = "" if name in SCRIPTS else "realesrgan_paddle.tools."
        main = importlib.import_module(package + name).main
        monkeypatch.setattr("sys.argv", [f"{name}.py"])

        before_it = snapshot(workplace)
        with pytest.raises(SystemExit) as ended:
            cli.run(lambda: main(argv))
        assert snapshot(workplace) == before_it, "something was written"

        errors = capsys.readouterr().err
        assert errors.count("\n") == 1, errors
        assert "Traceback" not in errors
        return ended.value.code, errors.partition("error: ")[2].rstrip("\n")

    yield _answer
    signal.signal(signal.SIGTERM, handler)


def snapshot(folder: Path) -> dict[Path, int]:
    """Return when each file and folder was last changed."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


RUN_WITHOUT_FLAGS = {"convert_torch", "quickstart", "doctor", "models"}
MISSING = ("the following arguments are required: --", "--yml_path FILE is needed")
WRONG_VALUES = {
    "make_lq_data": [
        "--seed -1",
        f"--seed {2**63}",
        f"--seed {'9' * 5000}",
    ],
    "compare": [
        "--crop 1,2,3",
        "--crop_size -1",
        "--tile x",
        "--tile_pad -1",
        "--device tpu",
        "--models net.pdparams",
    ],
    "convert_torch": ["--to onnx", "--layout caffe", "--name RealESRGAN_x4plus"],
    "evaluate": [
        "--seed -1",
        "--metrics psnrr",
        "--crop_border -1",
        "--size 0",
        "--scale 99",
        "--precision fp8",
        "--models =net.pdparams",
        "--gt =images",
    ],
    "export_model": ["--block 0"],
    "extract_keyframes": ["--interval -1"],
    "extract_clips": ["--num_frame 1", "--crop_size 8"],
    "extract_subimages": [
        "--crop_size -480",
        "--step 0",
        "--thresh_size -1",
        "--compression_level 10",
        "--n_thread 0",
    ],
    "generate_meta_info_pairdata": ["--input images"],
    "generate_multiscale": ["--n_thread -2"],
    "infer": [
        "--threads 0",
        "--tile -1",
        "--outscale 0",
        "--engine torch",
        "--precision fp8",
        "--max_pixels 0",
    ],
    "upscale": ["--outscale 0", "--tile -1"],
    "preflight": ["--scale 0", "--min_size 0"],
    "predict": [
        "--tile_pad -1",
        "--outscale -2",
        "--ext gif",
        "--suffix a/b",
        "--block 0",
    ],
    "quantize": ["--held_out 2", "--threads 0"],
    "quickstart": ["--iterations 0"],
    "tune": ["--minutes 1"],
}
MISTAKES = {
    # missing files and folders
    "train --yml_path nowhere.yml": "nowhere.yml: no such file",
    "train --yml_path train.yml datasets.train.meta_info=nowhere.txt": (
        "nowhere.txt: no such meta-info file"
    ),
    "make_lq_data --yml_path nowhere.yml --save_dir out": "nowhere.yml: no such file",
    "make_lq_data --yml_path lq.yml --save_dir out --input nowhere": (
        "nowhere: not a folder"
    ),
    "compare --input nowhere --models a=net.pdparams --output out": (
        "nowhere: no such file or folder"
    ),
    "compare --input images --models a=nowhere --output out": (
        "nowhere: no such file, and no released model"
    ),
    "compare --input images --models a=net.pdparams --gt nowhere --output out": (
        "nowhere: not a folder"
    ),
    "convert_torch --input nowhere.pth": "nowhere.pth: no such file",
    "convert_torch --name RealESRGAN_x5plus": "did you mean 'RealESRGAN_x4plus'?",
    "evaluate --models bicubic --gt nowhere --degrade bicubic": (
        "nowhere: no such file or folder"
    ),
    "evaluate --models bicubic --gt images --input nowhere": (
        "nowhere: no such file or folder"
    ),
    "evaluate --models nowhere --gt images --degrade bicubic": (
        "nowhere: no such file, and no released model"
    ),
    "evaluate --models bicubic --gt images --degrade bicubc": (
        "--degrade bicubc: no such file; bicubic, or an option file such as "
        "options/generate_lq_data.yml; did you mean 'bicubic'?"
    ),
    "export_model --model_dir nowhere": (
        "nowhere: no such file, and no released model of this name"
    ),
    "extract_keyframes --input nowhere.mp4 --output out": (
        "nowhere.mp4: no such file or folder"
    ),
    "extract_subimages --input nowhere --output out": "nowhere: not a folder",
    "generate_meta_info --input nowhere --root . --meta_info out.txt": (
        "nowhere: not a folder"
    ),
    "generate_meta_info_pairdata --input images nowhere --meta_info out.txt": (
        "nowhere: not a folder"
    ),
    "generate_multiscale --input nowhere --output out": "nowhere: not a folder",
    "upscale images -m nowhere --engine onnxruntime": (
        "nowhere: no such file, and no released model of this name"
    ),
    "infer --input nowhere --output out": "nowhere: no such file or folder",
    "infer --input images --output out --model_path nowhere": (
        "nowhere/inference.pdmodel: no such file"
    ),
    "plot_run --input nowhere": "nowhere: no such file",
    "preflight --yml_path nowhere.yml": "nowhere.yml: no such file",
    "preflight --input nowhere": "nowhere: not a folder",
    "preflight --input empty": "empty: no images in it",
    "preflight --input images --lq empty": (
        "empty/0.png: no such file, and none of the 2 pairs is complete"
    ),
    "predict --input nowhere --output out --model_path net.pdparams": (
        "nowhere: no such file or folder"
    ),
    "predict --input images --output out --model_path nowhere": (
        "nowhere: no such file, and no released model"
    ),
    "quickstart --video nowhere.mp4 --output out": (
        "nowhere.mp4: no such file or folder"
    ),
    # a folder where a file belongs, or a file where a folder does
    "train --yml_path images": "images: a folder; name a yml file",
    "train --yml_path train.yml datasets.train.dataroot_gt=text.txt": (
        "text.txt: not a folder"
    ),
    "train --yml_path train.yml datasets.train.meta_info=images": (
        "images: a folder; name a meta-info file"
    ),
    "train --yml_path train.yml path.pretrain_network_g=images": (
        "images: 0 weight files (none); name one file"
    ),
    "make_lq_data --yml_path images --save_dir out": (
        "images: a folder; name a yml file"
    ),
    "make_lq_data --yml_path lq.yml --save_dir out --input text.txt": (
        "text.txt: not a folder"
    ),
    "convert_torch --input images": "images: a folder; name the weight file inside it",
    "export_model --model_dir images": "images: 0 weight files (none)",
    "extract_subimages --input text.txt --output out": "text.txt: not a folder",
    "generate_meta_info --input text.txt --root . --meta_info out.txt": (
        "text.txt: not a folder"
    ),
    "generate_meta_info_pairdata --input images text.txt --meta_info out.txt": (
        "text.txt: not a folder"
    ),
    "generate_multiscale --input text.txt --output out": "text.txt: not a folder",
    "compare --input images --models a=net.pdparams --gt text.txt --output out": (
        "text.txt: not a folder"
    ),
    # empty folders
    "train --yml_path train.yml datasets.train.dataroot_gt=empty": (
        "empty: no images in it"
    ),
    "make_lq_data --yml_path lq.yml --save_dir out --input empty": (
        "empty: no images in it"
    ),
    "compare --input empty --models a=net.pdparams --output out": (
        "empty: no images in this folder"
    ),
    "compare --input images --models a=net.pdparams --gt empty --output out": (
        "empty: no image here is named like an"
    ),
    "extract_keyframes --input empty --output out": "empty: no videos in this folder",
    "extract_clips --input empty --output out": "empty: no videos in this folder",
    "extract_clips --input clip.mp4 --output text.txt": "text.txt: not a folder",
    "extract_subimages --input empty --output out": "empty: no images in it",
    "generate_meta_info --input empty --root . --meta_info out.txt": (
        "empty: no readable images to name"
    ),
    "generate_meta_info_pairdata --input empty empty --meta_info out.txt": (
        "empty: no images in it"
    ),
    "generate_meta_info_pairdata --input images empty --meta_info out.txt": (
        "images holds 2 images and empty 0"
    ),
    "generate_multiscale --input empty --output out": "empty: no images in it",
    "infer --input empty --output out": "empty: no images in this folder",
    "plot_run --input empty": "empty/metrics.jsonl: no such file",
    "predict --input empty --output out --model_path net.pdparams": (
        "empty: no images in this folder"
    ),
    # damaged files, and files of another kind
    "train --yml_path bad.yml": "bad.yml: line 2:",
    "train --yml_path text.txt": "text.txt: holds no 'key: value' lines",
    "train --yml_path train.yml path.pretrain_network_g=bad.pdparams": (
        "bad.pdparams: no weight file"
    ),
    "train --yml_path train.yml path.pretrain_network_g=net_d.pdparams": (
        "net_d.pdparams: do not fit SRVGGNetCompact"
    ),
    "train --yml_path train.yml path.resume_state=bad.pdparams": (
        "bad.pdparams: no weight file"
    ),
    "compare --input broken --models a=net.pdparams --output out": (
        "broken/0.png: not a readable image"
    ),
    "compare --input images --models a=bad.pdparams --output out": (
        "bad.pdparams: no weight file"
    ),
    "compare --input images --models a=net_d.pdparams --output out": (
        "a generator is needed"
    ),
    "convert_torch --input text.txt": "text.txt: no weight file",
    "export_model --model_dir bad.pdparams": "bad.pdparams: no weight file",
    "export_model --model_dir net_d.pdparams": "a generator is needed",
    "generate_meta_info --input broken --root . --meta_info out.txt --check": (
        "(such as broken/0.png: not"
    ),
    "infer --input images --output out --model_path net.pdparams": (
        "net.pdparams: not an exported model"
    ),
    "predict --input images --output out --model_path net_d.pdparams": (
        "a generator is needed"
    ),
    "evaluate --models bad.pdparams --gt images --degrade bicubic": (
        "bad.pdparams: no weight file"
    ),
    "evaluate --models bicubic --gt broken --degrade bicubic": (
        "no image could be measured: broken/0.png: not a readable image"
    ),
    "evaluate --models bicubic --gt images --degrade bad.yml": "bad.yml: line 2:",
    # impossible outputs
    "evaluate --models bicubic --gt images --degrade bicubic --json others": (
        "others: is a folder; name a file to write"
    ),
    "train --yml_path train.yml path.experiments_root=text.txt": (
        "text.txt: not a folder"
    ),
    "make_lq_data --yml_path lq.yml --save_dir text.txt": "text.txt: not a folder",
    "make_lq_data --yml_path lq.yml --save_dir images": (
        "images: the results would join the images of images"
    ),
    "make_lq_data --yml_path lq.yml --save_dir out --meta_info images": (
        "images: is a folder; name a file to write"
    ),
    "compare --input images --models a=net.pdparams --output text.txt": (
        "text.txt: not a folder"
    ),
    "convert_torch --input net.pdparams --output text.txt": (
        "--output text.txt: the suffix must be one of .pdparams"
    ),
    "export_model --model_dir net.pdparams --save_inference_dir text.txt": (
        "text.txt: is a file; name a folder"
    ),
    "extract_keyframes --input clip.mp4 --output text.txt": "text.txt: not a folder",
    "extract_subimages --input images --output text.txt": "text.txt: not a folder",
    "extract_subimages --input images --output images/sub": (
        "images/sub: the results would join the images of images"
    ),
    "generate_meta_info --input images --root . --meta_info others": (
        "others: is a folder; name a file to write"
    ),
    "generate_meta_info --input images --root . --meta_info text.txt/out.txt": (
        "text.txt: not a folder"
    ),
    "generate_meta_info_pairdata --input images images --meta_info others": (
        "others: is a folder; name a file to write"
    ),
    "generate_multiscale --input images --output text.txt": "text.txt: not a folder",
    "generate_multiscale --input images --output images": (
        "images: the results would join the images of images"
    ),
    "predict --input images --output text.txt --model_path net.pdparams": (
        "text.txt: not a folder"
    ),
    "quantize --calibration images --model_path net.pdparams": "not an exported model",
    "quantize --calibration nowhere --model_path exported": "nowhere: not a folder",
    "quickstart --video clip.mp4 --output text.txt": "text.txt: not a folder",
    # contradictions
    "train --yml_path train.yml train.total_iter=-1": (
        "'train.total_iter' is -1, expected greater than or equal to 1"
    ),
    "train --yml_path train.yml totl_iter=3": "unknown key 'totl_iter'",
    "compare --input images --models a=net.pdparams --crop 90,90,20,20": (
        "the crop 90,90,20,20 is partly outside"
    ),
    "compare --input images --models a=net.pdparams a=net.pdparams": (
        "two columns cannot be named 'a'"
    ),
    "compare --input images --models a=net.pdparams --gt images": (
        "32x32 pixels are not 4 times the 32x32"
    ),
    "evaluate --models bicubic bicubic --gt images --degrade bicubic": (
        "--models: two are named 'bicubic'"
    ),
    "evaluate --models bicubic --gt images images --degrade bicubic": (
        "--gt: two are named 'images'"
    ),
    "evaluate --models bicubic --gt images --input images": (
        "32x32 pixels are not 4 times the 32x32 of images/0.png"
    ),
    "evaluate --models bicubic --gt images --input others": (
        "images: no image is named like one of others, such as 2.png"
    ),
    "evaluate --models bicubic --gt images --degrade lq.yml --scale 2": (
        "lq.yml: degrades to a scale of 4, and 2 is measured"
    ),
    "export_model --model_dir net.pdparams --block 23": (
        "--block 23 contradicts the file"
    ),
    "generate_meta_info --input images --root empty --meta_info out.txt": (
        "images/0.png: not inside its root empty"
    ),
    "generate_meta_info --input images --root . . . --meta_info out.txt": (
        "--root: 3 given for 1 inputs"
    ),
    "generate_meta_info_pairdata --input images others --meta_info out.txt": (
        "would be a pair, but their names differ"
    ),
    "upscale nowhere": "nowhere: no such file or folder",
    "upscale images --model x4pluss": "did you mean 'x4plus'?",
    "upscale images --model net.pdparams --output out.png": "is named like a file",
    "predict --input images --output out --model_path net.pdparams --block 6": (
        "--block 6 contradicts the file"
    ),
}


def test_every_command_is_tested():
    assert set(REQUIRED) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_missing_and_wrong_flags_are_named(answer, command):
    right = f"{command} {REQUIRED[command]}"
    assert answer(f"{right} --zzz 3") == (2, "unknown flag '--zzz' (see --help)")
    if command not in RUN_WITHOUT_FLAGS:
        code, message = answer(command)
        assert code == 2
        assert message.startswith(MISSING)

    for flag in WRONG_VALUES.get(command, []):
        code, message = answer(f"{right} {flag}")
        assert code == 2, flag
        named = f"argument {flag.split()[0]}"
        assert message.startswith((f"{named}: ", f"{named}/")), "with its spellings"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_is_one_line(answer, command):
    for line, expected in MISTAKES.items():
        if line.split()[0] == command:
            code, message = answer(line)
            assert code == 1, line
            assert expected in message
