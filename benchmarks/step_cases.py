"""What the training step's benchmark measures, and how its processes communicate.

Shared by Paddle's process and torch's.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import NamedTuple


class Case(NamedTuple):
    """A network and its input.

    "gan" is the whole step of SRVGGNetCompact with U-Net discriminator and VGG19.
    """

    network: str
    blocks: int
    size: int
    """Height and width of the input, in pixels."""
    quick: bool
    """Whether `--quick` includes it."""


CASES = {
    "RRDBNet nb=2, 64x64": Case("rrdbnet", 2, 64, True),
    "RRDBNet nb=23, 64x64": Case("rrdbnet", 23, 64, False),
    "SRVGGNetCompact, 64x64": Case("srvgg", 16, 64, True),
    "U-Net discriminator, 256x256": Case("unet", 0, 256, True),
    "GAN step, SRVGGNetCompact, 64x64 to 256x256": Case("gan", 16, 64, True),
}
VGG_CHANNELS = (3, 64, 64, 128, 128, *[256] * 4, *[512] * 8)
VGG_LAYER_WEIGHTS = {
    "conv1_2": 0.1,
    "conv2_2": 0.1,
    "conv3_4": 1.0,
    "conv4_4": 1.0,
    "conv5_4": 1.0,
}


def arguments() -> argparse.Namespace:
    """Return the process's arguments: case, batch, precision, operators, threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=CASES, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), required=True)
    parser.add_argument("--ops", choices=("onednn", "plain"), default="onednn")
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def serve(step: Callable[[], None], warm_up: int = 2) -> None:
    """Take `warm_up` steps, then one step for each line on stdin.

    A line names the clock: "wall", or "cpu" for the processor time of all threads.
    Prints "ready", the milliseconds of each step, and at the end the peak memory in MB.
    """
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    for _ in range(warm_up):
        step()
    print("ready", flush=True)

    for line in sys.stdin:
        clock = clocks[line.strip()]
        start = clock()
        step()
        seconds = clock() - start
        print(json.dumps(1000 * seconds), flush=True)

    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak_kb // 1024, flush=True)
