"""Weights and images of record_perceptual_metrics.py and its test."""

from itertools import pairwise

import formulas
import numpy as np

SHAPE = (2, 3, 48, 56)
GAIN = 1.4

_VGG_NUMBERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_VGG_CHANNELS = (3, 64, 64, 128, 128, *[256] * 3, *[512] * 6)
CONVOLUTIONS = {
    "alex": {
        0: (64, 3, 11),
        3: (192, 64, 5),
        6: (384, 192, 3),
        8: (256, 384, 3),
        10: (256, 256, 3),
    },
    "vgg": {
        k: (out, in_ch, 3)
        for k, (in_ch, out) in zip(_VGG_NUMBERS, pairwise(_VGG_CHANNELS), strict=True)
    },
}
"""Number in torchvision's `features`: (out, in, kernel)."""
COMPARED = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}
FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}
"""Number in torchvision's `features`: (in, squeezed, out of each expansion)."""


def network(net: str) -> dict[str, np.ndarray]:
    """Return convolutions under torchvision's names."""
    if net == "squeeze":
        return formulas.weights(squeezenet_shapes(), GAIN)
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (out, in_ch, size) in CONVOLUTIONS[net].items():
        shapes[f"features.{number}.weight"] = (out, in_ch, size, size)
        shapes[f"features.{number}.bias"] = (out,)
    return formulas.weights(shapes, GAIN)


def squeezenet_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shapes of SqueezeNet 1.1's tensors in torchvision's order."""
    weights = {"0": (64, 3, 3, 3)}
    for number, (in_ch, squeezed, out) in FIRES.items():
        weights[f"{number}.squeeze"] = (squeezed, in_ch, 1, 1)
        weights[f"{number}.expand1x1"] = (out, squeezed, 1, 1)
        weights[f"{number}.expand3x3"] = (out, squeezed, 3, 3)

    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        shapes[f"features.{name}.weight"] = shape
        shapes[f"features.{name}.bias"] = shape[:1]
    return shapes


def linear(net: str) -> dict[str, np.ndarray]:
    """Return the linear layers of LPIPS, not negative."""
    shapes = {
        f"lin{i}.weight": (1, channels, 1, 1)
        for i, channels in enumerate(COMPARED[net])
    }
    return {name: np.abs(formulas.noise(name, shape)) for name, shape in shapes.items()}


def dists() -> dict[str, np.ndarray]:
    """Return the weights of DISTS, not negative."""
    return {
        name: np.abs(formulas.noise(name, (1, 1475, 1, 1)))
        for name in ("alpha", "beta")
    }


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return sr and gt, (2, 3, 48, 56) in [0, 1]."""
    return formulas.picture("sr", SHAPE), formulas.picture("gt", SHAPE)
