"""Real-ESRGAN's second-order degradation of a batch of ground-truth images.

Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
Synthetic Data", figure 2 and section 3; the order of operations is that of
realesrgan/models/realesrgan_model.py. What a domain adds comes last (domain.py). All
random values are drawn first (`draw`), then applied (`degrade`). Tensors are float32
RGB (N, 3, H, W).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.domain import (
    DomainParams,
    apply_domain,
    draw_domain,
)
from realesrgan_paddle.data.degradation.filters import blur, resize_by, resize_to
from realesrgan_paddle.data.degradation.jpeg import jpeg
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
    with_grain,
)
from realesrgan_paddle.options.schema.degradation import (
    ChromaUpsampling,
    PassOptions,
    ResizeMode,
    SynthesisOptions,
)
from realesrgan_paddle.utils.machine.devices import without_tf32

MOST_SEED = 2**31


@dataclass(frozen=True, kw_only=True)
class PassParams:
    """The random values of one pass: one per batch, or an array with one per sample."""

    factor: float
    """Resize factor; above 1 the image becomes larger."""
    mode: ResizeMode
    gaussian: bool
    """Gaussian noise, else poisson noise."""
    strength: np.ndarray
    """Sigma of the gaussian noise [levels of 255], or factor on the poisson noise.

    float32 (N,).
    """
    gray: np.ndarray
    """Whether the noise is equal in all channels: bool (N,)."""
    quality: np.ndarray
    """JPEG quality, 1 to 100: float32 (N,)."""
    compressed: np.ndarray
    """Whether there is a JPEG: bool (N,)."""
    field_seeds: np.ndarray
    """Seed of each sample's noise: int64 (N,)."""
    grain: np.ndarray
    """Size of the noise's grain [pixels]: float32 (N,)."""

    def __str__(self) -> str:
        """Describe the first sample, such as "x0.52, gaussian noise 12, JPEG 71"."""
        noise = "gaussian" if self.gaussian else "poisson"
        strength = f"{self.strength[0]:.2g}"
        jpeg = f"JPEG {self.quality[0]:.0f}" if self.compressed[0] else "no JPEG"
        return f"x{self.factor:.2f}, {noise} noise {strength}, {jpeg}"

    def of_frames(self, count: int) -> "PassParams":
        """Return the values of the frames of clips, `count` of each sample.

        A clip's frames share all but their noise, which a camera makes anew each time.
        """
        seeds = np.add.outer(self.field_seeds, np.arange(count)).ravel()
        return replace(
            self,
            strength=self.strength.repeat(count),
            gray=self.gray.repeat(count),
            quality=self.quality.repeat(count),
            compressed=self.compressed.repeat(count),
            field_seeds=seeds % MOST_SEED,
            grain=self.grain.repeat(count),
        )

    def subset(self, samples: slice) -> "PassParams":
        """Return the values of some samples of the batch."""
        return replace(
            self,
            strength=self.strength[samples],
            gray=self.gray[samples],
            quality=self.quality[samples],
            compressed=self.compressed[samples],
            field_seeds=self.field_seeds[samples],
            grain=self.grain[samples],
        )


@dataclass(frozen=True, kw_only=True)
class DegradationParams:
    """The random values of one batch, except the kernels, which each sample brings."""

    first: PassParams
    second: PassParams
    second_blur: bool
    """Whether the second pass blurs."""
    final_mode: ResizeMode
    jpeg_last: bool
    """The last JPEG comes after the final resize and sinc filter, else before them."""
    domain: tuple[DomainParams, ...] = ()
    """What a domain adds, one per image or clip; empty where the options use none of it."""

    def __str__(self) -> str:
        """Describe the first sample; with a video, its second JPEG is not applied."""
        parts = [str(self.first), str(self.second)]
        if self.domain:
            parts.append(str(self.domain[0]))
        return "; ".join(part for part in parts if part)

    def subset(self, samples: slice) -> "DegradationParams":
        """Return the values of some samples, which `degrade` as in the whole batch."""
        return replace(
            self,
            first=self.first.subset(samples),
            second=self.second.subset(samples),
            domain=self.domain[samples],
        )


