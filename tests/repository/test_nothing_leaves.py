"""Commands open no socket, and leave no file outside their output, whatever they import."""

import os
import platform
import subprocess
import sys

import pytest
from places import ROOT, TESTS
from sample_runs import picture, tiny_options, write_yml
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
        reason="a filter of Linux's system calls",
    ),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images and weights, and beside it a home and a temporary folder."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    for i in range(2):
        write_image(folder / f"images/{i}.png", picture(48, 64, i))
    tensors = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(folder / "net.pdparams", {"params": tensors})
    return folder


def run_alone(place, script, *words):
    """Run a command that is killed if it opens a socket; it must leave nothing behind."""
    environment = os.environ | {
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "XDG_CACHE_HOME": str(place / "home/.cache"),
    }
    environment.pop("CI", None)  # some packages report only from where people work
    line = [sys.executable, TESTS / "helpers/no_network.py", sys.executable]
    done = subprocess.run(
        [*line, ROOT / script, *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cached = (place / "home/.cache").rglob("*")
    assert {path.name for path in cached} <= {"paddle", "dataset"}
    assert {path.name for path in (place / "home").iterdir()} <= {".cache", ".visualdl"}
    assert not any((place / "tmp").iterdir())


def test_engines_tell_nobody(place):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    export = ("--model_dir", "net.pdparams", "--save_inference_dir", "infer")
    run_alone(place, "tools/export_model.py", *export, "--onnx")
    for engine in ("onnxruntime", "openvino"):
        words = ("--input", "images", "--output", engine, "--model_path", "infer")
        run_alone(place, "tools/infer.py", *words, "--engine", engine)


@pytest.mark.slow
def test_commands_tell_nobody(place):
    options = tiny_options(place / "run")
    options["logger"]["use_tb_logger"] = True
    yml = str(write_yml(place, options))
    run_alone(place, "train.py", "--yml_path", yml)
    run_alone(place, "make_lq_data.py", "--yml_path", yml, "--save_dir", "lq")
    sub = ("--input", "images", "--output", "sub", "--crop_size", "32", "--step", "32")
    run_alone(place, "tools/extract_subimages.py", *sub)
    predict = ("--input", "images", "--output", "sr", "--model_path", "net.pdparams")
    run_alone(place, "tools/predict.py", *predict)
    models = ("--models", "mine=net.pdparams")
    compare = ("--input", "images", "--output", "page", *models)
    run_alone(place, "tools/compare.py", *compare)
    run_alone(
        place, "tools/evaluate.py", "--gt", "images", "--degrade", "bicubic", *models
    )
