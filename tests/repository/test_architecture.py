"""The rules of docs/architecture.md that ruff cannot check: who may import whom."""

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

MAY_IMPORT = {
    "utils": set(),
    "ops": {"utils"},
    "models": {"ops", "utils"},
    "inference": {"models", "ops", "utils"},
    "options": {"models", "utils"},
    "data": {"options", "utils"},
    "loss": {"options", "ops", "utils"},
}
"""Each room -> those below it. `realesrgan_paddle/`, `tools/` and scripts import all."""
NOT_IMPORTED = {"train", "make_lq_data", "tools"}
LONGEST_FILE = 400

FOLDERS = (*MAY_IMPORT, "realesrgan_paddle", "tools")
SCRIPTS = sorted(ROOT.glob("*.py"))
SOURCES = sorted(
    [*SCRIPTS, *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
)


def module_of(path: Path) -> str:
    """Return a file's module as the rules call it: without `realesrgan_paddle.`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "realesrgan_paddle":
        parts = parts[1:]
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in SOURCES}


@cache
def imports_of(module: str) -> set[str]:
    """Return the project's modules that a module imports, anywhere in its file."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    own = {name.removeprefix("realesrgan_paddle.") for name in names}
    return own & MODULES.keys() - {module}


def circle_in(arrows: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room):
    allowed = MAY_IMPORT[room] | {room}
    for module in MODULES:
        if module.split(".")[0] != room:
            continue
        for name in imports_of(module):
            assert name.split(".")[0] in allowed, (
                f"{module} may not import {name}; see docs/architecture.md"
            )


def test_nothing_imports_the_commands():
    for module in MODULES:
        for name in imports_of(module):
            is_command = name.split(".")[0] in NOT_IMPORTED
            assert not is_command or name == "tools", f"{module} imports {name}"


def test_no_file_imports_itself_by_way_of_others():
    circle = circle_in({module: imports_of(module) for module in MODULES})
    assert not circle, " -> ".join(circle)


def test_folders_side_by_side_do_not_import_each_other_both_ways():
    """Also by way of a third: folders of one room are read in one order."""
    arrows = defaultdict(lambda: defaultdict(set))
    for module in MODULES:
        for name in imports_of(module):
            here, there = module.split("."), name.split(".")
            depth = next(
                (
                    i
                    for i, pair in enumerate(zip(here, there, strict=False))
                    if pair[0] != pair[1]
                ),
                None,
            )
            if depth is None or max(len(here), len(there)) == depth + 1:
                continue
            room = ".".join(here[:depth])
            if len(here) > depth + 1 and len(there) > depth + 1:
                arrows[room][here[depth]].add(there[depth])
    for room, inside in arrows.items():
        circle = circle_in(inside)
        assert not circle, f"{room or 'top'}: " + " -> ".join(circle)


def test_scripts_leave_opencv_to_the_package():
    """`realesrgan_paddle/__init__.py` sets its limit of pixels before it is imported."""
    for path in [*SCRIPTS, *(ROOT / "tools").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
        assert "cv2" not in {alias.name for node in imports for alias in node.names}


def test_files_stay_small():
    for path in SOURCES:
        length = path.read_text(encoding="utf-8").count("\n")
        assert length <= LONGEST_FILE, f"{path}: {length} lines"
