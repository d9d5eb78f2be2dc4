"""Pipes, sockets and devices in place of files: refused at once, never waited for."""

import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from realesrgan_paddle.data.sets.meta_info import check_image, read_meta_info
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.options.reading.read_yaml import read_yaml
from realesrgan_paddle.utils import files
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.files import open_regular, read_regular, sha256_of
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
