"""Real-ESRGAN's second-order degradation of a batch: how a ground truth becomes a low-quality image.

Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
Synthetic Data", figure 2 and section 3; the order of operations is that of
realesrgan/models/realesrgan_model.py. What a domain adds (data/domain.py) comes last.
What is random is drawn first (`draw`), then applied (`degrade`). Tensors are float32
RGB (N, 3, H, W).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.blur import blur
from realesrgan_paddle.data.degradation.domain import (
    DomainDraws,
    apply_domain,
    draw_domain,
)
from realesrgan_paddle.data.degradation.jpeg import jpeg
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
)
from realesrgan_paddle.data.degradation.resize import ResizeMode, resize_by, resize_to
from realesrgan_paddle.options.schema.config import PassOptions, SynthesisOptions

RESIZE_MODES: tuple[ResizeMode, ...] = ("area", "bilinear", "bicubic")


@dataclass(frozen=True, kw_only=True)
class PassDraws:
    """What is random in one pass; a number for the whole batch or an array with one entry per sample."""

    factor: float
    """Resize factor: above 1 the image grows."""
    mode: ResizeMode
    gaussian: bool
    """Gaussian noise, else poisson noise."""
    strength: np.ndarray
    """Standard deviation of the gaussian noise in levels of 255, or factor on the poisson noise: float32 (N,)."""
    gray: np.ndarray
    """Whether the noise is the same in all channels: bool (N,)."""
    quality: np.ndarray
    """JPEG quality, 1 to 100: float32 (N,)."""
    field_seeds: np.ndarray
    """Seeds from which each sample's field of noise is drawn: int64 (N,)."""

    def __str__(self) -> str:
        """Return what is done to the first sample, such as "x0.52, gaussian noise 12, JPEG 71"."""
        noise = "gaussian" if self.gaussian else "poisson"
        return f"x{self.factor:.2f}, {noise} noise {self.strength[0]:.2g}, JPEG {self.quality[0]:.0f}"

    def of(self, samples: slice) -> "PassDraws":
        """Return the choices for some samples of the batch."""
        each = ("strength", "gray", "quality", "field_seeds")
        return replace(self, **{name: getattr(self, name)[samples] for name in each})


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What is random in the degradation of one batch, but for the kernels, which each sample brings along."""

    first: PassDraws
    second: PassDraws
    second_blur: bool
    """Whether the second pass blurs at all."""
    final_mode: ResizeMode
    jpeg_last: bool
    """The last JPEG compression comes after the final resize and sinc filter, else before them."""
    domain: tuple[DomainDraws, ...] = ()
    """What else is done to each sample's low-quality image; empty where the options name nothing."""

    def __str__(self) -> str:
        """Return what is done to the first sample; a video has taken the place of the second JPEG."""
        return "; ".join(
            filter(
                None, [str(self.first), str(self.second), *map(str, self.domain[:1])]
            )
        )

    def of(self, samples: slice) -> "Draws":
        """Return the choices for some samples of the batch: `degrade` makes of them what it makes of them in it."""
        return replace(
            self,
            first=self.first.of(samples),
            second=self.second.of(samples),
            domain=self.domain[samples],
        )


def draw(options: SynthesisOptions, rng: np.random.Generator, batch_size: int) -> Draws:
    """Return the random choices for one batch of `batch_size` samples."""
    return Draws(
        first=draw_pass(options.first_pass, rng, batch_size),
        second=draw_pass(options.second_pass, rng, batch_size),
        second_blur=rng.random() < options.second_blur_prob,
        final_mode=_draw_mode(rng),
        jpeg_last=rng.random() < 0.5,
        domain=draw_domain(
            options, rng, batch_size
        ),  # last: what is off must not move the other draws
    )


def draw_pass(
    options: PassOptions, rng: np.random.Generator, batch_size: int
) -> PassDraws:
    """Return the random choices of one pass for a batch of `batch_size` samples."""
    gaussian = rng.random() < options.gaussian_noise_prob
    return PassDraws(
        factor=_draw_factor(options, rng),
        mode=_draw_mode(rng),
        gaussian=gaussian,
        strength=_uniform(
            options.noise_range if gaussian else options.poisson_scale_range,
            rng,
            batch_size,
        ),
        gray=rng.random(batch_size) < options.gray_noise_prob,
        quality=_uniform(options.jpeg_range, rng, batch_size),
        field_seeds=rng.integers(2**31, size=batch_size),
    )


