"""What a domain adds to the second-order degradation: halos, interlacing, video codecs.

On the low-quality image, in the order of a broadcast: the camera sharpens, fields are
recorded and deinterlaced, a codec compresses. Images are processed on the host, one per
thread; PyAV and OpenCV release Python's lock.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from realesrgan_paddle.data.degradation.codec import Video, compress, draw_video
from realesrgan_paddle.data.degradation.halos import Halo, add_halo, draw_halo
from realesrgan_paddle.data.degradation.interlacing import (
    Interlacing,
    draw_interlacing,
    interlace,
)
from realesrgan_paddle.options.schema.degradation import SynthesisOptions

MAX_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class DomainDraws:
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
) -> tuple[DomainDraws, ...]:
    """Return the random values of each sample of a batch.

    Empty, and without a random draw, where the options use none of it.
    """
    if not (options.halo_prob or options.interlace_prob or options.video_prob):
        return ()
    return tuple(_draw_sample(options, rng) for _ in range(batch_size))


def apply_domain(images: np.ndarray, draws: Sequence[DomainDraws]) -> list[np.ndarray]:
    """Return each image, uint8 RGB (N, H, W, 3), after what its draws apply."""
    cores = os.cpu_count() or 1
    threads = min(len(draws), cores, MAX_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        changed = pool.map(_apply, images, draws)
        return list(changed)


def _draw_sample(options: SynthesisOptions, rng: np.random.Generator) -> DomainDraws:
    halo = interlacing = video = None
    if rng.random() < options.halo_prob:
        halo = draw_halo(options, rng)
    if rng.random() < options.interlace_prob:
        interlacing = draw_interlacing(options, rng)
    if rng.random() < options.video_prob:
        video = draw_video(options, rng)
    return DomainDraws(halo=halo, interlacing=interlacing, video=video)


def _apply(image: np.ndarray, draws: DomainDraws) -> np.ndarray:
    if draws.halo:
        image = add_halo(image, draws.halo)
    if draws.interlacing:
        image = interlace(image, draws.interlacing)
    if draws.video:
        image = compress(image, draws.video)
    return image
