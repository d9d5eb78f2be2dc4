"""Record TecoGAN's tOF and tLP: tests/reference/temporal_consistency.npz.

    export PYTHONPATH=tests/helpers:tests/record
    python tests/record/metrics/record_temporal_consistency.py --tecogan PATH

PATH is a checkout of thunil/TecoGAN (recorded at bc747a4). Its metrics.py is run as it is
on the clips of sample_temporal.py, on the CPU. Needs torch, torchvision, absl-py and
OpenCV; what else it imports is not used for tOF and tLP, and left empty. The weights of
LPIPS are those of sample_perceptual_metrics.py.
"""

import argparse
import os
import runpy
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import numpy as np
import sample_perceptual_metrics
import sample_temporal
import torch
import torchvision

OUTPUT = Path(__file__).resolve().parents[2] / "reference/temporal_consistency.npz"
UNUSED = (
    "IPython",
    "matplotlib",
    "matplotlib.pyplot",
    "pandas",
    "scipy",
    "scipy.ndimage",
    "scipy.ndimage.interpolation",
    "skimage",
    "skimage.measure",
    "skimage.transform",
)


def alexnet(pretrained: bool) -> torch.nn.Module:
    """Return torchvision's AlexNet with weights from the formula."""
    network = torchvision.models.AlexNet()
    tensors = sample_perceptual_metrics.network("alex")
    state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    network.load_state_dict(state, strict=False)
    return network


def linear_layers(load: Callable[..., dict]) -> Callable[..., dict]:
    """Return torch.load, but with linear layers from the formula."""

    def replaced(path: str, **_: object) -> dict:
        state = load(path, map_location="cpu")
        for name, tensor in sample_perceptual_metrics.linear("alex").items():
            layer = name.removesuffix(".weight")
            (key,) = [key for key in state if key.startswith(layer)]
            state[key] = torch.from_numpy(tensor)
        return state

    return replaced


def write_frames(folder: Path, frames: Sequence[np.ndarray]) -> None:
    folder.mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{number:04d}.png"), frame[..., ::-1])


def stay_on_the_cpu() -> None:
    torch.Tensor.cuda = lambda self: self
    torch.nn.Module.cuda = lambda self: self


def run(checkout: Path, folder: Path) -> dict[str, np.ndarray]:
    """Return what metrics.py computes for each pair of frames that it measures."""
    write_frames(folder / "result", sample_temporal.result())
    write_frames(folder / "target", sample_temporal.ground_truth())
    stay_on_the_cpu()
    sys.modules.update({name: MagicMock() for name in UNUSED})
    sys.modules["skimage.measure"].compare_ssim.return_value = 0.0
    torchvision.models.alexnet = alexnet
    torch.load = linear_layers(torch.load)

    flags = ("output", "results", "targets")
    folders = [folder / name for name in ("output", "result", "target")]
    pairs = zip(flags, folders, strict=True)
    sys.argv = ["metrics.py", *(f"--{flag}={path}" for flag, path in pairs)]
    sys.path.insert(0, str(checkout))
    os.chdir(checkout)
    terminal = sys.stdout
    computed = runpy.run_path("metrics.py")["list_dict"]
    sys.stdout = terminal
    return {name: np.float64(computed[name]) for name in ("tOF", "tLP100")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tecogan", type=Path, required=True)
    checkout = parser.parse_args().tecogan
    with tempfile.TemporaryDirectory() as folder:
        record = run(checkout, Path(folder))
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez(OUTPUT, **record)
    print(record)


if __name__ == "__main__":
    main()
