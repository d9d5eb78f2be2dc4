"""What pyproject.toml and the requirements declare is what the source has and imports."""

import ast
import importlib
import re
import sys

import pytest
from places import ROOT

import realesrgan_paddle

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = [
    line
    for lines in PYPROJECT["project"]["optional-dependencies"].values()
    for line in lines
]
FOLDERS = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
ROOMS = sorted(
    path.parent for folder in FOLDERS for path in folder.rglob("__init__.py")
)
# Import names that pip knows by another.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "ffmpeg": "ffmpeg-python",
    "pydantic_core": "pydantic",  # which requires one version of it
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}
PADDLE = {
    "requirements.txt": ["paddlepaddle"],
    "requirements-gpu.txt": ["paddlepaddle-gpu", "setuptools"],
}


def requirements(name):
    """The lines of a requirements file, without comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def distribution(requirement):
    return re.match(r"[\w.-]+", requirement)[0]


def imported_distributions():
    found = set()
    for path in [
        *ROOT.glob("*.py"),
        *(path for folder in FOLDERS for path in folder.rglob("*.py")),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            found |= {name.split(".")[0] for name in names}
    foreign = found - sys.stdlib_module_names - {"realesrgan_paddle"}
    return {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in foreign}


def package(folder):
    """The name under which a folder of the checkout is imported."""
    parts = [
        part for part in folder.relative_to(ROOT).parts if part != "realesrgan_paddle"
    ]
    return ".".join(["realesrgan_paddle", *parts])


def test_every_folder_of_code_is_a_package_of_the_wheel():
    setuptools = PYPROJECT["tool"]["setuptools"]
    assert setuptools["package-dir"] == {
        package(folder): folder.name for folder in FOLDERS
    }
    assert setuptools["packages"] == sorted(package(room) for room in ROOMS)
    lost = [
        path
        for folder in FOLDERS
        for path in folder.rglob("*.py")
        if path.parent not in ROOMS
    ]
    assert not lost, "without an __init__.py their folder is not in the wheel"


def test_every_package_can_be_imported():
    for room in ROOMS:
        assert importlib.import_module(package(room)).__doc__


def test_files_of_code_folders_that_are_no_code_are_in_the_wheel():
    suffixes = {
        room: {p.suffix for p in room.iterdir() if p.is_file()} - {".py", ".md"}
        for room in ROOMS
    }
    declared = PYPROJECT["tool"]["setuptools"]["package-data"]
    assert {
        package(room): sorted(f"*{s}" for s in found)
        for room, found in suffixes.items()
        if found
    } == declared


def test_what_is_imported_is_required_and_the_other_way_round():
    required = {
        distribution(line)
        for line in [*PYPROJECT["project"]["dependencies"], *OPTIONAL]
    }
    assert imported_distributions() - {"paddle"} == required


def test_the_version_is_one():
    assert PYPROJECT["project"]["version"] == realesrgan_paddle.__version__


def test_the_command_of_the_wheel_exists():
    for target in PYPROJECT["project"]["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(("name", "paddle"), PADDLE.items())
def test_requirements_add_one_paddle_and_the_checkout(name, paddle):
    assert [distribution(line) for line in requirements(name)[:-1]] == paddle
    assert requirements(name)[-1] == "-e ."


def test_test_requirements_begin_with_the_others():
    assert requirements("requirements-dev.txt")[0] == "-r requirements.txt"


def test_every_dependency_has_a_reason_and_a_licence():
    lines = [
        *PYPROJECT["project"]["dependencies"],
        *OPTIONAL,
        *PADDLE["requirements.txt"],
        *PADDLE["requirements-gpu.txt"],
        *requirements("requirements-dev.txt")[1:],
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]{10,} \| [^|]{3,} \|$", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert named == {
        distribution(line) for line in [*lines, *PYPROJECT["build-system"]["requires"]]
    }