@paddle.no_grad()
def degrade(
    gt_usm: Tensor, kernels: Sequence[Tensor], draws: Draws, scale: int
) -> Tensor:
    """Return the low-quality version of `gt_usm`: float32 RGB (N, 3, H / scale, W / scale) in whole levels of 1 / 255.

    Args:
        gt_usm: float32 RGB (N, 3, H, W) in [0, 1], sharpened by `USM`; H and W
            multiples of `scale`.
        kernels: the batch of each of `Kernels`' three, float32 (N, k, k).
        draws: the random choices. Equal draws give equal results.
        scale: how many times smaller the result is.
    """
    first_kernel, second_kernel, final_kernel = kernels
    height, width = (length // scale for length in gt_usm.shape[2:])

    first = draws.first
    out = blur(gt_usm, first_kernel)
    out = resize_by(out, first.factor, first.mode)
    out = add_noise(out, first)
    out = jpeg(out, paddle.to_tensor(first.quality))

    second = draws.second
    if draws.second_blur:
        out = blur(out, second_kernel)
    out = resize_to(
        out, [int(height * second.factor), int(width * second.factor)], second.mode
    )
    out = add_noise(out, second)

    if draws.jpeg_last:
        out = blur(resize_to(out, [height, width], draws.final_mode), final_kernel)
        out = _last_jpeg(out, draws)
    else:
        out = _last_jpeg(out, draws)
        out = blur(resize_to(out, [height, width], draws.final_mode), final_kernel)
    levels = paddle.round(paddle.clip(out, 0, 1) * 255)
    return _apply_domain(levels, draws.domain) / 255


def add_noise(image: Tensor, draws: PassDraws) -> Tensor:
    """Return `image` with the noise that `draws` name, clipped to [0, 1]."""
    strength = paddle.to_tensor(draws.strength).reshape([-1, 1, 1, 1])
    gray = paddle.to_tensor(draws.gray).reshape([-1, 1, 1, 1])
    if draws.gaussian:
        return add_gaussian_noise(
            image,
            normal_fields(image.shape[1:], draws.field_seeds, draws.gray),
            strength,
            gray,
        )
    return add_poisson_noise(
        image,
        strength,
        gray,
        partial(poisson_counts, seeds=draws.field_seeds, gray=draws.gray),
    )


def _last_jpeg(image: Tensor, draws: Draws) -> Tensor:
    """Return `image` after the second pass' JPEG, but for samples that a video codec will compress instead."""
    compressed = jpeg(image, paddle.to_tensor(draws.second.quality))
    filmed = [sample.video is not None for sample in draws.domain]
    if not any(filmed):
        return compressed
    return paddle.where(
        paddle.to_tensor(filmed).reshape([-1, 1, 1, 1]), image, compressed
    )


def _apply_domain(levels: Tensor, draws: Sequence[DomainDraws]) -> Tensor:
    """Return whole levels, float32 RGB (N, 3, H, W) in [0, 255], after what is done to them on the host."""
    if not draws:
        return levels
    images = levels.numpy().astype(np.uint8).transpose(0, 2, 3, 1)
    return paddle.to_tensor(
        np.stack(apply_domain(images, draws)).transpose(0, 3, 1, 2).astype(np.float32)
    )


def paired_random_crop(
    gt: Tensor, lq: Tensor, gt_size: int, scale: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return the same random window of both, gt_size x gt_size of `gt`; one place for the whole batch.

    Args:
        gt: (N, 3, H, W).
        lq: (N, 3, H / scale, W / scale), at least gt_size / scale each way.
        gt_size: side of the window in pixels of `gt`, a multiple of `scale`.
        scale: how many times larger `gt` is.
        rng: source of the place.
    """
    size = gt_size // scale
    top, left = (int(rng.integers(length - size + 1)) for length in lq.shape[2:])
    lq = lq[:, :, top : top + size, left : left + size]
    top, left = top * scale, left * scale
    return gt[:, :, top : top + gt_size, left : left + gt_size], lq


def _draw_factor(options: PassOptions, rng: np.random.Generator) -> float:
    low, high = options.resize_range
    up, down, keep = options.resize_prob
    choice = rng.random() * (up + down + keep)
    if choice < up:
        return rng.uniform(1, high)
    return rng.uniform(low, 1) if choice < up + down else 1.0


def _draw_mode(rng: np.random.Generator) -> ResizeMode:
    return RESIZE_MODES[rng.integers(len(RESIZE_MODES))]


def _uniform(
    limits: tuple[float, float], rng: np.random.Generator, count: int
) -> np.ndarray:
    return rng.uniform(*limits, count).astype(np.float32)
