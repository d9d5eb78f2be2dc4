"""What `tools/evaluate.py` found: as tables for a terminal and for Markdown, and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realesrgan_paddle import __version__
from realesrgan_paddle.metrics.data_sets import DataSet
from realesrgan_paddle.metrics.measuring import Rules, SetResult
from realesrgan_paddle.metrics.methods import CARD_SIZE, Card, Method
from realesrgan_paddle.metrics.table import FID, METRICS, OF_CLIPS
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.metrics.frechet import few_images

UNKNOWN = "-"
"""Printed where something is not known."""


@dataclass(frozen=True)
class Evaluation:
    """All metrics, and what they are of."""

    sets: Sequence[DataSet]
    methods: Sequence[Method]
    metrics: Sequence[str]
    rules: Rules
    degrade: str | None
    """What made the low-quality images: "bicubic" or an option file; None: --input."""
    seed: int | None
    results: Sequence[SetResult]

    @property
    def failures(self) -> list[str]:
        """A line for each image that was not measured."""
        lines: list[str] = []
        for data in self.sets:
            lines += data.failures
        return lines

    def result(self, method: str, data: str) -> SetResult:
        """Return the metrics of a method on a set."""
        for result in self.results:
            if (result.method, result.data) == (method, data):
                return result
        raise KeyError((method, data))

    def text(self) -> str:
        """Return the tables for a terminal: the metrics, and what the networks cost."""
        titles = [_title(name) for name in self.metrics]
        rows = [["set", "images", "model", *titles]]
        for result in self.results:
            values = [_cell(name, result.means) for name in self.metrics]
            count = str(len(result.images))
            rows.append([result.data, count, result.method, *values])
        lines = [self.remark, *_aligned(rows, left=(0, 2))]

        costs = self._costs()
        if len(costs) > 1:
            lines += ["", *_aligned(costs, left=(0, 1))]
        for method in self.methods:
            if method.card:
                lines.append(f"{method.name}: {method.card.runs_on}")
        lines += self._warnings()
        return "\n".join(map(printable, lines))

    def markdown(self) -> str:
        """Return the tables of papers: a row for each method, a column for each set."""
        heads = ["model"]
        for data in self.sets:
            first = self.result(self.methods[0].name, data.name)
            heads.append(f"{data.name} ({len(first.images)})")
        rows = [heads]
        for method in self.methods:
            cells = [self._marked(method.name, data.name) for data in self.sets]
            rows.append([method.name, *cells])

        titles = [METRICS[name].label for name in self.metrics]
        caption = f"{' / '.join(titles)}; {self.remark}"
        tables = [caption, "", *_markdown_table(rows)]
        costs = self._costs()
        if len(costs) > 1:
            tables += ["", *_markdown_table(costs)]
        return "\n".join(map(printable, tables)) + "\n"

    @property
    def remark(self) -> str:
        """How it was measured, in a line."""
        rules = self.rules
        inputs = "given inputs" if self.degrade is None else f"inputs by {self.degrade}"
        if self.seed is not None:
            inputs += f", seed {self.seed}"
        size = "" if rules.size is None else f", at most {rules.size}x{rules.size}"
        return (
            f"x{rules.scale}, {inputs}{size}, without {rules.crop_border} pixels at each "
            "border"
        )

    def record(self) -> dict[str, Any]:
        """Return all that was found as JSON's types; null for what is not finite."""
        return {
            "version": __version__,
            "scale": self.rules.scale,
            "crop_border": self.rules.crop_border,
            "size": self.rules.size,
            "degrade": self.degrade,
            "seed": self.seed,
            "metrics": list(self.metrics),
            "sets": [_set_record(data) for data in self.sets],
            "models": [_method_record(method) for method in self.methods],
            "results": [_result_record(result) for result in self.results],
        }

    def write_json(self, path: Path) -> None:
        """Write `record`."""
        text = json.dumps(self.record(), indent=1, allow_nan=False)
        _write(path, f"{text}\n")

    def write_markdown(self, path: Path) -> None:
        """Write `markdown`."""
        _write(path, self.markdown())

    def _warnings(self) -> list[str]:
        """Return a line for each set with too few images for a metric."""
        lines = []
        of_clips = [METRICS[name].label for name in self.metrics if name in OF_CLIPS]
        for data in self.sets:
            count = len(self.result(self.methods[0].name, data.name).images)
            remark = few_images(count) if FID in self.metrics else None
            if remark:
                lines.append(f"{data.name}: {remark}")
            if of_clips and count < 2:
                names = ", ".join(of_clips)
                lines.append(f"{data.name}: {names}: two frames of a clip are needed")
        return lines

    def _marked(self, method: str, data: str) -> str:
        """Return the metrics of a method on a set, those that are the best in bold."""
        cells = []
        for name in self.metrics:
            text = _cell(name, self.result(method, data).means)
            if text != UNKNOWN and text == self._best(name, data):
                text = f"**{text}**"
            cells.append(text)
        return " / ".join(cells)

    def _best(self, metric: str, data: str) -> str:
        """Return the best value on a set; "" where there is no better and worse."""
        if len(self.methods) < 2 or not METRICS[metric].has_best:
            return ""
        known = []
        for method in self.methods:
            means = self.result(method.name, data).means
            value = means.get(metric, math.nan)
            if not math.isnan(value):
                known.append(value)
        if not known:
            return ""

        lower_is_better = METRICS[metric].lower_is_better
        best = min(known) if lower_is_better else max(known)
        return _cell(metric, {metric: best})

    def _costs(self) -> list[list[str]]:
        """Return the rows of the networks' cards, below their titles."""
        size = f"{CARD_SIZE}x{CARD_SIZE}"
        rows = [
            [
                "model",
                "network",
                "parameters",
                "MACs per input pixel",
                f"MACs at {size}",
                "s per output megapixel",
            ]
        ]
        for method in self.methods:
            if method.card:
                rows.append([method.name, *_card_cells(method.card)])
        return rows


