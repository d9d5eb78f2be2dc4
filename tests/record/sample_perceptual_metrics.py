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
COMPARED = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


def network(net: str) -> dict[str, np.ndarray]:
    """Return convolutions under torchvision's names."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, (out, in_ch, size) in CONVOLUTIONS[net].items():
        shapes[f"features.{number}.weight"] = (out, in_ch, size, size)
        shapes[f"features.{number}.bias"] = (out,)
    return formulas.weights(shapes, GAIN)


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
