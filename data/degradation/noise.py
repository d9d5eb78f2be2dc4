"""Gaussian and poisson noise, colour or gray, of a strength that differs from sample to sample.

As BasicSR's `add_gaussian_noise_pt` and `add_poisson_noise_pt`, except that a gray
sample has a noise field of its own, where BasicSR gives all gray samples of a batch the
same gaussian field.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import paddle
from paddle import Tensor
from scipy.special import pdtr

# Luma weights of ITU-R BT.601 as torchvision's rgb_to_grayscale rounds them.
LUMA = (0.2989, 0.587, 0.114)
BEGINNINGS = 1024
"""Parts in which counts are looked up: most then hold one or two of them, and the tables stay in a core's cache."""


def normal_fields(
    size: Sequence[int], seeds: np.ndarray | Sequence[int], gray: Iterable[bool]
) -> Tensor:
    """Return standard normal noise, float32 (N, *`size`), one field for each of N `seeds`.

    Paddle's generator draws on a GPU; on a CPU NumPy's does, in half the time, and
    where a sample is `gray`, only the first channel, which is repeated.
    """
    if paddle.get_device() == "cpu":
        fields = np.empty([len(seeds), *size], np.float32)
        for field, seed, alike in zip(fields, seeds, gray, strict=True):
            shape = [1, *size[1:]] if alike else size
            field[:] = np.random.default_rng(seed).standard_normal(
                shape, dtype=np.float32
            )
        return paddle.to_tensor(fields)
    return paddle.concat([_seeded(seed, paddle.randn, [1, *size]) for seed in seeds])


def poisson_counts(
    level: Tensor, brightest: Tensor, seeds: Iterable[int], gray: Iterable[bool]
) -> Tensor:
    """Return counts of which `level` / 255 * `brightest` are expected, each sample's from its own of N `seeds`.

    Paddle's generator draws on a GPU. On a CPU counts are looked up, for a sample's
    pixels have no more than 256 distributions: in less than half the time that NumPy's
    generator takes, and an eighth of Paddle's. Of a `gray` sample the first channel's
    are, and repeated.

    Args:
        level: float32 (N, C, H, W), whole numbers from 0 to 255.
        brightest: float32 (N, 1, 1, 1), what is expected at level 255, a power of two
            up to 256.
        seeds: one for each sample.
        gray: whether the channels of a sample are equal.
    """
    if paddle.get_device() != "cpu":
        samples = zip(
            (level / 255 * brightest).split(level.shape[0]), seeds, strict=True
        )
        return paddle.concat(
            [_seeded(seed, paddle.poisson, sample) for sample, seed in samples]
        )
    levels, peaks = level.numpy(), brightest.flatten().tolist()
    counts = np.empty_like(levels)
    for count, one, peak, seed, alike in zip(
        counts, levels, peaks, seeds, gray, strict=True
    ):
        count[:] = _look_up(one[:1] if alike else one, int(peak), seed)
    return paddle.to_tensor(counts)


def _look_up(level: np.ndarray, brightest: int, seed: int) -> np.ndarray:
    """Return a count for each of `level`, float32 of its shape: the smallest that is likelier than a random number."""
    cumulative, begin = _poisson_tables(brightest)
    row = level.astype(np.intp).ravel()
    drawn = np.random.default_rng(seed).random(level.size, np.float32)
    counts = begin.take(row * BEGINNINGS + (drawn * BEGINNINGS).astype(np.intp))
    row *= cumulative.shape[1]
    low = np.flatnonzero(drawn >= cumulative.take(row + counts))
    while low.size:
        counts[low] += 1
        low = low[drawn[low] >= cumulative.take(row[low] + counts[low])]
    return counts.astype(np.float32).reshape(level.shape)


@cache
def _poisson_tables(brightest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that a level's count is so large at most, float32 (256, counts), and where to begin.

    That is the smallest count that is possible in each of `BEGINNINGS` equal parts of
    [0, 1): int16 (256, BEGINNINGS).
    """
    counts = np.arange(brightest + 12 * np.sqrt(brightest) + 20)
    cumulative = pdtr(counts, np.arange(256)[:, None] / 255 * brightest).astype(
        np.float32
    )
    cumulative[:, -1] = 1
    parts = np.arange(BEGINNINGS, dtype=np.float32) / BEGINNINGS
    begin = [np.searchsorted(level, parts, side="right") for level in cumulative]
    return cumulative, np.stack(begin).astype(np.int16)


def _seeded(seed: int, draw: Callable[..., Tensor], *args: object) -> Tensor:
    paddle.seed(int(seed))
    return draw(*args)


def add_gaussian_noise(
    image: Tensor, noise: Tensor, sigma: Tensor, gray: Tensor
) -> Tensor:
    """Return `image` + `noise` * `sigma` / 255, clipped to [0, 1].

    Args:
        image: float32 RGB (N, 3, H, W) in [0, 1].
        noise: standard normal field of the same shape; where `gray`, its first channel
            serves all three.
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
) -> Tensor:
    """Return `image` with the noise of counting photons, times `scale`, clipped to [0, 1].

    The brightest pixel expects as many photons as the sample has distinct 8-bit levels,
    rounded up to a power of two (scikit-image's random_noise). Where `gray`, the luma
    is counted instead of the colours.

    Args:
        image: float32 RGB (N, 3, H, W); outside [0, 1] nothing is counted.
        scale: float32 (N, 1, 1, 1), a factor on the noise.
        gray: bool (N, 1, 1, 1).
        sample: returns counts, as `poisson_counts`; of a gray sample's three equal
            channels the first counts.
    """
    red, green, blue = (weight * image[:, c : c + 1] for c, weight in enumerate(LUMA))
    level = paddle.round(
        paddle.clip(paddle.where(gray, red + green + blue, image), 0, 1) * 255
    )
    brightest = _count_levels(level)
    noise = sample(level, brightest) / brightest - level / 255
    noise = paddle.where(gray, noise[:, :1], noise)
    return paddle.clip(image + noise * scale, 0, 1)


def _count_levels(level: Tensor) -> Tensor:
    """Return how many of the levels 0..255 each sample has, rounded up to a power of two: float32 (N, 1, 1, 1)."""
    samples = level.shape[0]
    if paddle.get_device() == "cpu":  # NumPy counts four times as fast
        counts = [
            np.bincount(one.ravel(), minlength=256)
            for one in level.numpy().astype(np.uint8)
        ]
        present = paddle.to_tensor(np.stack(counts) > 0)
    else:
        first = 256 * paddle.arange(samples).reshape([-1, 1, 1, 1])
        numbers = (level.astype("int64") + first).flatten()
        present = (
            paddle.bincount(numbers, minlength=256 * samples).reshape([samples, 256])
            > 0
        )
    count = present.astype("int64").sum(axis=1, keepdim=True)
    powers = 2 ** paddle.arange(9)
    # The smallest power that is not below the count, without a logarithm that may miss
    # it.
    return (
        paddle.where(powers >= count, powers, powers[-1])
        .min(axis=1)
        .astype("float32")
        .reshape([-1, 1, 1, 1])
    )
