"""Gaussian and poisson noise, color or gray, with one strength per sample, and its grain.

As BasicSR's `add_gaussian_noise_pt` and `add_poisson_noise_pt`, except that each gray
sample has its own noise field, where BasicSR gives all gray samples of a batch the same
gaussian field.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import paddle
from paddle import Tensor
from scipy.special import pdtr

from realesrgan_paddle.data.degradation.filters import blur
from realesrgan_paddle.data.degradation.kernels import gaussian_kernel
from realesrgan_paddle.utils.field_types import LARGEST_GRAIN

LUMA = (0.2989, 0.587, 0.114)
"""Luma weights of ITU-R BT.601, as torchvision's rgb_to_grayscale rounds them."""
PARTS = 1024
"""Parts of [0, 1) in the table that starts the search for a poisson count.

Most parts then hold one or two counts, and the tables fit in a core's cache.
"""
GRAIN_KERNEL_SIZE = 2 * 3 * LARGEST_GRAIN + 1
"""Holds three standard deviations of the largest grain on either side."""
SMALLEST_GRAIN = 0.1
"""Grain below this is none [pixels]: a neighbor's weight would be 2e-22."""


def normal_fields(
    size: Sequence[int], seeds: np.ndarray | Sequence[int], gray: Iterable[bool]
) -> Tensor:
    """Return standard normal noise, float32 (N, *`size`), one field per seed.

    A GPU uses Paddle's generator. A CPU uses NumPy's, in half the time; where a sample
    is `gray`, it draws the first channel only and repeats it.
    """
    if paddle.get_device() != "cpu":
        sample_shape = [1, *size]
        drawn = []
        for seed in seeds:
            drawn.append(_draw_seeded(seed, paddle.randn, sample_shape))
        return paddle.concat(drawn)

    fields = np.empty([len(seeds), *size], np.float32)
    for field, seed, is_gray in zip(fields, seeds, gray, strict=True):
        shape = [1, *size[1:]] if is_gray else list(size)
        rng = np.random.default_rng(seed)
        field[:] = rng.standard_normal(shape, dtype=np.float32)
    return paddle.to_tensor(fields)


def poisson_counts(
    level: Tensor, brightest: Tensor, seeds: Iterable[int], gray: Iterable[bool]
) -> Tensor:
    """Return poisson counts of mean `level` / 255 * `brightest`: float32 (N, C, H, W).

    A GPU uses Paddle's generator. A CPU samples by inverse CDF from tables, because a
    sample's pixels have at most 256 different distributions: in less than half of
    NumPy's time, and an eighth of Paddle's. Where a sample is `gray`, it draws the
    first channel only and repeats it.

    Args:
        level: float32 (N, C, H, W), whole numbers from 0 to 255.
        brightest: float32 (N, 1, 1, 1), the mean at level 255, a power of two up to
            256.
        seeds: one per sample.
        gray: whether all channels of a sample are equal, one per sample.
    """
    if paddle.get_device() != "cpu":
        means = (level / 255 * brightest).split(level.shape[0])
        drawn = [
            _draw_seeded(seed, paddle.poisson, mean)
            for mean, seed in zip(means, seeds, strict=True)
        ]
        return paddle.concat(drawn)

    levels = level.numpy()
    peaks = brightest.flatten().tolist()
    counts = np.empty_like(levels)
    samples = zip(counts, levels, peaks, seeds, gray, strict=True)
    for count, sample, peak, seed, is_gray in samples:
        channels = sample[:1] if is_gray else sample
        count[:] = _sample_by_inverse_cdf(channels, int(peak), seed)
    return paddle.to_tensor(counts)


def _sample_by_inverse_cdf(level: np.ndarray, brightest: int, seed: int) -> np.ndarray:
    """Return a poisson count for each pixel of `level`, float32 of the same shape.

    The smallest count whose cumulative probability exceeds a uniform random number.
    """
    cumulative, first_counts = _poisson_tables(brightest)
    rng = np.random.default_rng(seed)
    uniform = rng.random(level.size, np.float32)

    row = level.astype(np.intp)
    row = row.ravel()
    part = (uniform * PARTS).astype(np.intp)
    counts = first_counts.take(row * PARTS + part)

    # Raise the counts that are still too small, until none is.
    row *= cumulative.shape[1]  # now the place of each row in the flat table
    low = np.flatnonzero(uniform >= cumulative.take(row + counts))
    while low.size:
        counts[low] += 1
        reached = cumulative.take(row[low] + counts[low])
        low = low[uniform[low] >= reached]
    counts = counts.astype(np.float32)
    return counts.reshape(level.shape)


