"""The rules of docs/architecture.md that ruff cannot check: who may import whom, and size."""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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
ALSO_ALLOWED = {
    "options/schema/networks.py": "models.networks.",  # networks describe their options
}
"""The one file of a folder that may import more, and what."""
FOLDERS = (*MAY_IMPORT, "tools", "realesrgan_paddle")

FULL_FOLDER = 15
"""Code files in a folder, without `__init__.py`: more cannot be taken in at a glance."""
FULL_FOLDERS = {
    ROOT / "tools": "one script per command: users look for a command in one place",
}
"""Each fuller folder -> why dividing it would hurt."""
LONGEST_FILE = 400
LONGEST_TOOL = 60
"""Lines of a tool without the declarations of its flags, which are no logic."""
LONGEST_FUNCTION = 60
LONG_FUNCTIONS = {
    "train.py train": "the training loop, which is read from top to bottom",
}
"""`FILE NAME` of each longer function -> why splitting it would hurt."""
USUAL_FUNCTION = 40
"""Lines that 95 % of the functions stay below."""

DENSEST_TREE = 9
"""Syntax nodes on a code line, over all source; 6.7 to 9.5 in good code of the field."""
DENSE_FUNCTION = 14
"""Syntax nodes on a code line that 95 % of the functions stay below."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Source:
    """A Python file, parsed."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def code_lines(self) -> set[int]:
        """The numbers of the lines with code: no comment, no docstring, not blank."""
        lines = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in NO_CODE:
                lines.update(range(token.start[0], token.end[0] + 1))
        return lines.difference(*map(lines_of, docstrings(self.tree)))

    def imported(self) -> Iterator[str]:
        """Yield the dotted name of everything that the file imports."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def density(self, function: Function) -> float:
        """Return the syntax nodes on each code line of one of the functions."""
        own_lines = self.code_lines.intersection(lines_of(function))
        return count_nodes(function) / len(own_lines)


def lines_of(node: ast.AST) -> range:
    return range(node.lineno, node.end_lineno + 1)


def docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    """Yield the docstrings, and the strings that describe a constant or a field."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        if isinstance(node.value.value, str):
            yield node


def count_nodes(tree: ast.AST) -> int:
    return sum(1 for _ in ast.walk(tree))


def at_95_percent(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def files_of(*folders: str) -> list[Source]:
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [Source(path) for path in sorted(paths)]


SCRIPTS = [Source(path) for path in sorted(ROOT.glob("*.py"))]
SOURCES = [*SCRIPTS, *files_of(*FOLDERS)]
TESTS = files_of("tests", "benchmarks")


def test_files_at_every_depth_are_read():
    depths = {source.name.count("/") for source in SOURCES}
    assert depths >= {0, 1, 2, 3}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_one_way(folder):
    allowed = MAY_IMPORT[folder] | {folder}
    for source in files_of(folder):
        exception = ALSO_ALLOWED.get(source.name)
        for name in source.imported():
            package, _, module = name.partition(".")
            if package != "realesrgan_paddle" or module.split(".")[0] in allowed:
                continue
            assert exception and module.startswith(exception), (
                f"{source.name} may not import {name}; see docs/architecture.md"
            )


def test_networks_import_only_the_base_of_the_options():
    """`options/schema/networks.py` imports them: more would be a circle."""
    for source in files_of("models/networks"):
        for name in source.imported():
            if name.startswith("realesrgan_paddle.options."):
                assert name.startswith("realesrgan_paddle.options.schema.base."), (
                    f"{source.name} imports {name}"
                )


def test_scripts_leave_opencv_to_the_package():
    """`realesrgan_paddle/__init__.py` sets its limit of pixels before it is imported."""
    for source in [*SCRIPTS, *files_of("tools")]:
        imports = [
            node for node in ast.walk(source.tree) if isinstance(node, ast.Import)
        ]
        names = {alias.name for node in imports for alias in node.names}
        assert "cv2" not in names, source.name


def test_files_stay_small():
    for source in SOURCES:
        length = source.text.count("\n")
        assert length <= LONGEST_FILE, f"{source.name}: {length} lines"


def test_tools_are_thin():
    for source in files_of("tools"):
        flags = sum(len(lines_of(flag)) for flag in declared_flags(source.tree))
        length = source.text.count("\n") - flags
        assert length < LONGEST_TOOL, f"{source.name}: {length} lines besides its flags"


def declared_flags(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = ast.unparse(node.func)
        if function == "add" or function.endswith(".add_argument"):
            yield node


def test_functions_stay_short():
    lengths = []
    longer = set()
    for source in SOURCES:
        for function in source.functions:
            lengths.append(len(lines_of(function)))
            if lengths[-1] > LONGEST_FUNCTION:
                longer.add(f"{source.name} {function.name}")
    assert longer == set(LONG_FUNCTIONS), "split them, or say in LONG_FUNCTIONS why not"
    assert all(LONG_FUNCTIONS.values())
    assert at_95_percent(lengths) < USUAL_FUNCTION


def test_code_is_not_dense():
    """Many syntax nodes on a line are much to hold in mind: name the steps instead."""
    nodes = sum(count_nodes(source.tree) for source in SOURCES)
    lines = sum(len(source.code_lines) for source in SOURCES)
    assert nodes / lines <= DENSEST_TREE


def test_functions_are_not_dense():
    densities = {
        f"{source.name}:{function.lineno} {function.name}": source.density(function)
        for source in SOURCES
        for function in source.functions
    }
    densest = sorted(densities, key=densities.__getitem__, reverse=True)[:20]
    assert at_95_percent(list(densities.values())) <= DENSE_FUNCTION, densest


def test_no_folder_is_full():
    code = [each.path for each in (*SOURCES, *TESTS) if each.path.name != "__init__.py"]
    held = Counter(path.parent for path in code)
    full = {folder for folder, count in held.items() if count > FULL_FOLDER}
    assert full == set(FULL_FOLDERS), "divide them, or say in FULL_FOLDERS why not"
    assert all(FULL_FOLDERS.values())


def test_each_folder_says_in_one_sentence_what_it_is():
    for folder in {source.path.parent for source in files_of(*FOLDERS)}:
        source = Source(folder / "__init__.py")
        text = ast.get_docstring(source.tree)
        assert text and "\n" not in text and text.endswith("."), source.name
