"""What a domain adds to the second-order degradation: halos, interlacing, video codecs.

On the low-quality image, in the order of a broadcast: the camera sharpens, fields are
recorded and deinterlaced, a codec compresses. Images are processed on the host, one per
thread; PyAV and OpenCV release Python's lock.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.data.degradation.codec import (
    Video,
    compress,
    compress_clip,
    draw_video,
)
from realesrgan_paddle.options.schema.degradation import (
    DeinterlaceName,
    SynthesisOptions,
)

MAX_THREADS = 8
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G and B in the luma (ITU-R BT.709)."""
BLEND_WEIGHTS = np.array([0.25, 0.5, 0.25])
"""Vertical filter of "blend": the line itself, and half as much of each neighbor."""


@dataclass(frozen=True)
class Halo:
    """The random values of one halo."""

    strength: float
    """Factor on the detail that is added."""
    sigma: float
    """Standard deviation of the blur [pixels]."""

    def __str__(self) -> str:
        return f"halo {self.strength:.1f}"


def draw_halo(options: SynthesisOptions, rng: np.random.Generator) -> Halo:
    """Return the random values for one image."""
    strength = rng.uniform(*options.halo_range)
    sigma = rng.uniform(*options.halo_sigma)
    return Halo(strength, sigma)


def add_halo(image: np.ndarray, halo: Halo) -> np.ndarray:
    """Return `image` sharpened by unsharp masking without a threshold.

    uint8 RGB (H, W, 3). Only luma is sharpened, so colors keep their hue; the result is
    clipped, as a broadcast's is.
    """
    luma = image.astype(np.float32) @ LUMA
    blurred = cv2.GaussianBlur(
        luma, (0, 0), halo.sigma, borderType=cv2.BORDER_REPLICATE
    )
    detail = luma - blurred
    sharp = image + halo.strength * detail[..., None]
    return np.rint(np.clip(sharp, 0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class Interlacing:
    """The random values of the interlacing of one image."""

    shift: int
    """Motion between the fields, to the right (below 0: to the left) [pixels]."""
    method: DeinterlaceName
    """How the fields are deinterlaced."""

    def __str__(self) -> str:
        return f"{self.method} {abs(self.shift)} px"


def draw_interlacing(
    options: SynthesisOptions, rng: np.random.Generator
) -> Interlacing:
    """Return the random values for one image."""
    low, high = options.interlace_shift
    distance = int(rng.integers(low, high + 1))
    direction = int(rng.choice([-1, 1]))
    method = options.interlace_list[rng.integers(len(options.interlace_list))]
    return Interlacing(distance * direction, method)


def interlace(image: np.ndarray, interlacing: Interlacing) -> np.ndarray:
    """Return `image`, uint8 RGB (H, W, 3), interlaced with motion and deinterlaced.

    An interlaced image has two fields: the top field with lines 0, 2, ..., and the bottom
    field, lines 1, 3, ..., recorded a moment later (utils/field_order.py
    detects such footage). The top field is the image's own, so nothing shifts on average.
    "weave" shows both fields: combing where something moved. "bob" keeps the top field
    and interpolates the other lines. "blend" averages neighboring lines of both fields:
    ghosts.
    """
    if len(image) < 2:
        return image
    if interlacing.method == "bob":
        return _bob(image)

    width = image.shape[1]
    columns = np.clip(np.arange(width) - interlacing.shift, 0, width - 1)
    woven = image.copy()
    woven[1::2] = image[1::2, columns]
    if interlacing.method == "weave":
        return woven
    return cv2.sepFilter2D(
        woven, -1, np.ones(1), BLEND_WEIGHTS, borderType=cv2.BORDER_REFLECT_101
    )


def _bob(image: np.ndarray) -> np.ndarray:
    """Return the top field of `image` with the lines between it interpolated."""
    height = len(image)
    last_even = (height - 1) // 2 * 2
    above = image[0 : height - 1 : 2].astype(np.uint16)
    rows_below = np.arange(2, height + 1, 2)
    below = image[np.minimum(rows_below, last_even)]

    result = image.copy()
    mean = (above + below + 1) // 2
    result[1::2] = mean.astype(np.uint8)
    return result


@dataclass(frozen=True, kw_only=True)
class DomainParams:
    """The random values of one sample; None for what is not applied to it."""

    halo: Halo | None
    interlacing: Interlacing | None
    video: Video | None

    def __str__(self) -> str:
        """Return what is applied, such as "halo 0.8, weave 3 px, h264 31", or ""."""
        parts = (self.halo, self.interlacing, self.video)
        texts = [str(part) for part in parts if part]
        return ", ".join(texts)


def draw_domain(
    options: SynthesisOptions, rng: np.random.Generator, batch_size: int
) -> tuple[DomainParams, ...]:
    """Return the random values of each sample of a batch.

    Empty, and without a random draw, where the options use none of it.
    """
    if not (options.halo_prob or options.interlace_prob or options.video_prob):
        return ()
    return tuple(_draw_sample(options, rng) for _ in range(batch_size))


def apply_domain(
    images: np.ndarray, params: Sequence[DomainParams]
) -> list[np.ndarray]:
    """Return each image, uint8 RGB (N, H, W, 3), after what its parameters name.

    Of clips the frames, clip by clip, with the parameters of each clip.
    """
    clips = images.reshape(len(params), -1, *images.shape[1:])
    cores = os.cpu_count() or 1
    threads = min(len(params), cores, MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        changed = pool.map(_apply, clips, params)
        return [frame for frames in changed for frame in frames]


def _draw_sample(options: SynthesisOptions, rng: np.random.Generator) -> DomainParams:
    halo = interlacing = video = None
    if rng.random() < options.halo_prob:
        halo = draw_halo(options, rng)
    if rng.random() < options.interlace_prob:
        interlacing = draw_interlacing(options, rng)
    if rng.random() < options.video_prob:
        video = draw_video(options, rng)
    return DomainParams(halo=halo, interlacing=interlacing, video=video)


def _apply(clip: np.ndarray, params: DomainParams) -> list[np.ndarray]:
    """Return the frames of a clip (T, H, W, 3), changed alike; an image is one frame."""
    frames = list(clip)
    if params.halo:
        frames = [add_halo(frame, params.halo) for frame in frames]
    if params.interlacing:
        frames = [interlace(frame, params.interlacing) for frame in frames]
    if params.video and len(frames) > 1:
        return compress_clip(frames, params.video)
    if params.video:
        frames = [compress(frames[0], params.video)]
    return frames