@cache
def _poisson_tables(brightest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables of the inverse CDF, for each level 0..255.

    The probability that a count is at most 0, 1, 2, ...: float32 (256, counts). And the
    smallest count that is possible in each of `PARTS` equal parts of [0, 1): int16
    (256, PARTS).
    """
    # Twelve standard deviations above the largest mean, where the probability is 1 in
    # float32; the 20 more do the same for small means.
    largest = brightest + 12 * np.sqrt(brightest) + 20
    counts = np.arange(largest)
    means = np.arange(256) / 255 * brightest
    cumulative = pdtr(counts, means[:, None])
    cumulative = cumulative.astype(np.float32)
    cumulative[:, -1] = 1

    first_counts = np.empty((256, PARTS), np.int16)
    parts = np.arange(PARTS, dtype=np.float32) / PARTS
    for level in range(256):
        probabilities = cumulative[level]
        found = np.searchsorted(probabilities, parts, side="right")
        first_counts[level] = found
    return cumulative, first_counts


def _draw_seeded(seed: int, draw: Callable[..., Tensor], *args: object) -> Tensor:
    paddle.seed(int(seed))
    return draw(*args)


def add_gaussian_noise(
    image: Tensor, noise: Tensor, sigma: Tensor, gray: Tensor
) -> Tensor:
    """Return `image` + `noise` * `sigma` / 255, clipped to [0, 1].

    Args:
        image: float32 RGB (N, 3, H, W) in [0, 1].
        noise: standard normal noise of the same shape; where `gray`, its first channel
            is used for all three.
        sigma: float32 (N, 1, 1, 1), in levels of 255.
        gray: bool (N, 1, 1, 1).
    """
    noise = paddle.where(gray, noise[:, :1], noise)
    return paddle.clip(image + noise * (sigma / 255), 0, 1)


def add_poisson_noise(
    image: Tensor,
    scale: Tensor,
    gray: Tensor,
    sample: Callable[[Tensor, Tensor], Tensor],
    grain: np.ndarray,
) -> Tensor:
    """Return `image` with photon shot noise times `scale`, clipped to [0, 1].

    White expects as many photons as the sample has distinct 8-bit levels, rounded up to
    a power of two (scikit-image's random_noise). Where `gray`, the noise is that of the
    luma, equal in all channels.

    Args:
        image: float32 RGB (N, 3, H, W); its levels are clipped to [0, 1] for the count.
        scale: float32 (N, 1, 1, 1), a factor on the noise.
        gray: bool (N, 1, 1, 1).
        sample: returns counts for (level, brightest), as `poisson_counts` does; where
            `gray`, its first channel is used for all three.
        grain: its size, see `with_grain`.
    """
    red, green, blue = paddle.split(image, 3, axis=1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    counted = paddle.clip(paddle.where(gray, luma, image), 0, 1)
    level = paddle.round(counted * 255)

    brightest = _count_levels(level)
    noise = sample(level, brightest) / brightest - level / 255
    noise = paddle.where(gray, noise[:, :1], noise)
    noise = with_grain(noise, grain)
    return paddle.clip(image + noise * scale, 0, 1)


def _count_levels(level: Tensor) -> Tensor:
    """Return each sample's number of distinct levels: float32 (N, 1, 1, 1).

    Rounded up to a power of two.
    """
    if paddle.get_device() == "cpu":  # NumPy counts four times as fast
        levels = level.numpy()
        levels = levels.astype(np.uint8)
        counts = [np.bincount(sample.ravel(), minlength=256) for sample in levels]
        present = paddle.to_tensor(np.stack(counts) > 0)
    else:
        present = _present_levels(level)

    count = present.astype("int64").sum(axis=1, keepdim=True)
    # The smallest power of two that is not below the count; a logarithm could miss it
    # by rounding.
    powers = 2 ** paddle.arange(9)
    candidates = paddle.where(powers >= count, powers, powers[-1])
    smallest = candidates.min(axis=1)
    smallest = smallest.astype("float32")
    return smallest.reshape([-1, 1, 1, 1])


def _present_levels(level: Tensor) -> Tensor:
    """Return which levels each sample has, bool (N, 256); a GPU need not be waited for."""
    samples = level.shape[0]
    sample = paddle.arange(samples)
    bins = 256 * sample.reshape([-1, 1, 1, 1]) + level.astype("int64")
    # Pixels of a level all write the same there.
    bins = bins.flatten()
    marks = paddle.scatter(paddle.zeros([256 * samples]), bins, paddle.ones(bins.shape))
    return marks.reshape([samples, 256]) > 0


def with_grain(noise: Tensor, sizes: np.ndarray) -> Tensor:
    """Return noise with grain, as of film and of scaled video: neighboring pixels are alike.

    It is smoothed by gaussians; its standard deviation is kept.

    Args:
        noise: float32 (N, C, H, W), independent between pixels.
        sizes: standard deviations of the gaussians [pixels], at most `LARGEST_GRAIN`,
            float32 (N,); 0: the noise as it is.
    """
    if not (sizes >= SMALLEST_GRAIN).any():
        return noise
    kernels = np.stack([_grain_kernel(size) for size in sizes])
    return blur(noise, paddle.to_tensor(kernels))


def _grain_kernel(size: float) -> np.ndarray:
    """Return a gaussian whose squares sum to 1, which keeps white noise's variance."""
    sigma = max(size, SMALLEST_GRAIN)
    kernel = gaussian_kernel(GRAIN_KERNEL_SIZE, sigma, sigma, theta=0)
    length = np.sqrt((kernel**2).sum())
    return (kernel / length).astype(np.float32)
