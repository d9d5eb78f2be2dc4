"""Weights and images from formulas, for torch and Paddle: only outputs are recorded."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np


def noise(name: str, shape: Sequence[int]) -> np.ndarray:
    """Return normal noise (float32) that depends on `name` and `shape` only.

    NumPy promises never to change RandomState's numbers.
    """
    return (
        np.random.RandomState(zlib.crc32(name.encode()))
        .standard_normal(list(shape))
        .astype(np.float32)
    )


def picture(name: str, shape: Sequence[int]) -> np.ndarray:
    """Return images (N, C, H, W) in [0, 1], float32.

    Slopes, an edge and noise, different in each channel.
    """
    n, c, h, w = shape
    y, x = np.mgrid[0:h, 0:w]
    slopes = np.stack(
        [(np.sin(0.2 * x + k) + np.cos(0.3 * y - 2 * k)) / 8 for k in range(c)]
    )
    edge = 0.3 * (x + y > (h + w) / 2)
    return np.clip(
        0.35 + slopes + edge + 0.05 * noise(name, (n, c, h, w)), 0, 1
    ).astype(np.float32)


def weights(
    shapes: Mapping[str, Sequence[int]], gain: float = 1.0
) -> dict[str, np.ndarray]:
    """Return a tensor for each name and shape; biases are small.

    `gain` is chosen to keep the network's signal level.
    """
    return {name: _weight(name, list(shape), gain) for name, shape in shapes.items()}


def _weight(name: str, shape: list[int], gain: float) -> np.ndarray:
    values = noise(name, shape)
    if name.endswith(("weight_u", "weight_v")):
        return values / np.linalg.norm(values)
    if len(shape) == 4:
        return values * np.float32(gain / np.sqrt(np.prod(shape[1:])))
    return np.float32(0.1) * values + np.float32(0.2 if name.endswith("weight") else 0)
