"""pyproject.toml and the requirements declare what the source has and imports."""

import ast
import importlib
import itertools
import re
import sys

import pytest
from places import ROOT

import realesrgan_paddle

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = [*PROJECT["dependencies"], *itertools.chain(*EXTRAS.values())]
FOLDERS = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
PACKAGES = sorted(
    path.parent for folder in FOLDERS for path in folder.rglob("__init__.py")
)
SOURCES = [path for folder in FOLDERS for path in folder.rglob("*.py")]
# Modules whose distribution has another name.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "ffmpeg": "ffmpeg-python",
    "google": "protobuf",
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


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def imported_distributions():
    found = set()
    for path in [*ROOT.glob("*.py"), *SOURCES]:
        found |= {module.split(".")[0] for module in imported_modules(path)}
    foreign = found - sys.stdlib_module_names - {"realesrgan_paddle"}
    return {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in foreign}


def package(folder):
    """Return the name under which a folder of the checkout is imported."""
    parts = folder.relative_to(ROOT).parts
    inner = [part for part in parts if part != "realesrgan_paddle"]
    return ".".join(["realesrgan_paddle", *inner])


def test_every_folder_of_code_is_a_package_of_the_wheel():
    setuptools = PYPROJECT["tool"]["setuptools"]
    folders = {package(folder): folder.name for folder in FOLDERS}
    assert setuptools["package-dir"] == folders
    assert setuptools["packages"] == sorted(map(package, PACKAGES))
    lost = [path for path in SOURCES if path.parent not in PACKAGES]
    assert not lost, "without an __init__.py their folder is not in the wheel"


def test_every_package_can_be_imported():
    for folder in PACKAGES:
        assert importlib.import_module(package(folder)).__doc__


def test_data_files_are_in_the_wheel():
    data = {}
    for folder in PACKAGES:
        suffixes = {path.suffix for path in folder.iterdir() if path.is_file()}
        suffixes -= {".py", ".md"}
        if suffixes:
            data[package(folder)] = sorted(f"*{suffix}" for suffix in suffixes)
    assert PYPROJECT["tool"]["setuptools"]["package-data"] == data


def test_imports_and_requirements_are_the_same():
    required = {distribution(line) for line in REQUIRED}
    required -= set(itertools.chain(*PADDLE.values()))
    required -= set(map(distribution, EXTRAS["docs"]))  # run, not imported
    assert imported_distributions() - {"paddle"} == required


def test_the_package_has_the_declared_version():
    assert PROJECT["version"] == realesrgan_paddle.__version__


def test_the_command_of_the_wheel_exists():
    for target in PROJECT["scripts"].values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(("name", "paddle"), PADDLE.items())
def test_requirements_add_one_paddle_and_the_checkout(name, paddle):
    assert [distribution(line) for line in requirements(name)[:-1]] == paddle
    assert requirements(name)[-1] == "-e .[video]"
    extra = "gpu" if "gpu" in name else "cpu"
    assert [*requirements(name)[:-1], *EXTRAS["video"]] == EXTRAS[extra]


def test_test_requirements_begin_with_the_others():
    assert requirements("requirements-dev.txt")[0] == "-r requirements.txt"


def test_every_dependency_has_a_reason_and_a_license():
    declared = [
        *REQUIRED,
        *PADDLE["requirements.txt"],
        *PADDLE["requirements-gpu.txt"],
        *requirements("requirements-dev.txt")[1:],
        *PYPROJECT["build-system"]["requires"],
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]{10,} \| [^|]{3,} \|$", page, re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert described == set(map(distribution, declared))
