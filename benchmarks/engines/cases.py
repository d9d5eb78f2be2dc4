"""Which engines are compared, and how their processes communicate.

Shared by this project's process and the peers', whose Python has other packages.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

OURS = {"onednn": ("fp32", "bf16"), "paddle": ("fp32",)}
"""This project's engines, and the precisions of each."""
SHIPPED = "torch"
"""Real-ESRGAN as shipped: eager torch, NCHW, float32. PSNR is measured against it."""
PEERS = {
    "fp32": (SHIPPED, "torch channels-last", "OpenVINO", "onnxruntime", "ncnn"),
    "bf16": ("torch autocast", "OpenVINO bf16", "ncnn bf16", "ncnn fp16"),
}
"""The other engines of each precision.

fp16 of ncnn stands with bf16: it too is a 16-bit format for weights and activations, and
on these CPUs ncnn computes in float32 with either.
"""

Run = Callable[[np.ndarray], np.ndarray]


def arguments(engines: list[str]) -> argparse.Namespace:
    """Return the process's arguments: engine, precision, folder, threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=engines, required=True)
    parser.add_argument("--precision", choices=PEERS, default="fp32")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def serve(run: Run, images: np.ndarray, output: Path) -> None:
    """Call `run` on `images` once, then once for each line on stdin.

    The first call's result is written to `output`. Prints "ready", the milliseconds of
    each later call, and at the end the peak memory in MB of this process and those that
    it has started.
    """
    np.save(output, run(images))
    print("ready", flush=True)

    for _ in sys.stdin:
        start = time.perf_counter()
        run(images)
        seconds = time.perf_counter() - start
        print(1000 * seconds, flush=True)

    peaks = tree_peaks("self")
    print(round(sum(peaks.values())), flush=True)


def tree_peaks(pid: int | str) -> dict[str, float]:
    """Return {process id: peak resident memory in MB} of a process and its descendants.

    The peak is `VmHWM` in /proc. `ru_maxrss` of getrusage would be that of the process
    which started this one, where that is larger.
    """
    process = Path("/proc", str(pid))
    peaks = {}
    children: list[str] = []
    try:
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peaks[str(pid)] = int(line.split()[1]) / 1024
        for thread in (process / "task").iterdir():
            children += (thread / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended in between

    for child in children:
        peaks |= tree_peaks(child)
    return peaks
