"""A network in the forms that the engines of the inference benchmark read."""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from engines.commands import export
from engines.ncnn_files import write_ncnn
from realesrgan_paddle.models.weights.read_generator import (
    WEIGHT_FILES,
    locate,
    read_generator,
)

BENCHMARKS = Path(__file__).resolve().parents[1]


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
