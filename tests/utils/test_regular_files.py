"""Pipes, sockets and devices in place of files: refused at once, never waited for."""

import os
import shlex
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from places import ROOT

from realesrgan_paddle.data.sets.meta_info import check_image, read_meta_info
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.options.reading.read_yaml import read_yaml
from realesrgan_paddle.utils import files
from realesrgan_paddle.utils.download import sha256_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.files import open_regular, read_regular
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.runlog.curves import read_curves
from realesrgan_paddle.utils.weights.reader import read_safetensors, read_weights

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")

SPECIAL = ("pipe", "socket", "zero")


def make_special(path: Path, kind: str) -> Path:
    """Put a pipe, a socket, or a link to a device that never ends, at `path`."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # A socket's whole path may have 107 bytes only, so it is named from its folder.
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(before)
    else:
        path.symlink_to("/dev/zero")
    return path


SECONDS = 60
"""Far more than a command takes that only refuses a file."""

COMMANDS = {
    "train.py --yml_path": "x.yml",
    "train.py --recipe auto --dry_run --dataroot_gt": "x.png",
    "make_lq_data.py --save_dir out --yml_path": "x.yml",
    "tools/build_domain_set.py --output out --input": "x.mkv",
    "tools/convert_torch.py --output out.pdparams --input": "x.pth",
    "tools/export_model.py --save_inference_dir out --model_dir": "x.pdparams",
    "tools/extract_keyframes.py --output out --input": "x.mkv",
    "tools/infer.py --input . --output out --model_path": "x.pdmodel",
    "tools/plot_run.py --output out.png --input": "metrics.jsonl",
    "tools/predict.py --input . --output out --model_path": "x.safetensors",
    "tools/predict.py --output out --model_path net.pdparams --input": "x.png",
    "tools/preflight.py --yml_path": "x.yml",
    "tools/quickstart.py --output out --video": "x.mkv",
}
"""What each command reads, by the words before it."""


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    assert read_regular(tmp_path / "a") == b"content"
    with open_regular(str(tmp_path / "a")) as file:
        assert file.read(3) == b"con"


def test_a_missing_file_and_a_folder_are_the_errors_of_open(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


def test_other_files_are_refused(tmp_path):
    for kind in SPECIAL:
        path = make_special(tmp_path / kind, kind)
        message = rf"{kind}: a .*; only regular files are read"
        with pytest.raises(UserError, match=message):
            open_regular(path)


def test_a_pipe_that_takes_the_place_of_a_file_is_refused(tmp_path, monkeypatch):
    path = make_special(tmp_path / "x", "pipe")
    monkeypatch.setattr(files, "check_regular", lambda path: None)
    with pytest.raises(UserError, match="x: a named pipe; only regular files are read"):
        open_regular(path)


READERS = [
    (check_image, "x.png"),
    (probe, "x.mkv"),
    (read_checked_header, "x.png"),
    (partial(read_curves, run="x"), "metrics.jsonl"),
    (read_image, "x.png"),
    (read_meta_info, "x.txt"),
    (read_ncnn, "x.param"),
    (read_safetensors, "1.state"),
    (read_weights, "x.pth"),
    (read_yaml, "x.yml"),
    (sha256_of, "x.part"),
]


@pytest.fixture
def time_limit():
    """Ends a reader that waits."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("time_limit")
def test_every_reader_refuses_them(tmp_path):
    for read, name in READERS:
        for kind in SPECIAL:
            (tmp_path / kind).mkdir(exist_ok=True)
            path = make_special(tmp_path / kind / name, kind)
            path.with_suffix(".bin").touch()  # the other half of an ncnn pair
            message = rf"{name}: a .*; only regular files are read"
            with pytest.raises(UserError, match=message):
                read(path)
            path.unlink()


@pytest.mark.slow
@pytest.mark.paddle
@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_waits_for_a_pipe(tmp_path, words):
    path = make_special(tmp_path / COMMANDS[words], "pipe")
    script, *flags = shlex.split(words)
    command = [sys.executable, str(ROOT / script), *flags, path.name]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert Path(tmp_path, "out").exists() is False
