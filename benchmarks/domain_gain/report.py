"""Write docs/domain_gain/results.json and its tables from the results of the arms.

python -m benchmarks.domain_gain.report --results benchmarks/domain_gain/results/arms.jsonl
--output docs/domain_gain
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.domain_gain.arms import (
    DOMAIN,
    DOMAINS,
    FITTED,
    GENERAL,
    GENERIC,
    LARGE,
    MIXED,
    ORACLES,
    PLACEBO,
    RELEASED,
    SMALLEST,
)
from benchmarks.domain_gain.judge import BICUBIC, Record, read_records
from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.statistics.paired import paired_interval

METRICS = {
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
    "lpips": "{:.3f}",
    "dists": "{:.3f}",
    "delta_e": "{:.2f}",
    "sharpness": "{:.2f}",
}
COMPARED = (PLACEBO, RELEASED, LARGE)
"""What the finetune on a domain is compared with."""
TITLE = "PSNR (Y) / LPIPS / DISTS; means of so many seeds (one where none is given)"
COLUMNS = (
    BICUBIC,
    SMALLEST,
    RELEASED,
    LARGE,
    PLACEBO,
    DOMAIN,
    *ORACLES,
    FITTED,
    MIXED,
)
SHOWN = ("psnr", "lpips", "dists")
"""In the tables; results.json has all."""


@dataclass(frozen=True)
class Row:
    """The figures of one arm on one kind of input, the seeds put together."""

    arm: str
    input: str
    seeds: int
    groups: Sequence[str]
    """The clip of each crop."""
    values: Mapping[str, np.ndarray]
    """Of each crop, the mean over the seeds."""
    of_seeds: Mapping[str, Sequence[float]]
    """The mean over the crops of each seed."""

    def mean(self, metric: str) -> float:
        """Return the mean over the crops."""
        return float(self.values[metric].mean())

    def against(self, other: "Row") -> dict[str, Any]:
        """Return by how much this arm's figures are higher than another's."""
        found = {}
        for metric in METRICS:
            difference = self.values[metric] - other.values[metric]
            interval = paired_interval(difference.tolist(), self.groups)
            ends = [interval.low, interval.high] if interval.is_known else None
            found[metric] = {
                "mean": round(interval.mean, 4),
                "interval": ends and [round(end, 4) for end in ends],
                "clips": interval.count,
            }
        return found


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    rows = put_together(read_records(args.results))
    args.output.mkdir(parents=True, exist_ok=True)

    with atomic_path(args.output / "results.json") as path:
        text = json.dumps([_entry(row, rows) for row in rows], indent=1)
        path.write_text(f"{text}\n", encoding="utf-8")
    with atomic_path(args.output / "tables.md") as path:
        path.write_text("\n".join(_tables(rows)), encoding="utf-8")


def put_together(records: Sequence[Record]) -> list[Row]:
    """Return a row for each arm and kind of input, its seeds averaged crop by crop."""
    by_row: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        arm = _arm(record["network"], record["input"])
        if arm is not None:
            by_row[arm, record["input"]].append(record)

    rows = []
    for (arm, label), seeds in by_row.items():
        values, of_seeds = {}, {}
        for metric in METRICS:
            each = np.array([record[metric] for record in seeds], np.float64)
            values[metric] = each.mean(axis=0)
            of_seeds[metric] = each.mean(axis=1).round(4).tolist()
        groups = seeds[0]["group"]
        rows.append(Row(arm, label, len(seeds), groups, values, of_seeds))
    return rows


def _arm(network: str, label: str) -> str | None:
    """Return a record's arm; None if it is of no interest, a domain's on another."""
    kind, *rest = network.split(", ")
    if not rest or rest[0] == GENERIC:
        return kind
    if label.startswith(GENERAL):
        return f"{kind}, {rest[0]}"
    return kind


def _entry(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what results.json says of a row."""
    entry: dict[str, Any] = {
        "input": row.input,
        "arm": row.arm,
        "seeds": row.seeds,
        "crops": len(row.groups),
        "means": {metric: round(row.mean(metric), 4) for metric in METRICS},
        "means of each seed": row.of_seeds,
    }
    for name in (BICUBIC, *COMPARED):
        other = _find(rows, name, row.input)
        if other is not None and other is not row:
            entry[f"less {name}"] = row.against(other)
    return entry


def _find(rows: Sequence[Row], arm: str, label: str) -> Row | None:
    for row in rows:
        if row.arm == arm and row.input == label:
            return row
    return None


def _tables(rows: Sequence[Row]) -> list[str]:
    """Return Markdown tables for each domain: figures, and what the domain gained."""
    lines = []
    for domain in DOMAINS:
        chosen = [row for row in rows if row.input.startswith(f"{domain}: ")]
        there = {row.arm for row in chosen}
        arms = [arm for arm in COLUMNS if arm in there]
        lines += [f"### {domain}", "", TITLE, ""]
        seeds = {row.arm: row.seeds for row in chosen}
        heads = [f"{arm} ({seeds[arm]})" if seeds[arm] > 1 else arm for arm in arms]
        lines.append(f"| input | {' | '.join(heads)} |")
        lines.append("|---" * (len(arms) + 1) + "|")
        for label in dict.fromkeys(row.input for row in chosen):
            cells = [_cell(_find(chosen, arm, label)) for arm in arms]
            lines.append(f"| {_kind(label)} | {' | '.join(cells)} |")
        for other in COMPARED:
            lines += _differences(chosen, other)
        lines.append("")
    return [*lines, *_forgetting(rows), ""]


def _differences(rows: Sequence[Row], other: str) -> list[str]:
    """Return a table of what the finetune on the domain has more than another arm."""
    if not any(row.arm == other for row in rows):
        return []
    names = [metric.upper() for metric in SHOWN]
    lines = [
        "",
        f"Domain less {other}: mean, 95 % interval over clips, share",
        "",
        f"| input | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for row in rows:
        compared = _find(rows, other, row.input)
        if row.arm == DOMAIN and compared is not None:
            cells = _difference_cells(row, compared)
            lines.append(f"| {_kind(row.input)} | {' | '.join(cells)} |")
    return lines


def _difference_cells(row: Row, other: Row) -> list[str]:
    cells = []
    for metric, found in row.against(other).items():
        if metric not in SHOWN:
            continue
        digits = 2 if metric == "psnr" else 3
        text = f"{found['mean']:+.{digits}f}"
        if found["interval"]:
            low, high = found["interval"]
            text += f" [{low:+.{digits}f}, {high:+.{digits}f}]"
        if metric != "psnr":
            text += f" {found['mean'] / other.mean(metric):+.0%}"
        cells.append(text)
    return cells


def _forgetting(rows: Sequence[Row]) -> list[str]:
    """Return a table of the general pictures, which no arm was trained on."""
    lines = [f"### {GENERAL}", "", "| arm | PSNR (Y) / LPIPS / DISTS |", "|---|---|"]
    for row in rows:
        if row.input.startswith(f"{GENERAL}: "):
            lines.append(f"| {row.arm} | {_cell(row)} |")
    return lines


def _kind(label: str) -> str:
    return label.partition(": ")[2]


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return " / ".join(METRICS[metric].format(row.mean(metric)) for metric in SHOWN)


if __name__ == "__main__":
    main()
