"""The page of a run, index.html in its folder: written while it trains, no server needed."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import atomic_path, parse_object, read_regular
from realesrgan_paddle.utils.report.pages import PAGE, filled, whole_page
from realesrgan_paddle.utils.runlog.curve_panels import Curves

PROGRESS = "progress.js"
"""What the page loads again and again: browsers let no file read another one but this way."""
EVERY_S = 2.0
"""Reports that come faster are written together [s]."""


@dataclass
class RunPage:
    """The page of one run.

    Attributes:
        root: folder of the run.
        curves: what has been reported.
        total: returns the last iteration, which may change.
    """

    root: Path
    curves: Curves
    total: Callable[[], int] = int
    _state: str = "not begun"
    _iteration: int = 0
    _left: float | None = None
    _line: str = ""
    _sheets: dict[str, Path] = field(default_factory=dict)
    _verdict: Sequence[str] = ()
    _verdict_page: Path | None = None
    _written: float = 0.0

    def open(self, metrics: Path, iteration: int) -> None:
        """Write the page of a run that begins, or is resumed after an iteration."""
        self._state, self._iteration = "training", iteration
        if metrics.is_file() and metrics.stat().st_size:
            self.curves.read(metrics)
        for sheet in sorted(self.root.glob("visualization/*/sheet_*.png"), key=_number):
            self._sheets[sheet.parent.name] = sheet
        assets = ("curves.css", "run_page.css", "curves.js", "run_page.js")
        body = filled("run_page.html")
        with atomic_path(self.root / PAGE) as temporary:
            page = whole_page(self.root.name, body, *assets)
            temporary.write_text(page, encoding="utf-8")
        self._write()

    def report(
        self, iteration: int, values: Mapping[str, float | None], line: str
    ) -> None:
        """Add what was reported after an iteration."""
        self.curves.add(iteration, values)
        self._iteration = iteration
        if "left_s" in values:
            self._left, self._line = values["left_s"], line
        if time.monotonic() - self._written > EVERY_S:
            self._write()

    def show(self, dataset: str, sheet: Path) -> None:
        """Show the newest sheet of a validation set."""
        self._sheets[dataset] = sheet
        self._write()

    def end(
        self, state: str, verdict: Sequence[str] = (), page: Path | None = None
    ) -> None:
        """Say how the run has ended: "finished" or "stopped"; only the first call counts."""
        if self._state == "training":
            self._state, self._verdict, self._verdict_page = state, verdict, page
            self._write()

    def _write(self) -> None:
        main, more = self.curves.panels()
        sheets = []
        for dataset, path in self._sheets.items():
            title = f"{dataset}, iteration {_number(path):,}"
            file = path.relative_to(self.root).as_posix()
            sheets.append({"title": printable(title), "file": file})
        content = {
            "state": self._state,
            "iteration": self._iteration,
            "total": self.total(),
            "left": self._left,
            "line": self._line,
            "written": time.time(),
            "every": time.monotonic() - self._written if self._written else 0.0,
            "main": main,
            "more": more,
            "sheets": sheets,
            "verdict": list(map(printable, self._verdict)),
            "verdict_page": self._verdict_page.name if self._verdict_page else None,
        }
        with atomic_path(self.root / PROGRESS) as temporary:
            text = json.dumps(content, allow_nan=False)
            temporary.write_text(f"showRun({text});\n", encoding="utf-8")
        self._written = time.monotonic()


def _number(sheet: Path) -> int:
    """Return the iteration of sheet_<iteration>.png; 0 of another file."""
    number = sheet.stem.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0


def read_progress(root: Path) -> dict[str, Any] | None:
    """Return what the page of a run shows; None where there is none that can be read."""
    path = root / PROGRESS
    if not path.is_file():
        return None
    text = read_regular(path).decode("utf-8", "replace").strip()
    try:
        return parse_object(text.removeprefix("showRun(").removesuffix(");").encode())
    except ValueError:
        return None
