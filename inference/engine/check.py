"""Compare the engine's convolutions with NumPy's, once a process."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from realesrgan_paddle.inference.engine.int8 import (
    LARGEST,
    IntegerConvolutionSpec,
    IntegerWeights,
    integer_convolution,
)
from realesrgan_paddle.inference.engine.operators import EngineOps
from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.inference.engine.tensors import Image, Weight
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

    recorder = Recorder()
    x = Image(recorder, *image.shape)
    x.array[...] = image
    ops = EngineOps(recorder, dtype, {})
    features = ops.conv(x, *first, slope=0.2)
    found = ops.leave(ops.conv(features, *second, slope=0.2)).array

    expected = _activated(_activated(image, *first), *second)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    if not difference <= TOLERANCE[dtype]:
        raise OneDNNError(f"its convolutions differ by {difference:.1g} from NumPy's")


@lru_cache
def check_integers() -> None:
    """Raise OneDNNError if sums of integers are not exact on this processor.

    Processors without VNNI add pairs of products in 16 bits, which large ones exceed.
    """
    random = np.random.default_rng(0)
    shape = (CHANNELS, CHANNELS, 3, 3)
    weight = random.integers(-LARGEST, LARGEST + 1, shape).astype(np.float32)
    weight[:, 0, 0, 0] = LARGEST  # so that integers stay as they are
    bias = np.zeros(CHANNELS, np.float32)
    weights = IntegerWeights(weight, bias, None, np.ones(CHANNELS, np.float32))

    recorder = Recorder()
    memory = Buffer(recorder, HEIGHT * WIDTH * CHANNELS)
    x = memory.array(np.int8, HEIGHT, WIDTH, CHANNELS)
    x[...] = random.integers(-LARGEST, LARGEST + 1, x.shape)
    out = Buffer(recorder, 4 * x.size)
    spec = IntegerConvolutionSpec(CHANNELS, CHANNELS, HEIGHT, WIDTH, F32)
    integer_convolution(spec)(recorder, x.ctypes.data, weights, out.address)

    channels_first = x.astype(np.float32).transpose(2, 0, 1)
    expected = _convolve(channels_first, weight).transpose(1, 2, 0)
    found = out.array(np.float32, HEIGHT, WIDTH, CHANNELS)
    difference = np.abs(found - expected)
    if not difference.max() < 1:
        raise OneDNNError("its sums of 8-bit integers are not exact on this processor")


def _weight(
    random: np.random.Generator, name: str, in_ch: int
) -> tuple[Weight, Weight]:
    shape = (CHANNELS, in_ch, 3, 3)
    weight = random.standard_normal(shape, np.float32)
    bias = random.standard_normal(CHANNELS, np.float32)
    return Weight(f"{name}.weight", weight), Weight(f"{name}.bias", bias)


def _convolve(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the 3x3 convolution of x (C, H, W)."""
    margins = ((0, 0), (1, 1), (1, 1))
    padded = np.pad(x, margins)
    windows = sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("chwij,ocij->ohw", windows, weight)


def _activated(x: np.ndarray, weight: Weight, bias: Weight) -> np.ndarray:
    """Return the convolution of x with its biases, through a leaky ReLU."""
    y = _convolve(x, weight.array) + bias.array[:, None, None]
    return np.where(y > 0, y, 0.2 * y)
