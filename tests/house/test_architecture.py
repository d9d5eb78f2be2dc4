"""The rules of docs/architecture.md, kept by reading the source."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from places import ROOT

MAY_IMPORT = {
    "options": {"utils"},  # its errors only
    "utils": set(),
    "data": {"options", "utils"},
    "loss": {"options", "utils"},
    "models": {"options", "utils"},
}
FOLDERS = (*MAY_IMPORT, "tools", "realesrgan_paddle")
FULL_FOLDER = 15
"""Files of code that one folder may hold, `__init__.py` aside: more are not taken in at a glance."""


def files_of(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


SOURCES = [*sorted(ROOT.glob("*.py")), *files_of(*FOLDERS)]
ALL_FILES = [*SOURCES, *files_of("tests", "benchmarks")]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that the file imports."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return function.end_lineno - function.lineno + 1


def test_every_depth_is_read():
    depths = {len(path.relative_to(ROOT).parts) for path in files_of(*MAY_IMPORT)}
    assert depths >= {2, 3, 4}, "folders within folders are not looked at"


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder):
    for path in files_of(folder):
        ours = {
            name.split(".")[1]
            for name in imported(path)
            if name.startswith("realesrgan_paddle.")
        }
        extra = ours - MAY_IMPORT[folder] - {folder}
        assert not extra, (
            f"{name_of(path)} may not import {sorted(extra)}; see docs/architecture.md"
        )


def test_imports_are_qualified_and_named():
    for path in ALL_FILES:
        for name in imported(path):
            assert name.split(".")[0] not in (*MAY_IMPORT, "tools"), (
                f"{name_of(path)}: {name}: realesrgan_paddle.{name}"
            )
            assert not name.endswith(".*"), (
                f"{name_of(path)}: {name}: name what is imported"
            )


def test_files_and_functions_stay_small():
    for path in SOURCES:
        assert path.read_text(encoding="utf-8").count("\n") <= 400, name_of(path)
        for function in functions(path):
            assert length(function) <= 60, (
                f"{name_of(path)}: {function.name} has {length(function)} lines"
            )


def test_most_functions_are_under_40_lines():
    lengths = sorted(
        length(function) for path in SOURCES for function in functions(path)
    )
    assert lengths[int(0.95 * len(lengths))] < 40


def test_tools_are_thin():
    for path in files_of("tools"):
        assert path.read_text(encoding="utf-8").count("\n") < 60, name_of(path)


def test_no_folder_is_full():
    held = Counter(path.parent for path in ALL_FILES if path.name != "__init__.py")
    full = {
        name_of(folder): count for folder, count in held.items() if count > FULL_FOLDER
    }
    assert not full, "make rooms within rooms"


def test_each_room_says_in_one_sentence_what_it_is():
    for folder in {path.parent for path in files_of(*FOLDERS)}:
        text = ast.get_docstring(tree_of(folder / "__init__.py"))
        assert text and "\n" not in text and text.endswith("."), (
            f"{name_of(folder)}/__init__.py"
        )


def test_nothing_is_made_from_text():
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("exec", "eval", "__import__"), (
                    f"{name_of(path)}, line {node.lineno}"
                )
