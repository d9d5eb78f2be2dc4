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

from benchmarks.domain_gain.arms import DOMAIN, DOMAINS, GENERIC, PLACEBO
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
RELEASED = "realesr-general-x4v3"
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
        values = {}
        for metric in METRICS:
            each = [record[metric] for record in seeds]
            values[metric] = np.mean(np.array(each, dtype=np.float64), axis=0)
        rows.append(Row(arm, label, len(seeds), seeds[0]["group"], values))
    return rows


def _arm(network: str, label: str) -> str | None:
    """Return a record's arm; None if it is of no interest, a domain's on another."""
    kind, *rest = network.split(", ")
    if not rest or rest[0] == GENERIC:
        return kind
    if label.startswith("general"):
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
    }
    for name in (BICUBIC, RELEASED, "RealESRGAN_x4plus", PLACEBO):
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
    """Return a Markdown table for each domain: inputs down, arms across."""
    lines = []
    for domain in DOMAINS:
        chosen = [row for row in rows if row.input.startswith(f"{domain}: ")]
        arms = list(dict.fromkeys(row.arm for row in chosen))
        lines += [f"### {domain}", "", "PSNR (Y) / LPIPS / DISTS", ""]
        lines.append(f"| input | {' | '.join(arms)} |")
        lines.append("|---" * (len(arms) + 1) + "|")
        for label in dict.fromkeys(row.input for row in chosen):
            cells = [_cell(_find(chosen, arm, label)) for arm in arms]
            kind = label.partition(": ")[2]
            lines.append(f"| {kind} | {' | '.join(cells)} |")
        lines += ["", *_gain(chosen), ""]
    return lines


def _gain(rows: Sequence[Row]) -> list[str]:
    """Return a line for each input: the domain's gain over the placebo."""
    lines = []
    for row in rows:
        placebo = _find(rows, PLACEBO, row.input)
        if row.arm != DOMAIN or placebo is None:
            continue
        texts = []
        for metric, found in row.against(placebo).items():
            if metric not in SHOWN:
                continue
            share = found["mean"] / placebo.mean(metric)
            ends = found["interval"]
            between = f" [{ends[0]:+.3f}, {ends[1]:+.3f}]" if ends else ""
            texts.append(f"{metric} {found['mean']:+.3f}{between} ({share:+.0%})")
        lines.append(f"* domain less placebo, {row.input}: {', '.join(texts)}")
    return lines


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return " / ".join(METRICS[metric].format(row.mean(metric)) for metric in SHOWN)


if __name__ == "__main__":
    main()
