"""Weights and images of record_fid.py and test_fid.py."""

from collections.abc import Iterator, Mapping

import formulas
import numpy as np

SHAPE = (2, 3, 120, 180)
GAIN = 1.6
SET_SIZE = 12
"""Images in each of the sets whose FID is recorded."""


def pictures() -> np.ndarray:
    """Return two images, (2, 3, 120, 180) in [0, 1]."""
    return formulas.picture("inception", SHAPE)


def weights(
    layers: Mapping[str, tuple[int, int, int, int]],
) -> dict[str, np.ndarray]:
    """Return tensors for pytorch-fid's network by its names."""
    tensors = {}
    for name, shape in layers.items():
        out = shape[:1]
        tensors |= formulas.weights({f"{name}.conv.weight": shape}, GAIN)
        tensors[f"{name}.bn.weight"] = 1 + 0.1 * formulas.noise(f"{name} gain", out)
        tensors[f"{name}.bn.bias"] = 0.1 * formulas.noise(f"{name} shift", out)
        tensors[f"{name}.bn.running_mean"] = 0.1 * formulas.noise(f"{name} mean", out)
        variance = 1 + 0.1 * formulas.noise(f"{name} variance", out)
        tensors[f"{name}.bn.running_var"] = variance
    return tensors


def features() -> tuple[np.ndarray, np.ndarray]:
    """Return features of two sets, (60, 40) and (50, 40)."""
    mixed = formulas.noise("mix", (40, 40))
    first = formulas.noise("first", (60, 40))
    second = 0.3 + formulas.noise("second", (50, 40)) @ mixed / 6
    return first, second


def made_set(name: str, noise: float) -> Iterator[np.ndarray]:
    """Yield images, uint8 RGB (96, 128, 3)."""
    shape = (1, 3, 96, 128)
    for i in range(SET_SIZE):
        image = formulas.picture(f"{name} {i}", shape)
        image = image * (0.4 + 0.05 * i)
        image = image + noise * formulas.noise(f"{name} noise {i}", shape)
        yield np.rint(255 * image[0].clip(0, 1).transpose(1, 2, 0)).astype(np.uint8)
