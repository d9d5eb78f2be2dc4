"""Gaussian and poisson noise, colour or gray, of a strength that differs from sample to sample.

As BasicSR's `add_gaussian_noise_pt` and `add_poisson_noise_pt`, except that a gray sample has a noise
field of its own, where BasicSR gives all gray samples of a batch the same gaussian field.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import paddle
from paddle import Tensor

# Luma weights of ITU-R BT.601 as torchvision's rgb_to_grayscale rounds them.
LUMA = (0.2989, 0.587, 0.114)


def normal_fields(size: Sequence[int], seeds: Iterable[int]) -> Tensor:
    """Return standard normal noise, float32 (N, *`size`), one field for each of N `seeds`.

    Paddle's generator draws on a GPU; on a CPU NumPy's does, in half the time.
    """
    if paddle.get_device() == "cpu":
        fields = [np.random.default_rng(seed).standard_normal(size, dtype=np.float32) for seed in seeds]
        return paddle.to_tensor(np.stack(fields))
    return paddle.concat([_seeded(seed, paddle.randn, [1, *size]) for seed in seeds])


def poisson_counts(mean: Tensor, seeds: Iterable[int]) -> Tensor:
    """Return counts of which `mean` (N, C, H, W) are expected, each sample's from its own of N `seeds`.

    Paddle's generator draws on a GPU; on a CPU NumPy's does, in a third of the time.
    """
    if paddle.get_device() == "cpu":
        counts = [np.random.default_rng(s).poisson(m) for m, s in zip(mean.numpy(), seeds, strict=True)]
        return paddle.to_tensor(np.stack(counts).astype(np.float32))
    samples = zip(mean.split(mean.shape[0]), seeds, strict=True)
    return paddle.concat([_seeded(seed, paddle.poisson, sample) for sample, seed in samples])


def _seeded(seed: int, draw: Callable[..., Tensor], *args: object) -> Tensor:
    paddle.seed(int(seed))
    return draw(*args)


def add_gaussian_noise(image: Tensor, noise: Tensor, sigma: Tensor, gray: Tensor) -> Tensor:
    """Return `image` + `noise` * `sigma` / 255, clipped to [0, 1].

    Args:
        image: float32 RGB (N, 3, H, W) in [0, 1].
        noise: standard normal field of the same shape; where `gray`, its first channel serves all three.
        sigma: float32 (N, 1, 1, 1), in levels of 255.
        gray: bool (N, 1, 1, 1).
    """
    noise = paddle.where(gray, noise[:, :1], noise)
    return paddle.clip(image + noise * (sigma / 255), 0, 1)


def add_poisson_noise(image: Tensor, scale: Tensor, gray: Tensor, sample: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `image` with the noise of counting photons, times `scale`, clipped to [0, 1].

    The brightest pixel expects as many photons as the sample has distinct 8-bit levels, rounded up to
    a power of two (scikit-image's random_noise). Where `gray`, the luma is counted instead of the colours.

    Args:
        image: float32 RGB (N, 3, H, W); outside [0, 1] nothing is counted.
        scale: float32 (N, 1, 1, 1), a factor on the noise.
        gray: bool (N, 1, 1, 1).
        sample: returns counts, given how many are expected; of a gray sample's three equal channels the first counts.
    """
    red, green, blue = (weight * image[:, c : c + 1] for c, weight in enumerate(LUMA))
    level = paddle.round(paddle.clip(paddle.where(gray, red + green + blue, image), 0, 1) * 255)
    brightest = _count_levels(level)
    noise = sample(level / 255 * brightest) / brightest - level / 255
    noise = paddle.where(gray, noise[:, :1], noise)
    return paddle.clip(image + noise * scale, 0, 1)


def _count_levels(level: Tensor) -> Tensor:
    """Return how many of the levels 0..255 each sample has, rounded up to a power of two: float32 (N, 1, 1, 1)."""
    samples = level.shape[0]
    first = 256 * paddle.arange(samples).reshape([-1, 1, 1, 1])
    present = paddle.bincount((level.astype("int64") + first).flatten(), minlength=256 * samples) > 0
    count = present.reshape([samples, 256]).astype("int64").sum(axis=1, keepdim=True)
    powers = 2 ** paddle.arange(9)
    # The smallest power that is not below the count, without a logarithm that may miss it.
    return paddle.where(powers >= count, powers, powers[-1]).min(axis=1).astype("float32").reshape([-1, 1, 1, 1])