def _card_cells(card: Card) -> list[str]:
    parameters = UNKNOWN if card.parameters is None else f"{card.parameters:,}"
    per_pixel = UNKNOWN
    total = UNKNOWN
    if card.macs is not None and card.macs_per_pixel is not None:
        per_pixel = f"{card.macs_per_pixel:,.0f}"
        total = f"{card.macs / 1e9:.2f} G"
    seconds = f"{card.seconds_per_megapixel:.3f}"
    return [card.network, parameters, per_pixel, total, seconds]


def _title(metric: str) -> str:
    shown = METRICS[metric]
    arrow = "↓" if shown.lower_is_better else ""
    unit = f" [{shown.unit}]" if shown.unit else ""
    return f"{shown.label}{arrow}{unit}"


def _cell(metric: str, values: Mapping[str, float]) -> str:
    value = values.get(metric, math.nan)
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.{METRICS[metric].digits}f}"


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return the rows as lines, the columns `left` aligned left and all others right."""
    columns = []
    for number, cells in enumerate(zip(*rows, strict=True)):
        width = max(map(len, cells))
        aligned = str.ljust if number in left else str.rjust
        columns.append([aligned(cell, width) for cell in cells])

    lines = map("  ".join, zip(*columns, strict=True))
    return [line.rstrip() for line in lines]


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    lines = [_markdown_row(head), "|" + "---|" * len(head)]
    lines += map(_markdown_row, body)
    return lines


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def _set_record(data: DataSet) -> dict[str, Any]:
    return {
        "name": data.name,
        "gt": str(data.gt),
        "input": None if data.input is None else str(data.input),
        "failures": data.failures,
    }


def _method_record(method: Method) -> dict[str, Any]:
    record: dict[str, Any] = {"name": method.name, "model": method.model}
    card = method.card
    if card is None:
        return record
    return record | {
        "precision": method.precision,
        "scale": method.scale,
        "network": card.network,
        "parameters": card.parameters,
        "macs_at_128x128": card.macs,
        "macs_per_input_pixel": card.macs_per_pixel,
        "seconds_per_output_megapixel": card.seconds_per_megapixel,
        "runs_on": card.runs_on,
    }


def _result_record(result: SetResult) -> dict[str, Any]:
    images = {name: _finite(metrics) for name, metrics in result.images.items()}
    return {
        "model": result.method,
        "set": result.data,
        "count": len(images),
        "means": _finite(result.means),
        "images": images,
    }


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics, None for what is not finite: JSON has no such numbers."""
    finite = {}
    for name, value in metrics.items():
        finite[name] = float(value) if math.isfinite(value) else None
    return finite


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8", "surrogateescape")
