"""A process that runs one of this project's engines on an exported model; see infer.py."""

import os
from pathlib import Path

import numpy as np

from engines.cases import OURS, Run, arguments, serve
from realesrgan_paddle.inference.open_runner import open_runner


def open_ours(folder: Path, engine: str, precision: str, threads: int) -> Run:
    """Return this project's runner of the exported model in a folder."""
    if precision not in OURS[engine]:
        raise ValueError(f"{engine} has no {precision}")
    return open_runner(
        folder, engine=engine, precision=precision, device="cpu", threads=threads
    )


def main() -> None:
    """Serve calls until stdin ends."""
    args = arguments(list(OURS))
    os.environ["OMP_NUM_THREADS"] = str(args.threads)

    folder = args.model / "infer"
    run = open_ours(folder, args.engine, args.precision, args.threads)
    serve(run, np.load(args.input), args.output)


if __name__ == "__main__":
    main()