def draw(
    options: SynthesisOptions, rng: np.random.Generator, batch_size: int
) -> DegradationParams:
    """Return the random values for a batch of `batch_size` samples."""
    return DegradationParams(
        first=draw_pass(options.first_pass, rng, batch_size),
        second=draw_pass(options.second_pass, rng, batch_size),
        second_blur=rng.random() < options.second_blur_prob,
        final_mode=_draw_mode(options.resize_modes2, rng),
        jpeg_last=rng.random() < 0.5,
        # Last, so that switching a part of it on changes no other draw.
        domain=draw_domain(options, rng, batch_size),
    )


def draw_pass(
    options: PassOptions, rng: np.random.Generator, batch_size: int
) -> PassParams:
    """Return the random values of one pass for a batch of `batch_size` samples."""
    gaussian = rng.random() < options.gaussian_noise_prob
    strengths = options.noise_range if gaussian else options.poisson_scale_range
    return PassParams(
        factor=_draw_factor(options, rng),
        mode=_draw_mode(options.resize_modes, rng),
        gaussian=gaussian,
        strength=_uniform(strengths, rng, batch_size),
        gray=rng.random(batch_size) < options.gray_noise_prob,
        quality=_uniform(options.jpeg_range, rng, batch_size),
        field_seeds=rng.integers(MOST_SEED, size=batch_size),
        # Last, and not drawn by default, so that they change no other draw.
        compressed=_draw_compressed(options, rng, batch_size),
        grain=_draw_grain(options, rng, batch_size),
    )


@paddle.no_grad()
@without_tf32()
def degrade(
    gt_usm: Tensor,
    kernels: Sequence[Tensor],
    params: DegradationParams,
    scale: int,
    chroma_upsampling: ChromaUpsampling = "nearest",
) -> Tensor:
    """Return the low-quality version of `gt_usm`.

    float32 RGB (N, 3, H / scale, W / scale) in [0, 1], rounded to 8-bit levels.

    Args:
        gt_usm: float32 RGB (N, 3, H, W) in [0, 1], sharpened by `USM`; H and W
            multiples of `scale`. Of clips the frames, clip by clip.
        kernels: the fields of `Kernels` as batches, each float32 (N, k, k); one for each
            clip.
        params: the random values, of each image or each clip. Equal params give equal
            results.
        scale: factor by which the result is smaller.
        chroma_upsampling: see `jpeg`.
    """
    num_frame = len(gt_usm) // len(params.first.strength)
    if num_frame > 1:
        kernels = [kernel.repeat_interleave(num_frame, 0) for kernel in kernels]
        first = params.first.of_frames(num_frame)
        second = params.second.of_frames(num_frame)
        params = replace(params, first=first, second=second)

    first_kernel, second_kernel, final_kernel = kernels
    height = gt_usm.shape[2] // scale
    width = gt_usm.shape[3] // scale

    first = params.first
    out = blur(gt_usm, first_kernel)
    out = resize_by(out, first.factor, first.mode)
    out = add_noise(out, first)
    out = _jpeg_where(first.compressed, out, first, chroma_upsampling)

    second = params.second
    if params.second_blur:
        out = blur(out, second_kernel)
    size = [int(height * second.factor), int(width * second.factor)]
    out = resize_to(out, size, second.mode)
    out = add_noise(out, second)

    if params.jpeg_last:
        out = resize_to(out, [height, width], params.final_mode)
        out = blur(out, final_kernel)
        out = _last_jpeg(out, params, chroma_upsampling)
    else:
        out = _last_jpeg(out, params, chroma_upsampling)
        out = resize_to(out, [height, width], params.final_mode)
        out = blur(out, final_kernel)

    levels = paddle.round(paddle.clip(out, 0, 1) * 255)
    return _apply_domain(levels, params.domain) / 255


def add_noise(image: Tensor, params: PassParams) -> Tensor:
    """Return `image` with the noise of one pass, clipped to [0, 1]."""
    if not params.strength.any():
        return paddle.clip(image, 0, 1)
    strength = _per_sample(params.strength)
    gray = _per_sample(params.gray)
    if params.gaussian:
        field = normal_fields(image.shape[1:], params.field_seeds, params.gray)
        field = with_grain(field, params.grain)
        return add_gaussian_noise(image, field, strength, gray)
    sample = partial(poisson_counts, seeds=params.field_seeds, gray=params.gray)
    return add_poisson_noise(image, strength, gray, sample, params.grain)


