"""The cases of the degradation benchmark, and the arguments of its two processes."""

import argparse
from pathlib import Path

STAGES = (
    "USM",
    "blur 21x21",
    *(
        f"resize {mode} x{factor}"
        for mode in ("area", "bilinear", "bicubic")
        for factor in (0.5, 1.3)
    ),
    "gaussian noise",
    "poisson noise",
    "JPEG",
)
CHAINS = {
    "chain, published settings": "train_realesrgan_x4plus.yml",
    "chain, settings for a CPU": "finetune_cpu.yml",
}
"""The whole degradation of a batch, with the settings of an option file."""
SIGMA, POISSON_SCALE = 15.0, 1.5
QUALITY = (30.0, 95.0)
"""JPEG quality of the first and the last sample; the others are spaced evenly."""


def arguments() -> argparse.Namespace:
    """Return the arguments of a process.

    `folder` contains `input.npz`, with the float32 batch `gt` (N, 3, H, W) and its
    `kernels` (3, N, 21, 21), and `options.json`. Torch's process writes there the draws
    of each of `rounds` runs of a chain (`draws.json`), and the result and the noise of
    the first run (`result.npz`).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=[*STAGES, *CHAINS], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--basicsr", type=Path)
    parser.add_argument("--realesrgan", type=Path)
    return parser.parse_args()


def resize_case(case: str) -> tuple[str, float]:
    """Return mode and factor of a case "resize MODE xFACTOR"."""
    mode, factor = case.removeprefix("resize ").split(" x")
    return mode, float(factor)
