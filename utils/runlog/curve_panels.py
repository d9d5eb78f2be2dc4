"""Curves of a run as data that a page draws: titled panels with their base lines."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.report.pages import read_asset
from realesrgan_paddle.utils.runlog.curves import (
    MACHINE,
    NOISELESS,
    NOT_DRAWN,
    TITLES,
    read_curves,
)

START = "start"
"""The base line of the network that a run starts from."""
MOST_POINTS = 600
"""Of a curve on a page; of more, neighbors are averaged."""

Point = tuple[float, float | None]
"""Iteration and value; None for one that is not finite."""
Levels = Mapping[str, float]
"""Base lines of a panel by their names."""


@dataclass
class Curves:
    """The curves of one run, which grow with each report.

    Attributes:
        titles: panel titles by the names of values; of a validation by its METRIC.
            Values of one title share a panel.
        levels: base lines by the panel's title, or by SET/METRIC.
        first: set whose validations come first.
    """

    titles: Mapping[str, str]
    levels: dict[str, Levels] = field(default_factory=dict)
    hidden_sets: Sequence[str] = ()
    """Sets whose validations are shown among `more`."""
    _points: dict[str, list[Point]] = field(default_factory=dict)

    def read(self, file: Path) -> None:
        """Take the curves of a `metrics.jsonl`; UserError as `read_curves`."""
        for curve in read_curves(file, ""):
            pairs = zip(curve.iterations.tolist(), curve.values.tolist(), strict=True)
            self._points[curve.name] = [(x, _finite(y)) for x, y in pairs]

    def add(self, iteration: int, values: Mapping[str, float | None]) -> None:
        """Add what was reported after an iteration."""
        for name, value in values.items():
            if name not in NOT_DRAWN:
                points = self._points.setdefault(name, [])
                points.append((iteration, _finite(value)))

    def panels(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the panels that matter, validations first, and the others."""
        main: dict[str, dict[str, Any]] = {}
        more: dict[str, dict[str, Any]] = {}
        for name, points in sorted(self._points.items(), key=self._rank):
            while len(points) > MOST_POINTS:
                points[:] = _halved(points)
            title, curve_name = self._title(name)
            panels = main if self._matters(name) else more
            levels = self.levels.get(name, self.levels.get(title, {}))
            panel = panels.setdefault(title, _panel(title, name, levels))
            # A validation begins with the network that the run starts from.
            start: list[Point] = []
            if "/" in name and START in levels:
                start = [(0, _finite(levels[START]))]
            panel["curves"].append({"name": curve_name, "points": [*start, *points]})
        return list(main.values()), list(more.values())

    def _title(self, name: str) -> tuple[str, str]:
        """Return the title of a value's panel, and its name in it."""
        set_name, _, metric = name.rpartition("/")
        title = {**TITLES, **self.titles}.get(metric, metric)
        return (f"{set_name}: {title}", metric) if set_name else (title, name)

    def _matters(self, name: str) -> bool:
        set_name, _, metric = name.rpartition("/")
        is_known = metric in self.titles
        return is_known and set_name not in self.hidden_sets and name not in MACHINE

    def _rank(self, item: tuple[str, list[Point]]) -> bool:
        """Return the sort key: validations come first."""
        return "/" not in item[0]


def _panel(title: str, name: str, levels: Levels) -> dict[str, Any]:
    """Return a panel without curves, for a value of a name."""
    lines = [
        {"name": level, "value": value}
        for level, value in levels.items()
        if math.isfinite(value)
    ]
    is_noisy = "/" not in name and name not in NOISELESS
    return {"title": title, "noisy": is_noisy, "curves": [], "levels": lines}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _halved(points: Sequence[Point]) -> list[Point]:
    """Return the averages of each two neighbors; an odd one at the end stays."""
    halved: list[Point] = []
    for (x, y), (next_x, next_y) in zip(points[::2], points[1::2], strict=False):
        known = [value for value in (y, next_y) if value is not None]
        mean = sum(known) / len(known) if known else None
        halved.append(((x + next_x) / 2, mean))
    return [*halved, *points[2 * len(halved) :]]


def curves_html(curves: Curves) -> str:
    """Return HTML that draws the curves, in a page with curves.css."""
    main, more = curves.panels()
    data = json.dumps([*main, *more]).replace("<", "\\u003c")
    script = read_asset("curves.js")
    return (
        f'<div class="curves" id="curves"></div>\n<script>\n{script}'
        f'drawCurves(document.getElementById("curves"), {data});\n</script>\n'
    )
