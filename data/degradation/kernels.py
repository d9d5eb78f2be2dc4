"""The blur kernels of Real-ESRGAN's degradation, as arrays, without Paddle.

Six gaussian-like kinds and the sinc filter: Wang et al. 2021, "Real-ESRGAN", sections
3.1 and 3.4, drawn as in its training dataset (realesrgan/data/realesrgan_dataset.py).
Motion blur is an addition. Sizes and standard deviations are in pixels, angles in
radians.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import j1

from realesrgan_paddle.options.schema.degradation import BlurOptions, KernelOptions

SMALLEST_KERNEL = 7
"""Kernel sizes are drawn from 7, 9, ... up to the option's (realesrgan_dataset.py)."""
SMALL_KERNEL = 13
"""Kernels below this size get sinc filters of at least `SMALL_KERNEL_CUTOFF`.

They cannot hold the ripples of a lower cutoff (realesrgan_dataset.py).
"""
SMALL_KERNEL_CUTOFF = np.pi / 3
LARGE_KERNEL_CUTOFF = np.pi / 5
"""Lowest sinc cutoffs [radians per pixel] of small and of large kernels."""
MOTION_SAMPLES = 8
"""Samples of a motion per pixel of its length: enough for a line without gaps."""


class Kernels(NamedTuple):
    """The three kernels of one sample, each float32 (k, k) with sum 1."""

    first: np.ndarray
    """Blur of the first pass."""
    second: np.ndarray
    """Blur of the second pass."""
    final: np.ndarray
    """The last sinc filter, or a pulse, which changes nothing."""


def draw_kernels(options: KernelOptions, rng: np.random.Generator) -> Kernels:
    """Return random kernels for one sample, zero-padded to fixed sizes.

    `first` has the size `blur_kernel_size`; `second` and `final` have
    `blur_kernel_size2`. With `motion_blur_prob` above 0, `first` also contains the
    motion blur and is larger by the longest motion.
    """
    first = draw_blur_kernel(options.first_blur, rng)
    second = draw_blur_kernel(options.second_blur, rng)

    largest = options.blur_kernel_size2
    if rng.random() < options.final_sinc_prob:
        size = _draw_size(largest, rng)
        final = sinc_kernel(size, cutoff=rng.uniform(SMALL_KERNEL_CUTOFF, np.pi))
    else:
        final = np.ones((1, 1))

    # Drawn last, so that switching motion blur on changes no other kernel.
    if options.motion_blur_prob:
        first = _add_motion(first, options, rng)
    return Kernels(first, second, _pad(final, largest))


def draw_blur_kernel(options: BlurOptions, rng: np.random.Generator) -> np.ndarray:
    """Return a random sinc filter or kernel of the six kinds: float32 (k, k), sum 1.

    k is `options.blur_kernel_size`; smaller kernels are zero-padded.
    """
    size = _draw_size(options.blur_kernel_size, rng)
    if rng.random() < options.sinc_prob:
        lowest = SMALL_KERNEL_CUTOFF if size < SMALL_KERNEL else LARGE_KERNEL_CUTOFF
        kernel = sinc_kernel(size, cutoff=rng.uniform(lowest, np.pi))
    else:
        kernel = _draw_mixed_kernel(options, size, rng)
    return _pad(kernel, options.blur_kernel_size)


def gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float
) -> np.ndarray:
    """Return a gaussian, its axes rotated by `theta`: float64 (size, size), sum 1."""
    return generalized_gaussian_kernel(size, sigma_x, sigma_y, theta, beta=1)


def generalized_gaussian_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float, beta: float
) -> np.ndarray:
    """Return exp(-d**beta / 2) of the squared distance d: float64 (size, size), sum 1.

    beta < 1 gives heavier tails, beta > 1 a flat top. Pascal et al. 2013, "Parameter
    Estimation For Multivariate Generalized Gaussian Distributions".
    """
    distance = _squared_distance(size, sigma_x, sigma_y, theta)
    return _normalized(np.exp(-0.5 * distance**beta))


def plateau_kernel(
    size: int, sigma_x: float, sigma_y: float, theta: float, beta: float
) -> np.ndarray:
    """Return 1 / (1 + d**beta) of the squared distance d: float64 (size, size), sum 1.

    A plateau with long tails.
    """
    distance = _squared_distance(size, sigma_x, sigma_y, theta)
    return _normalized(1 / (1 + distance**beta))


