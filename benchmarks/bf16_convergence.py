"""Train the same options in float32 and bfloat16 from the same seeds; compare validation.

For each metric of the option file's `val.metrics`, at each validation: the mean over
the seeds of each precision, their mean difference (bfloat16 minus float32, seed by
seed), and the standard deviation of the float32 runs over the seeds, to judge that
difference by. Runs that exist already are not repeated.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRECISIONS = {"fp32": "onednn", "bf16": "onednn_bf16"}
Numbers = dict[str, float]


def trained(args: argparse.Namespace, precision: str, seed: int) -> dict[int, Numbers]:
    """Return the metrics and losses of a run by iteration; train first if it is new."""
    name = f"{precision}_{seed}"
    metrics = args.save_dir / name / "metrics.jsonl"
    if not metrics.exists():
        command = [
            sys.executable,
            "train.py",
            f"--yml_path={args.yml_path.resolve()}",
            *args.set,
            f"name={name}",
            f"manual_seed={seed}",
            f"cpu_ops={PRECISIONS[precision]}",
            f"path.experiments_root={args.save_dir}",
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    found: dict[int, Numbers] = {}
    for line in metrics.read_text(encoding="utf-8").splitlines():
        numbers = json.loads(line)
        iteration = numbers.pop("iter")
        found.setdefault(iteration, {}).update(numbers)
    return found


def row(
    runs: dict[str, list[dict[int, Numbers]]], name: str, iteration: int
) -> tuple[str, int, float, float, float, float]:
    """Return a number at one iteration: both means, their difference, and the deviation."""
    fp32, bf16 = (
        [run[iteration][name] for run in runs[precision]] for precision in PRECISIONS
    )
    differences = [b - a for a, b in zip(fp32, bf16, strict=True)]
    deviation = statistics.stdev(fp32) if len(fp32) > 1 else float("nan")
    mean = statistics.mean
    return name, iteration, mean(fp32), mean(bf16), mean(differences), deviation


def table(runs: dict[str, list[dict[int, Numbers]]], names: list[str]) -> list[str]:
    """Return a line for each number and iteration."""
    head = ("iter", "fp32", "bf16", "bf16 - fp32", "deviation of seeds")
    lines = ["{:24} {:>6} {:>9} {:>9} {:>12} {:>19}".format("", *head)]
    for name in names:
        for iteration, numbers in runs["fp32"][0].items():
            if name in numbers:
                values = row(runs, name, iteration)
                lines.append(
                    "{:24} {:6} {:9.4f} {:9.4f} {:+12.4f} {:19.4f}".format(*values)
                )
    return lines


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--yml_path", type=Path, required=True, help="options with a validation set"
    )
    parser.add_argument(
        "--save_dir", type=Path, required=True, help="where the runs go"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="further options"
    )
    args = parser.parse_args()
    args.save_dir = args.save_dir.resolve()
    runs = {
        name: [trained(args, name, seed) for seed in args.seeds] for name in PRECISIONS
    }
    names = dict.fromkeys(
        name for numbers in runs["fp32"][0].values() for name in numbers
    )
    shown = [name for name in names if "/" in name or name.startswith(("l_", "out_"))]
    print("\n".join(table(runs, shown)))


if __name__ == "__main__":
    main()
