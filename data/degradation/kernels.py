"""The blur kernels of Real-ESRGAN's degradation: six gaussian-like kinds, the sinc filter; and motion (no Paddle).

Formulas: Wang et al. 2021, "Real-ESRGAN", sections 3.1 and 3.4; draws as in its
training data set (realesrgan/data/realesrgan_dataset.py). Sizes and standard deviations
are in pixels, angles in radians.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import convolve2d
from scipy.special import j1

from realesrgan_paddle.options.schema.config import BlurOptions, KernelOptions

SMALLEST_KERNEL = 7


class Kernels(NamedTuple):
    """One sample's three kernels, each float32 (k, k) and summing to 1."""

    first: np.ndarray
    """Blur of the first pass."""
    second: np.ndarray
    """Blur of the second pass."""
    final: np.ndarray
    """The last sinc filter, or a pulse, which changes nothing."""


def draw_kernels(options: KernelOptions, rng: np.random.Generator) -> Kernels:
    """Return one sample's kernels, padded with zeros to `blur_kernel_size`, `blur_kernel_size2` and again that.

    Where there may be motion, it is joined into the first, which is larger then by the
    longest motion.
    """
    first = draw_blur_kernel(options.first_blur, rng)
    second = draw_blur_kernel(options.second_blur, rng)
    largest = options.blur_kernel_size2
    if rng.random() < options.final_sinc_prob:
        final = sinc_kernel(
            _draw_size(largest, rng), cutoff=rng.uniform(np.pi / 3, np.pi)
        )
    else:
        final = np.ones((1, 1))
    if options.motion_blur_prob:
        first = _add_motion(first, options, rng)
    return Kernels(first, second, _pad(final, largest))


def draw_blur_kernel(options: BlurOptions, rng: np.random.Generator) -> np.ndarray:
    """Return a sinc filter or a kernel of the six kinds, its size drawn from 7 on: float32 (k, k), zero-padded."""
    size = _draw_size(options.blur_kernel_size, rng)
    if rng.random() < options.sinc_prob:
        # A small kernel cannot hold the ripples of a low cutoff.
        kernel = sinc_kernel(
            size, cutoff=rng.uniform(np.pi / 3 if size < 13 else np.pi / 5, np.pi)
        )
    else:
        kernel = _draw_mixed_kernel(options, size, rng)
    return _pad(kernel, options.blur_kernel_size)


def gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float
) -> np.ndarray:
    """Return the gaussian exp(-d / 2) of the squared distance d, rotated by `theta`: float64 (size, size), sum 1."""
    return generalized_gaussian_kernel(size, sigma_x, sigma_y, theta, beta=1)


def generalized_gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float, beta: float
) -> np.ndarray:
    """Return exp(-d**beta / 2) (beta < 1: heavier tails, > 1: a flat top): float64 (size, size), sum 1.

    Pascal et al. 2013, "Parameter Estimation For Multivariate Generalized Gaussian
    Distributions".
    """
    return _normalized(
        np.exp(-0.5 * _squared_distance(size, sigma_x, sigma_y, theta) ** beta)
    )


def plateau_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float, beta: float
) -> np.ndarray:
    """Return 1 / (1 + d**beta), a plateau with long tails: float64 (size, size), sum 1."""
    return _normalized(
        1 / (1 + _squared_distance(size, sigma_x, sigma_y, theta) ** beta)
    )


def sinc_kernel(size: int, cutoff: float) -> np.ndarray:
    """Return the ideal circular low-pass filter (it rings): float64 (size, size), sum 1.

    cutoff * J1(cutoff * r) / (2 pi r) at distance r from the centre, with `cutoff` in
    radians per pixel (pi passes all that the grid holds); its limit at r = 0 is
    cutoff**2 / (4 pi).
    """
    radius = np.sqrt(_squared_distance(size, 1, 1, 0))
    centre = radius == 0
    ripple = cutoff * j1(cutoff * radius) / (2 * np.pi * np.where(centre, 1, radius))
    return _normalized(np.where(centre, cutoff**2 / (4 * np.pi), ripple))


def motion_kernel(size: int, length: float, theta: float) -> np.ndarray:
    """Return a straight line through the centre, `length` pixels long, as a motion leaves it: float64 (size, size).

    Points every eighth of a pixel, each shared among the four pixels around it; they
    sum to 1.

    Args:
        size: side of the kernel in pixels, odd and more than `length`.
        length: of the motion while the shutter is open; 0 is none.
        theta: its direction.
    """
    along = np.linspace(-length / 2, length / 2, 1 + int(np.ceil(8 * length)))
    x, y = size // 2 + along * np.cos(theta), size // 2 + along * np.sin(theta)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros(
        (size + 1, size + 1)
    )  # a line that ends on the last pixel has a share of 0 in the next
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (1 - np.abs(x - left - right)) * (1 - np.abs(y - top - down))
        np.add.at(kernel, (top + down, left + right), share)
    return _normalized(kernel[:size, :size])


def _add_motion(
    kernel: np.ndarray, options: KernelOptions, rng: np.random.Generator
) -> np.ndarray:
    """Return `kernel` followed by a motion or, drawn so, by none: float32, of one size for all draws."""
    moves = rng.random() < options.motion_blur_prob
    length, theta = rng.uniform(*options.motion_blur_range), rng.uniform(0, np.pi)
    size = 2 * int(np.ceil(options.motion_blur_range[1] / 2)) + 1
    return convolve2d(
        kernel, motion_kernel(size, length if moves else 0, theta)
    ).astype(np.float32)


def _draw_size(largest: int, rng: np.random.Generator) -> int:
    return int(rng.choice(np.arange(SMALLEST_KERNEL, largest + 1, 2)))


def _draw_mixed_kernel(
    options: BlurOptions, size: int, rng: np.random.Generator
) -> np.ndarray:
    chances = np.asarray(options.kernel_prob) / np.sum(options.kernel_prob)
    kind = options.kernel_list[rng.choice(len(chances), p=chances)]
    sigma_x = sigma_y = rng.uniform(*options.blur_sigma)
    theta = 0.0
    if kind.endswith("aniso"):
        sigma_y = rng.uniform(*options.blur_sigma)
        theta = rng.uniform(-np.pi, np.pi)
    if kind in ("iso", "aniso"):
        return gaussian_kernel(size, sigma_x, sigma_y, theta)
    generalized = kind.startswith("generalized")
    low, high = options.betag_range if generalized else options.betap_range
    # Below and above 1 are equally likely, however wide either side is.
    beta = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
    shape = generalized_gaussian_kernel if generalized else plateau_kernel
    return shape(size, sigma_x, sigma_y, theta, beta)


def _squared_distance(
    size: int, sigma_x: float, sigma_y: float, theta: float
) -> np.ndarray:
    """Return the squared distance of each pixel from the centre, in standard deviations along the rotated axes."""
    axis = np.arange(size) - size // 2
    x, y = np.meshgrid(axis, axis)
    along = x * np.cos(theta) + y * np.sin(theta)
    across = y * np.cos(theta) - x * np.sin(theta)
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _normalized(kernel: np.ndarray) -> np.ndarray:
    return kernel / kernel.sum()


def _pad(kernel: np.ndarray, size: int) -> np.ndarray:
    return np.pad(kernel, (size - len(kernel)) // 2).astype(np.float32)
