"""The rules of docs/architecture.md, kept by reading the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("options", "utils", "data", "loss", "models")
MAY_IMPORT = {
    "options": {"utils"},  # its errors only
    "utils": set(),
    "data": {"options", "utils"},
    "loss": {"options", "utils"},
    "models": {"options", "utils"},
}
CODE = [*ROOT.glob("*.py"), *(p for f in (*FOLDERS, "tools", "realesrgan_paddle") for p in (ROOT / f).rglob("*.py"))]
SOURCES = sorted(p for p in CODE if "__pycache__" not in p.parts)
ALL_FILES = SOURCES + sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name in FOLDERS], ids=name_of)
def test_imports_point_one_way(path: Path):
    folder = path.relative_to(ROOT).parts[0]
    ours = {n.split(".")[1] for n in imported(ast.parse(path.read_text())) if n.startswith("realesrgan_paddle.")}
    extra = ours - MAY_IMPORT[folder] - {folder}
    assert not extra, f"{folder}/ may not import {sorted(extra)}; see docs/architecture.md"


@pytest.mark.parametrize("path", ALL_FILES, ids=name_of)
def test_imports_are_qualified_and_named(path: Path):
    for name in imported(ast.parse(path.read_text())):
        first = name.split(".")[0]
        assert first not in (*FOLDERS, "tools"), f"{name}: write realesrgan_paddle.{name}"
        assert not name.endswith(".*"), f"{name}: name what is imported"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_stay_small(path: Path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for function in functions(ast.parse(text)):
        length = function.end_lineno - function.lineno + 1
        assert length <= 60, f"{function.name} has {length} lines"


def test_most_functions_are_under_40_lines():
    lengths = sorted(f.end_lineno - f.lineno + 1 for p in SOURCES for f in functions(ast.parse(p.read_text())))
    assert lengths[int(0.95 * len(lengths))] < 40


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_and_public_functions_are_documented(path: Path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no module docstring"
    for node in [*functions(tree), *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))]:
        if not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_magic(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("exec", "eval", "__import__"), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"


@pytest.mark.parametrize("path", sorted((ROOT / "tools").glob("*.py")), ids=name_of)
def test_tools_are_thin(path: Path):
    assert path.read_text().count("\n") < 60
