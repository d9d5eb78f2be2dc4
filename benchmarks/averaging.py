"""What averaging gradients over processes takes of a training's steps.

    python -m paddle.distributed.launch --nproc_per_node 2 benchmarks/averaging.py --yml_path FILE

The flags are those of train.py. After the run each process says, in its log, how long a
step took, how long it waited for the others, and how long the averaging itself was.
"""

import sys
import time
from collections.abc import Sequence

from paddle import Tensor

from realesrgan_paddle.commands.train import main
from realesrgan_paddle.utils.cli import run, say
from realesrgan_paddle.utils.machine.process_group import ProcessGroup

FIRST = 3
"""Steps that are not counted: memory and operators are set up in them."""


def timed_main() -> int:
    """Train as the flags say; return the exit code."""
    average = ProcessGroup.average
    times: list[tuple[float, float, float]] = []

    def timed(self: ProcessGroup, tensors: Sequence[Tensor]) -> None:
        begun = time.perf_counter()
        self.wait()
        all_there = time.perf_counter()
        average(self, tensors)
        times.append((begun, all_there, time.perf_counter()))

    ProcessGroup.average = timed  # type: ignore[method-assign]
    code = main(sys.argv[1:])

    steps = len(times) - FIRST
    if steps > 0:
        total = times[-1][2] - times[FIRST - 1][2]
        waited = sum(there - begun for begun, there, _ in times[FIRST:])
        averaged = sum(end - there for _, there, end in times[FIRST:])
        say(
            f"{steps} steps of {total / steps:.3f} s: waiting {waited / total:.1%}, "
            f"averaging {averaged / total:.1%}"
        )
    return code


if __name__ == "__main__":
    run(timed_main)
