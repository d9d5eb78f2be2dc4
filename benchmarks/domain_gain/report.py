"""Write docs/domain_gain/results.json and its tables from the results of the arms.

python -m benchmarks.domain_gain.report --results benchmarks/domain_gain/results/arms.jsonl
--output docs/domain_gain
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.domain_gain.arms import (
    DOMAIN,
    DOMAINS,
    FITTED,
    GENERAL,
    GENERIC,
    HALF,
    LARGE,
    MIXED,
    ORACLES,
    PLACEBO,
    RELEASED,
    SMALLEST,
)
from benchmarks.domain_gain.bootstrap import FEWEST_GROUPS, bootstrap_interval
from benchmarks.domain_gain.judge import BICUBIC, Record, read_records
from benchmarks.domain_gain.recipes import LONG, RECIPES
from realesrgan_paddle.utils.files import atomic_path

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
OTHER_DEGRADATIONS = (*ORACLES, FITTED, MIXED)
TITLE = "PSNR (Y) / LPIPS / DISTS; means of so many seeds (one where none is given)"
COLUMNS = (
    BICUBIC,
    SMALLEST,
    RELEASED,
    LARGE,
    PLACEBO,
    DOMAIN,
    *OTHER_DEGRADATIONS,
)
SHOWN = ("psnr", "lpips", "dists")
"""In the tables; results.json has all."""
SEED = re.compile(r", seed (\d+)")
"""In the name of a finetune."""


@dataclass(frozen=True)
class Row:
    """The figures of one arm on one kind of input, the seeds put together."""

    arm: str
    input: str
    groups: Sequence[str]
    """The clip of each crop."""
    seeds: Sequence[str]
    """One of the released networks has none."""
    values: Mapping[str, np.ndarray]
    """Of each seed and crop (S, N)."""

    def mean(self, metric: str) -> float:
        """Return the mean over the seeds and crops."""
        return float(self.values[metric].mean())

    def of_seeds(self, seeds: Sequence[str]) -> "Row":
        """Return the row of some of its seeds."""
        places = [self.seeds.index(seed) for seed in seeds]
        values = {metric: each[places] for metric, each in self.values.items()}
        return replace(self, seeds=seeds, values=values)

    def against(self, other: "Row") -> dict[str, Any]:
        """Return by how much this arm's figures are higher than another's."""
        first, second = _same_seeds(self, other)
        found = {}
        for metric in METRICS:
            some, others = first.values[metric], second.values[metric]
            difference = some.mean(axis=0) - others.mean(axis=0)
            interval = bootstrap_interval(difference.tolist(), self.groups)
            is_known = interval.count >= FEWEST_GROUPS
            ends = [interval.low, interval.high] if is_known else None
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
        entries = ",\n".join(json.dumps(_entry(row, rows)) for row in rows)
        path.write_text(f"[\n{entries}\n]\n", encoding="utf-8")
    with atomic_path(args.output / "tables.md") as path:
        path.write_text("\n".join(_tables(rows)), encoding="utf-8")


def put_together(records: Sequence[Record]) -> list[Row]:
    """Return a row for each arm and kind of input, its seeds averaged crop by crop."""
    by_row: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        arm = _arm(record["network"], record["input"])
        by_row[arm, record["input"]].append(record)

    rows = []
    for (arm, label), seeds in by_row.items():
        values = {}
        for metric in METRICS:
            values[metric] = np.array([record[metric] for record in seeds], np.float64)
        numbers = [seed for record in seeds for seed in SEED.findall(record["network"])]
        rows.append(Row(arm, label, seeds[0]["group"], numbers, values))
    return rows


def _same_seeds(row: Row, other: Row) -> tuple[Row, Row]:
    """Return two rows with the seeds that both have, if there are any."""
    both = [seed for seed in row.seeds if seed in other.seeds]
    if not both:
        return row, other
    return row.of_seeds(both), other.of_seeds(both)


def _arm(network: str, label: str) -> str:
    """Return a record's arm, and what it was trained on if it is judged on another."""
    kind, *rest = network.split(", ")
    if not rest:
        return kind
    images, _, *recipe = rest
    arm = ", ".join([kind, *recipe])
    if label.startswith(GENERAL) and images != GENERIC:
        return f"{arm}, {images}"
    return arm


def _entry(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what results.json says of a row."""
    entry: dict[str, Any] = {
        "input": row.input,
        "arm": row.arm,
        "seeds": max(1, len(row.seeds)),
        "crops": len(row.groups),
        "means": {metric: round(row.mean(metric), 4) for metric in METRICS},
        "means of each seed": {
            metric: each.mean(axis=1).round(4).tolist()
            for metric, each in row.values.items()
        },
    }
    for name in (BICUBIC, *COMPARED, DOMAIN):
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
        if DOMAIN not in there:
            continue
        arms = [arm for arm in COLUMNS if arm in there]
        lines += [f"### {domain}", "", TITLE, ""]
        seeds = {row.arm: len(row.seeds) for row in chosen}
        heads = [f"{arm} ({seeds[arm]})" if seeds[arm] > 1 else arm for arm in arms]
        lines.append(f"| input | {' | '.join(heads)} |")
        lines.append("|---" * (len(arms) + 1) + "|")
        for label in dict.fromkeys(row.input for row in chosen):
            cells = [_cell(_find(chosen, arm, label)) for arm in arms]
            lines.append(f"| {_kind(label)} | {' | '.join(cells)} |")
        for other in COMPARED:
            lines += _differences(chosen, DOMAIN, other)
        for arm in OTHER_DEGRADATIONS:
            lines += _differences(chosen, arm, DOMAIN)
        for recipe in RECIPES:
            arm = f"{DOMAIN}, {recipe.name}"
            lines += _differences(chosen, arm, DOMAIN)
            lines += _differences(chosen, arm, f"{PLACEBO}, {recipe.name}")
        for other in (DOMAIN, PLACEBO):
            arm = f"{HALF}, {LONG.name}"
            lines += _differences(chosen, arm, f"{other}, {LONG.name}")
        lines.append("")
    return [*lines, *_forgetting(rows), ""]


def _differences(rows: Sequence[Row], arm: str, other: str) -> list[str]:
    """Return a table of what an arm's figures have more than another's."""
    pairs = []
    for row in rows:
        compared = _find(rows, other, row.input)
        if row.arm == arm and compared is not None:
            pairs.append((row, compared))
    if not pairs:
        return []

    names = [metric.upper() for metric in SHOWN]
    lines = [
        "",
        f"{arm} less {other}: mean, 95 % interval over clips, share",
        "",
        f"| input | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for row, compared in pairs:
        cells = difference_cells(row, compared)
        lines.append(f"| {_kind(row.input)} | {' | '.join(cells)} |")
    return lines


def difference_cells(row: Row, other: Row) -> list[str]:
    """Return by how much the figures of a row are higher: mean, interval, share."""
    _, than = _same_seeds(row, other)
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
            text += f" {found['mean'] / than.mean(metric):+.0%}"
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
