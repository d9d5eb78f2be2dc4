"""The regular grid that an upscaling network may leave in its output."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from realesrgan_paddle.utils.metrics.similarity import luma

NOISE = 2.0
"""Standard deviation of the noise that is added to a picture's energy [levels of 255].

A grid of less than that is not visible, and where the picture is flat there is no other
energy to compare it with.
"""
BLOCK = 64
"""Side of the blocks whose spectra are looked at [pixels]; they overlap by half."""
LEAST_PERIODS = 8
"""Periods that a block must have, for `RING` to fit between two frequencies."""
NEAR = 1
"""Distance from a frequency of the grid that counts as it [bins]: the window's width."""
RING = (3, 4)
"""Distances from a frequency of the grid whose energy it is compared with [bins]."""
MOST = 8.0
"""A ratio counts as at most this: a grid has more than one frequency.

A fence of 6 pixels has one of a grid of 4, its third harmonic at 1/2.
"""
INNER_PERIOD = 4
"""Enlargement inside all RRDBNets, those of scale 1 and 2 included [pixels]."""


def grid_index(image: np.ndarray, scale: int) -> float:
    """Return the energy at the upscaled grid's frequencies relative to those around.

    A network makes `scale` x `scale` pixels of each input pixel. If it treats them
    differently, the difference repeats every `scale` pixels: Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts". That is energy at the frequencies
    (i / scale, j / scale). Pictures have about as much energy there as around: 1.

    The ratio is averaged over the frequencies of a block, its logarithm over the blocks:
    a fence that happens to repeat every `scale` pixels counts in its own blocks only.

    Args:
        image: uint8 (H, W, 3) RGB.
        scale: the network's upscaling factor. Periods of 4 pixels count, too.

    Returns:
        The index; NaN for images with a side of less than eight periods.
    """
    y = luma(image).astype(np.float32)
    periods = {scale, INNER_PERIOD} - {1}
    if min(y.shape) < LEAST_PERIODS * max(periods):
        return math.nan
    return max(_index_of_period(y, period) for period in periods)


def _index_of_period(y: np.ndarray, period: int) -> float:
    """Return the index of a luma (H, W) for one period."""
    most = max(BLOCK, LEAST_PERIODS * period)
    side = min(most, *y.shape)
    side -= side % period
    energy = _energies(y, side)

    # A cell of bins around each frequency of the grid, which is in the cell's center.
    bins = side // period
    half = bins // 2
    energy = np.roll(energy, (half, half), (1, 2))
    cells = energy.reshape(-1, period, bins, period, bins)
    cells = cells.swapaxes(2, 3)

    from_center = np.abs(np.arange(bins) - half)
    distance = np.maximum.outer(from_center, from_center)
    nearest, farthest = RING
    is_near = distance <= NEAR
    in_ring = (distance >= nearest) & (distance <= farthest)

    at_grid = cells[..., is_near].mean(-1)
    around = cells[..., in_ring].mean(-1)

    ratios = (at_grid / around).reshape(len(cells), -1)
    without_mean = ratios[:, 1:]  # the first is frequency 0
    of_blocks = np.minimum(without_mean, MOST).mean(1)
    mean_logarithm = np.log(of_blocks).mean()
    return float(np.exp(mean_logarithm))


def _energies(y: np.ndarray, side: int) -> np.ndarray:
    """Return the energy of each bin, with `NOISE`, of each block (n, side, side)."""
    blocks = sliding_window_view(y, (side, side))
    step = side // 2
    blocks = blocks[::step, ::step]
    blocks = blocks.reshape(-1, side, side)
    means = blocks.mean((1, 2), keepdims=True)

    hann = np.hanning(side + 1)[:-1]
    window = np.outer(hann, hann)
    window = window.astype(np.float32)
    windowed = (blocks - means) * window
    spectra = np.fft.fft2(windowed)

    noise = NOISE**2 * np.square(window).sum()
    magnitudes = np.abs(spectra)
    return magnitudes**2 + noise
