"""A network in the forms that the engines read, and whole commands that run it, timed."""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from engines.cases import tree_peaks
from engines.ncnn_files import write_ncnn
from engines.rows import Taken
from realesrgan_paddle.models.weights.read_generator import (
    WEIGHT_FILES,
    locate,
    read_generator,
)

BENCHMARKS = Path(__file__).resolve().parents[1]
ROOT = BENCHMARKS.parent
LOOK_EVERY = 0.02
"""Seconds between two looks at the memory of a command's processes."""


class Network:
    """A network in the forms that the engines read, in a temporary folder.

    Args:
        name: a released model's name, or of a file in the folder of weights.
        args: the command's arguments.
    """

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name = name
        weights = _find(name, args.weights)
        self._temporary = tempfile.TemporaryDirectory(prefix="infer_benchmark_")
        self.folder = Path(self._temporary.name)
        export(weights, self.folder / "infer")

        if args.peers_python:
            network, tensors = read_generator(weights)
            np.savez(self.folder / "weights.npz", **tensors)
            write_ncnn(network, tensors, self.folder)
            command = self.process(args.peers_python, "peers", "write ONNX", args)
            subprocess.run(command, check=True, cwd=BENCHMARKS)

    def process(
        self, python: str, side: str, engine: str, args: argparse.Namespace
    ) -> list[str]:
        """Return the command of an engine's process; `side` is "ours" or "peers".

        It is run in the folder of benchmarks.
        """
        command = [python, "-W", "ignore", "-m", f"engines.{side}", "--engine", engine]
        command += ["--model", str(self.folder), "--threads", str(args.threads)]
        command += ["--input", str(self.folder / "input.npy")]
        return [*command, "--output", str(self.output(engine))]

    def output(self, engine: str) -> Path:
        """Return where an engine's result is."""
        return self.folder / f"{engine}.npy"


def _find(name: str, folder: Path | None) -> Path:
    """Return the file of that name in a folder, or else the downloaded file."""
    if folder is not None:
        for suffix in WEIGHT_FILES:
            path = folder / f"{name}{suffix}"
            if path.exists():
                return path.resolve()
    return locate(name).resolve()


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