def sinc_kernel(size: int, cutoff: float) -> np.ndarray:
    """Return the ideal circular low-pass filter: float64 (size, size), sum 1.

    cutoff * J1(cutoff * r) / (2 pi r) at distance r from the center, with `cutoff` in
    radians per pixel (pi passes all frequencies of the grid); the limit at r = 0 is
    cutoff**2 / (4 pi).
    """
    radius = np.sqrt(_squared_distance(size, 1, 1, 0))
    center = radius == 0
    nonzero = np.where(center, 1, radius)
    ripple = cutoff * j1(cutoff * radius)
    ripple /= 2 * np.pi * nonzero
    limit = cutoff**2 / (4 * np.pi)
    kernel = np.where(center, limit, ripple)
    return _normalized(kernel)


def motion_kernel(size: int, length: float, theta: float) -> np.ndarray:
    """Return the blur of a straight, even motion: float64 (size, size), sum 1.

    The motion is a line through the center. Each of its samples is shared among the
    four pixels around it by bilinear weights.

    Args:
        size: side of the kernel in pixels, odd and more than `length`.
        length: distance moved while the shutter is open, in pixels; 0 is none.
        theta: direction of the motion.
    """
    steps = int(np.ceil(MOTION_SAMPLES * length))
    half = length / 2
    along = np.linspace(-half, half, steps + 1)
    cos = np.cos(theta)
    sin = np.sin(theta)
    center = size // 2
    x = center + along * cos
    y = center + along * sin

    left = np.floor(x).astype(int)
    top = np.floor(y).astype(int)
    # One row and column more than `size`: a line that ends on the last pixel has a
    # right and a lower neighbor, of weight 0.
    extended = size + 1
    kernel = np.zeros((extended, extended))
    for down in (0, 1):
        rows = top + down
        row_weights = 1 - np.abs(y - top - down)
        for right in (0, 1):
            columns = left + right
            column_weights = 1 - np.abs(x - left - right)
            np.add.at(kernel, (rows, columns), row_weights * column_weights)
    return _normalized(kernel[:size, :size])


def _add_motion(
    kernel: np.ndarray, options: KernelOptions, rng: np.random.Generator
) -> np.ndarray:
    """Return `kernel` convolved with a random motion or, by chance, with a pulse.

    float32; larger than `kernel` by the longest motion whatever is drawn, because the
    kernels of a batch are stacked.
    """
    moves = rng.random() < options.motion_blur_prob
    length = rng.uniform(*options.motion_blur_range)
    theta = rng.uniform(0, np.pi)

    longest = options.motion_blur_range[1]
    size = 2 * int(np.ceil(longest / 2)) + 1
    motion = motion_kernel(size, length if moves else 0, theta)
    # Imported here: it takes a second, and each worker process would pay for it.
    from scipy.signal import convolve2d

    return convolve2d(kernel, motion).astype(np.float32)


def _draw_size(largest: int, rng: np.random.Generator) -> int:
    sizes = np.arange(SMALLEST_KERNEL, largest + 1, 2)
    return int(rng.choice(sizes))


def _draw_mixed_kernel(
    options: BlurOptions, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a random kernel of `kernel_list`: float64 (size, size), sum 1."""
    probabilities = np.asarray(options.kernel_prob) / np.sum(options.kernel_prob)
    kind = options.kernel_list[rng.choice(len(probabilities), p=probabilities)]

    sigma_x = sigma_y = rng.uniform(*options.blur_sigma)
    theta = 0.0
    if kind.endswith("aniso") and options.blur_aspect:
        aspect = rng.uniform(*options.blur_aspect)
        sigma_x *= np.sqrt(aspect)
        sigma_y /= np.sqrt(aspect)
    elif kind.endswith("aniso"):
        sigma_y = rng.uniform(*options.blur_sigma)
        theta = rng.uniform(-np.pi, np.pi)
    if kind in ("iso", "aniso"):
        return gaussian_kernel(size, sigma_x, sigma_y, theta)

    generalized = kind.startswith("generalized")
    low, high = options.betag_range if generalized else options.betap_range
    # Below and above 1 are equally likely, whatever the width of either side.
    beta = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
    shape = generalized_gaussian_kernel if generalized else plateau_kernel
    return shape(size, sigma_x, sigma_y, theta, beta)


def _squared_distance(
    size: int, sigma_x: float, sigma_y: float, theta: float
) -> np.ndarray:
    """Return each pixel's squared distance from the center: float64 (size, size).

    In units of the standard deviations along the axes rotated by `theta`.
    """
    axis = np.arange(size) - size // 2
    x, y = np.meshgrid(axis, axis)
    cos = np.cos(theta)
    sin = np.sin(theta)

    along = x * cos + y * sin
    across = y * cos - x * sin
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _normalized(kernel: np.ndarray) -> np.ndarray:
    return kernel / kernel.sum()


def _pad(kernel: np.ndarray, size: int) -> np.ndarray:
    """Return `kernel` with zeros around it: float32 (size, size)."""
    margin = (size - len(kernel)) // 2
    padded = np.pad(kernel, margin)
    return padded.astype(np.float32)
