"""What more hours bring: the figures of the checkpoints that an arm has kept.

python -m benchmarks.domain_gain.curve --data DATA --work FOLDER --domain soccer
--arm "domain, soccer, seed 0, 4 x as long" --results FILE.jsonl

DATA and FOLDER are those of `python -m benchmarks.domain_gain`; the arm may still be
training. Checkpoints whose figures are in the results are not judged again.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.domains import read_domains
from benchmarks.domain_gain.finetune import folder_of
from benchmarks.domain_gain.inputs import degradations, kinds_of
from benchmarks.domain_gain.judge import FURTHER, METRICS, judge_kinds, read_records
from realesrgan_paddle.utils.machine.devices import start_paddle


def main() -> None:
    """Judge the checkpoints that are there, and print a table of all."""
    args = _arguments()
    start_paddle()
    kinds = kinds_of(read_domains(args.data)[args.domain], args.inputs)
    checkpoints = _checkpoints(folder_of(args.work, args.arm) / "run" / "models")
    for iteration, path in checkpoints.items():
        name = f"{args.arm}, {iteration} iterations"
        judge_kinds(name, partial(Path, path), kinds, args.results)
    print(_table(args.results, args.arm, list(kinds)))


def _checkpoints(folder: Path) -> dict[int, Path]:
    """Return the kept weights by their iterations, in order."""
    found = {}
    for path in folder.glob("net_g_*.pdparams"):
        iteration = path.stem.rpartition("_")[2]
        if iteration.isdigit():
            found[int(iteration)] = path
    return dict(sorted(found.items()))


def _table(results: Path, arm: str, labels: Sequence[str]) -> str:
    """Return means over the judged crops as a Markdown table."""
    names = [*METRICS, *FURTHER]
    lines = [f"| input | iterations | {' | '.join(names)} |"]
    lines.append("|---|" + "--:|" * (len(names) + 1))
    for record in read_records(results):
        head, _, iterations = record["network"].rpartition(", ")
        if head == arm and record["input"] in labels:
            means = " | ".join(f"{np.mean(record[name]):.3f}" for name in names)
            lines.append(f"| {record['input']} | {iterations.split()[0]} | {means} |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--domain", required=True)
    parser.add_argument("--arm", required=True, help="its name in the records")
    parser.add_argument(
        "--inputs", nargs="+", choices=degradations(), default=list(degradations())
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
