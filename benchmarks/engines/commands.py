"""Times whole commands: from their start to their end, with the memory they take."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from engines.cases import tree_peaks
from engines.rows import Taken

ROOT = Path(__file__).resolve().parents[2]
LOOK_EVERY = 0.02
"""Seconds between two looks at the memory of a command's processes."""


def infer(
    checkout: Path, model: Path, image: Path, output: Path, threads: int
) -> Taken:
    """Run a checkout's tools/infer.py on one image; return what it took.

    Raises:
        RuntimeError: it failed; its messages are in the error.
    """
    command = [sys.executable, "tools/infer.py", "--model_path", str(model)]
    command += ["--input", str(image), "--output", str(output)]
    command += ["--threads", str(threads), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}

    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=checkout,
        env=environment,
    )
    ended = threading.Event()
    peaks: dict[str, float] = {}
    watch = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
    watch.start()
    messages, _ = process.communicate()
    seconds = time.perf_counter() - start
    ended.set()
    watch.join()

    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{messages}")
    return Taken([seconds], sum(peaks.values()))


def _watch(pid: int, ended: threading.Event, peaks: dict[str, float]) -> None:
    """Enter the peak memory of a process and its descendants until `ended` is set."""
    while not ended.wait(LOOK_EVERY):
        peaks.update(tree_peaks(pid))


def export(weights: Path, folder: Path) -> None:
    """Write the exported model of weights into `folder`."""
    command = [sys.executable, "tools/export_model.py", "--model_dir", str(weights)]
    command += ["--save_inference_dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
