"""Data files are read from source archives without running anything of them."""

import hashlib
import io
import tarfile

import pytest

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.packages import PackageFile, read_sdist

DATA = b"numbers"
FILE = PackageFile("some_weights/data.bin", hashlib.sha256(DATA).hexdigest(), len(DATA))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A local package index; the file that its setup.py would make, and its sha256."""
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


def test_a_file_is_read_from_a_source_archive_without_running_it(index):
    trace, sha256 = index
    assert read_sdist("some-weights", "1.0", sha256, [FILE]) == {FILE: DATA}
    assert not trace.exists()


def test_an_archive_of_another_hash_is_refused(index):
    trace, sha256 = index
    with pytest.raises(UserError, match=r"pip could not download some-weights==1\.0"):
        read_sdist("some-weights", "1.0", sha256[::-1], [FILE])
    assert not trace.exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            PackageFile("some_weights/other.bin", FILE.sha256, FILE.size),
            "has 0 bytes there, not 7",
        ),
        (PackageFile(FILE.path, FILE.sha256, 8), "has 7 bytes there, not 8"),
        (PackageFile(FILE.path, "0" * 64, FILE.size), "is not the known file"),
    ],
)
def test_a_missing_or_changed_file_is_refused(index, file, message):
    with pytest.raises(UserError, match=message):
        read_sdist("some-weights", "1.0", index[1], [file])


def test_a_missing_package_is_an_error_with_pips_reason(index):
    with pytest.raises(
        UserError,
        match=r"pip could not download no-weights==1\.0 \(No matching distribution",
    ):
        read_sdist("no-weights", "1.0", index[1], [FILE])
