"""Where things are, for tests at any depth."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
REFERENCE = TESTS / "reference"
"""Arrays that `tests/record/*.py` recorded."""
