"""Time training steps on this CPU: this project, torch (channels-last; bfloat16: autocast too) and stock Paddle.

Each is a process of its own; they step in turns, one at a time, so that all see the
same machine. A row's times are minima over the rounds, its ratio is ours to torch's,
and peak_mb the most memory our process ever held. Stock Paddle (`cpu_ops: plain`,
float32 only) has the environment that this project starts Paddle in.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from step_cases import CASES

HERE = Path(__file__).parent
Row = dict[str, str | int | float | None]


class Stepper:
    """A process that takes a training step when it is told to."""

    def __init__(self, command: list[str], threads: int) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE,
            env=environment,
        )
        self.times: list[float] = []
        self._read()

    def step(self, clock: str) -> None:
        """Take one step and keep its milliseconds."""
        assert self.process.stdin is not None
        print(clock, file=self.process.stdin, flush=True)
        self.times.append(float(self._read()))

    def close(self) -> int:
        """End the process; return its peak memory in MB."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        peak = int(self._read())
        self.process.wait()
        return peak

    def _read(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended; its message is above")
        return line


def measure(case: str, batch: int, precision: str, args: argparse.Namespace) -> Row:
    """Return the row of one case."""
    what = [
        "--case",
        case,
        "--batch",
        str(batch),
        "--precision",
        precision,
        "--threads",
        str(args.threads),
    ]
    ours = [sys.executable, "step_paddle.py", *what]
    steppers = {"ours": Stepper(ours, args.threads)}
    if args.torch_python:
        steppers["torch"] = Stepper(
            [args.torch_python, "step_torch.py", *what], args.threads
        )
    if precision == "fp32" and not args.no_stock:
        steppers["stock"] = Stepper([*ours, "--ops", "plain"], args.threads)
    for i in range(args.rounds):
        for name, stepper in steppers.items():
            if name != "stock" or i == 0:  # it is slow, and not what is compared
                stepper.step(args.clock)
    peaks = {name: stepper.close() for name, stepper in steppers.items()}
    times = {name: stepper.times for name, stepper in steppers.items()}
    row: Row = {"case": case, "batch": batch, "precision": precision}
    row |= {
        f"{name}_ms": round(min(times[name]), 1) if name in times else None
        for name in ("ours", "torch", "stock")
    }
    row |= {
        "ratio": None,
        "median_ratio": None,
        "peak_mb": peaks["ours"],
        "torch_peak_mb": peaks.get("torch"),
    }
    if "torch" in times:
        row["ratio"] = round(min(times["ours"]) / min(times["torch"]), 3)
        pairs = zip(times["ours"], times["torch"], strict=True)
        row["median_ratio"] = round(statistics.median(a / b for a, b in pairs), 3)
    return row


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the command's arguments: its own, and those that all such benchmarks have."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the rows there too"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu, of 1 thread, on a busy machine",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="only cases whose name has this in it",
    )
    return parser.parse_args()


def write_rows(rows: Sequence[Row], args: argparse.Namespace) -> None:
    """Write the rows as json, if --json says where."""
    if args.json:
        args.json.write_text(
            json.dumps(
                {"clock": args.clock, "threads": args.threads, "rows": rows}, indent=1
            )
        )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="batch 1, without the case that takes minutes",
    )
    parser.add_argument(
        "--torch_python",
        metavar="PYTHON",
        help="interpreter that has torch and spandrel",
    )
    parser.add_argument(
        "--no_stock", action="store_true", help="leave stock Paddle out"
    )
    parser.add_argument("--rounds", type=int, default=7)
    args = parse_args(parser)
    rows = []
    for case, batch in (
        (case, batch) for batch in ((1,) if args.quick else (1, 4)) for case in CASES
    ):
        if args.only in case and (CASES[case].quick or not args.quick):
            for precision in ("fp32", "bf16"):
                rows.append(measure(case, batch, precision, args))
                print(json.dumps(rows[-1]), flush=True)
    write_rows(rows, args)


if __name__ == "__main__":
    main()
