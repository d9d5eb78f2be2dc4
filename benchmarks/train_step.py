"""Time training steps on this CPU: this project, torch and stock Paddle.

Each runs in its own process; they take steps in turns, one at a time, so that all see
the same load. A row's times are minima over the rounds, its ratio is ours to torch's,
and peak_mb is our process's peak memory. torch is channels-last, with autocast for
bfloat16. Stock Paddle (`cpu_ops: plain`, float32 only) runs in the environment that
this project starts Paddle in.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from step_cases import CASES

from realesrgan_paddle.utils.machine.devices import core_count, has_bf16

HERE = Path(__file__).parent
Row = dict[str, str | int | float | None]
SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
FAST = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16")
"""Instructions on which the choice of precision depends, as /proc/cpuinfo names them."""


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep so many processes busy, as other programs on a user's machine do."""
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


def machine() -> str:
    """Return the processor's name, its cores, and what it multiplies fast."""
    words = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            words.setdefault(name.strip(), value.strip())
    model = words.get("model name") or platform.processor() or "unknown processor"
    family = words.get("cpu family", "?"), words.get("model", "?")
    flags = words.get("flags", "").split()
    has = [name for name in FAST if name in flags]
    return (
        f"{model} (family {family[0]}, model {family[1]}), {core_count()} cores, "
        f"{' '.join(has) or 'none of ' + ' '.join(FAST)}"
    )


class Stepper:
    """A process that takes one training step at a time, on request.

    Attributes:
        times: milliseconds of each step.
    """

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
        """Take one step and record its time."""
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
    steppers = _start(case, batch, precision, args)
    with busy(args.busy):
        for i in range(args.rounds):
            for name, stepper in steppers.items():
                # One round is enough for stock Paddle: it is slow, and no ratio needs it.
                if name != "stock" or i == 0:
                    stepper.step(args.clock)

    peaks = {name: stepper.close() for name, stepper in steppers.items()}
    times = {name: stepper.times for name, stepper in steppers.items()}

    row: Row = {"case": case, "batch": batch, "precision": precision}
    for name in ("ours", "torch", "stock"):
        row[f"{name}_ms"] = round(min(times[name]), 1) if name in times else None

    ratio = median_ratio = None
    if "torch" in times:
        pairs = zip(times["ours"], times["torch"], strict=True)
        ratios = [ours / torch for ours, torch in pairs]
        ratio = round(min(times["ours"]) / min(times["torch"]), 3)
        median_ratio = round(statistics.median(ratios), 3)
    row["ratio"] = ratio
    row["median_ratio"] = median_ratio

    row["peak_mb"] = peaks["ours"]
    row["torch_peak_mb"] = peaks.get("torch")
    return row


def _start(
    case: str, batch: int, precision: str, args: argparse.Namespace
) -> dict[str, Stepper]:
    """Return the processes of a case, by name, ready for their first step."""
    options = ["--case", case, "--batch", str(batch), "--precision", precision]
    options += ["--threads", str(args.threads)]

    ours = [sys.executable, "step_paddle.py", *options]
    commands = {"ours": ours}
    if args.torch_python:
        commands["torch"] = [args.torch_python, "step_torch.py", *options]
    if precision == "fp32" and not args.no_stock:
        commands["stock"] = [*ours, "--ops", "plain"]

    return {name: Stepper(words, args.threads) for name, words in commands.items()}


def add_busy(parser: argparse.ArgumentParser) -> None:
    """Add the flag for processes that keep cores busy."""
    parser.add_argument(
        "--busy",
        type=int,
        default=0,
        metavar="N",
        help="keep N other processes busy meanwhile; default: none",
    )


def parse_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the command's arguments: the parser's, and those that benchmarks share."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the rows to this file"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu (processor time) suits a busy machine, with --threads 1",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="only cases whose name contains this",
    )
    return parser.parse_args()


def write_rows(rows: Sequence[Row], args: argparse.Namespace) -> None:
    """Write the rows as JSON if --json is given."""
    if args.json:
        report = {"clock": args.clock, "threads": args.threads, "rows": rows}
        args.json.write_text(json.dumps(report, indent=1))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="batch 1 only, without the case that takes minutes",
    )
    parser.add_argument(
        "--torch_python",
        metavar="PYTHON",
        help="interpreter with torch and spandrel; default: no comparison with torch",
    )
    parser.add_argument(
        "--no_stock", action="store_true", help="do not run stock Paddle"
    )
    parser.add_argument("--rounds", type=int, default=7)
    add_busy(parser)
    args = parse_args(parser)
    print(machine(), file=sys.stderr)
    batches = (1,) if args.quick else (1, 4)
    cases = [name for name in CASES if args.only in name]
    if args.quick:
        cases = [name for name in cases if CASES[name].quick]

    precisions = ["fp32"]
    if has_bf16():
        precisions.append("bf16")
    else:
        print("no rows in bf16: this CPU does not multiply in it", file=sys.stderr)

    rows = []
    for batch, case, precision in product(batches, cases, precisions):
        row = measure(case, batch, precision, args)
        rows.append(row)
        print(json.dumps(row), flush=True)
    write_rows(rows, args)


if __name__ == "__main__":
    main()
