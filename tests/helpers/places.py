"""Where things are, for tests at any depth."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
REFERENCE = TESTS / "reference"
"""Arrays that `tests/record/*.py` recorded."""


def pngs(folder: Path) -> list[str]:
    """Return the names of all PNG files below a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