def _last_jpeg(
    image: Tensor, params: DegradationParams, chroma_upsampling: ChromaUpsampling
) -> Tensor:
    """Return `image` after the second pass's JPEG, except where a video replaces it."""
    second = params.second
    if not params.domain:
        return _jpeg_where(second.compressed, image, second, chroma_upsampling)
    has_video = [sample.video is not None for sample in params.domain]
    num_frame = len(image) // len(has_video)
    compressed = second.compressed & ~np.repeat(has_video, num_frame)
    return _jpeg_where(compressed, image, second, chroma_upsampling)


def _jpeg_where(
    compressed: np.ndarray,
    image: Tensor,
    params: PassParams,
    chroma_upsampling: ChromaUpsampling,
) -> Tensor:
    """Return `image` with the samples that are `compressed` after a pass's JPEG."""
    if not compressed.any():
        return image
    quality = paddle.to_tensor(params.quality)
    changed = jpeg(image, quality, chroma_upsampling)
    if compressed.all():
        return changed
    return paddle.where(_per_sample(compressed), changed, image)


def _apply_domain(levels: Tensor, params: Sequence[DomainParams]) -> Tensor:
    """Return `levels`, float32 RGB (N, 3, H, W) in [0, 255], after the domain's part.

    Rounded to whole levels, before and after.
    """
    if not params:
        return levels
    images = levels.numpy().astype(np.uint8)
    changed = apply_domain(images.transpose(0, 2, 3, 1), params)
    channels_first = np.stack(changed).transpose(0, 3, 1, 2)
    return paddle.to_tensor(channels_first.astype(np.float32))


def paired_random_crop(
    gt: Tensor, lq: Tensor, gt_size: int, scale: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return the same random crop of both, at one position for the whole batch.

    Args:
        gt: (N, 3, H, W); its crop is (N, 3, gt_size, gt_size).
        lq: (N, 3, H / scale, W / scale), at least gt_size / scale each way.
        gt_size: side of the crop of `gt` [pixels], a multiple of `scale`.
        scale: factor by which `gt` is larger.
        rng: draws the position.
    """
    size = gt_size // scale
    height, width = lq.shape[2:]
    top = int(rng.integers(height - size + 1))
    left = int(rng.integers(width - size + 1))
    lq_crop = _crop(lq, top, left, size)

    gt_top = top * scale
    gt_left = left * scale
    gt_crop = _crop(gt, gt_top, gt_left, gt_size)
    return gt_crop, lq_crop


def _crop(image: Tensor, top: int, left: int, side: int) -> Tensor:
    bottom = top + side
    right = left + side
    return image[:, :, top:bottom, left:right]


def _per_sample(values: np.ndarray) -> Tensor:
    """Return (N,) `values` as (N, 1, 1, 1), which broadcasts over images."""
    tensor = paddle.to_tensor(values)
    return tensor.reshape([-1, 1, 1, 1])


def _draw_factor(options: PassOptions, rng: np.random.Generator) -> float:
    low, high = options.resize_range
    up, down, keep = options.resize_prob
    choice = rng.random() * (up + down + keep)
    if choice < up:
        return rng.uniform(1, high)
    if choice < up + down:
        return rng.uniform(low, 1)
    return 1.0


def _draw_mode(modes: Sequence[ResizeMode], rng: np.random.Generator) -> ResizeMode:
    return modes[int(rng.integers(len(modes)))]


def _draw_compressed(
    options: PassOptions, rng: np.random.Generator, count: int
) -> np.ndarray:
    if options.jpeg_prob == 1:
        return np.ones(count, bool)
    return rng.random(count) < options.jpeg_prob


def _draw_grain(
    options: PassOptions, rng: np.random.Generator, count: int
) -> np.ndarray:
    if options.grain_size == (0, 0):
        return np.zeros(count, np.float32)
    return _uniform(options.grain_size, rng, count)


def _uniform(
    limits: tuple[float, float], rng: np.random.Generator, count: int
) -> np.ndarray:
    return rng.uniform(*limits, count).astype(np.float32)
