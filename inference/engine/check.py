"""Compare the engine's convolution with NumPy's, once a process."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from realesrgan_paddle.inference.engine.operators import EngineOps
from realesrgan_paddle.inference.engine.tape import Tape
from realesrgan_paddle.inference.engine.values import Image, Weight
from realesrgan_paddle.ops.onednn.library import BF16, F32, OneDNNError

TOLERANCE = {F32: 1e-5, BF16: 0.03}
"""Largest difference allowed, relative to the largest value; a wrong one differs by 1.

Measured: 5e-7 and 5e-3.
"""
HEIGHT, WIDTH = 9, 7
CHANNELS = 16


@lru_cache
def check_operators(dtype: int) -> None:
    """Raise OneDNNError if a convolution is not what it should be on this processor."""
    random = np.random.default_rng(0)
    image = random.random((3, HEIGHT, WIDTH), np.float32)
    first = _weight(random, "first", 3)
    second = _weight(random, "second", CHANNELS)

    tape = Tape()
    x = Image(tape, *image.shape)
    x.array[...] = image
    ops = EngineOps(tape, dtype, {})
    features = ops.conv(x, *first, slope=0.2)
    found = ops.leave(ops.conv(features, *second, slope=0.2)).array

    expected = _convolve(_convolve(image, *first), *second)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    if not difference <= TOLERANCE[dtype]:
        raise OneDNNError(f"its convolutions differ by {difference:.1g} from NumPy's")


def _weight(
    random: np.random.Generator, name: str, in_ch: int
) -> tuple[Weight, Weight]:
    shape = (CHANNELS, in_ch, 3, 3)
    weight = random.standard_normal(shape, np.float32)
    bias = random.standard_normal(CHANNELS, np.float32)
    return Weight(f"{name}.weight", weight), Weight(f"{name}.bias", bias)


def _convolve(x: np.ndarray, weight: Weight, bias: Weight) -> np.ndarray:
    """Return the 3x3 convolution of x (C, H, W), through a leaky ReLU."""
    margins = ((0, 0), (1, 1), (1, 1))
    padded = np.pad(x, margins)
    windows = sliding_window_view(padded, (3, 3), (1, 2))
    products = np.einsum("chwij,ocij->ohw", windows, weight.array)

    biases = bias.array[:, None, None]
    y = products + biases
    negative = 0.2 * y
    return np.where(y > 0, y, negative)
