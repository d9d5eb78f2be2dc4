"""Compare the convolution of 8-bit integers with NumPy's, once a process."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from realesrgan_paddle.inference.engine.int8.convolution import (
    LARGEST,
    IntegerConvolutionSpec,
    IntegerWeights,
    integer_convolution,
)
from realesrgan_paddle.inference.engine.tape import Buffer, Tape
from realesrgan_paddle.ops.onednn.library import F32, OneDNNError

HEIGHT, WIDTH, CHANNELS = 9, 7, 16


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

    tape = Tape()
    memory = Buffer(tape, HEIGHT * WIDTH * CHANNELS)
    x = memory.array(np.int8, HEIGHT, WIDTH, CHANNELS)
    x[...] = random.integers(-LARGEST, LARGEST + 1, x.shape)
    out = Buffer(tape, 4 * x.size)
    spec = IntegerConvolutionSpec(CHANNELS, CHANNELS, HEIGHT, WIDTH, F32)
    integer_convolution(spec)(tape, x.ctypes.data, weights, out.address)

    exact = x.astype(np.float32)
    margins = ((1, 1), (1, 1), (0, 0))
    padded = np.pad(exact, margins)
    windows = sliding_window_view(padded, (3, 3), (0, 1))
    expected = np.einsum("hwcij,ocij->hwo", windows, weight)
    found = out.array(np.float32, HEIGHT, WIDTH, CHANNELS)

    difference = np.abs(found - expected)
    if not difference.max() < 1:
        raise OneDNNError("its sums of 8-bit integers are not exact on this processor")
