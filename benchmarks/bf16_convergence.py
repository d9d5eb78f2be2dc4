"""Train the same options in float32 and in bfloat16 from the same seeds, and compare what validation says of both.

For each metric of the option file's `val.metrics`, at each validation: the mean over
the seeds of each precision, their mean difference (bfloat16 less float32, seed by
seed), and the float32 runs' deviation between seeds, against which that difference is
to be judged. Runs that are there already are not repeated.
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
    """Return the numbers of a run, validation's and the losses', by iteration."""
    name = f"{precision}_{seed}"
    overrides = [
        *args.set,
        f"name={name}",
        f"manual_seed={seed}",
        f"cpu_ops={PRECISIONS[precision]}",
        f"path.experiments_root={args.save_dir}",
    ]
    metrics = args.save_dir / name / "metrics.jsonl"
    if not metrics.exists():
        command = [
            sys.executable,
            "train.py",
            "--yml_path",
            str(args.yml_path.resolve()),
        ]
        subprocess.run(
            [*command, *overrides], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
    found: dict[int, Numbers] = {}
    for line in metrics.read_text(encoding="utf-8").splitlines():
        numbers = json.loads(line)
        found.setdefault(numbers.pop("iter"), {}).update(numbers)
    return found


def table(runs: dict[str, list[dict[int, Numbers]]], names: list[str]) -> list[str]:
    """Return a line for each number and iteration."""
    lines = [
        f"{'':24} {'iter':>6} {'fp32':>9} {'bf16':>9} {'bf16 - fp32':>12} {'deviation of seeds':>19}"
    ]
    for name in names:
        for iteration, numbers in runs["fp32"][0].items():
            if name in numbers:
                fp32, bf16 = (
                    [run[iteration][name] for run in runs[precision]]
                    for precision in PRECISIONS
                )
                difference = statistics.mean(
                    b - a for a, b in zip(fp32, bf16, strict=True)
                )
                spread = statistics.stdev(fp32) if len(fp32) > 1 else float("nan")
                means = f"{statistics.mean(fp32):9.4f} {statistics.mean(bf16):9.4f}"
                lines.append(
                    f"{name:24} {iteration:6} {means} {difference:+12.4f} {spread:19.4f}"
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
