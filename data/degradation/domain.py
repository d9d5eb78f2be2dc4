"""What a domain adds to the second-order degradation, on the low-quality image: halos, interlacing, video codecs.

In the order in which a broadcast does it: the camera sharpens, fields are scanned and
deinterlaced, the result is compressed. Each image is worked on by itself, on the host;
PyAV and OpenCV let other threads run meanwhile.
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
from realesrgan_paddle.options.schema.config import SynthesisOptions

MOST_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class DomainDraws:
    """What is random for one sample; None for what is not done to it."""

    halo: Halo | None
    interlacing: Interlacing | None
    video: Video | None

    def __str__(self) -> str:
        """Return what is done, such as "halo 0.8, weave 3 px, h264 31"; empty for nothing."""
        return ", ".join(
            str(part) for part in (self.halo, self.interlacing, self.video) if part
        )


def draw_domain(
    options: SynthesisOptions, rng: np.random.Generator, batch_size: int
) -> tuple[DomainDraws, ...]:
    """Return the choices for each sample of a batch; without a draw, and empty, where the options name nothing."""
    if not (options.halo_prob or options.interlace_prob or options.video_prob):
        return ()
    return tuple(
        DomainDraws(
            halo=draw_halo(options, rng) if rng.random() < options.halo_prob else None,
            interlacing=draw_interlacing(options, rng)
            if rng.random() < options.interlace_prob
            else None,
            video=draw_video(options, rng)
            if rng.random() < options.video_prob
            else None,
        )
        for _ in range(batch_size)
    )


def apply_domain(images: np.ndarray, draws: Sequence[DomainDraws]) -> list[np.ndarray]:
    """Return each of the images, uint8 RGB (N, H, W, 3), with what its draws name."""
    with ThreadPoolExecutor(min(len(draws), os.cpu_count() or 1, MOST_THREADS)) as pool:
        return list(pool.map(_apply, images, draws))


def _apply(image: np.ndarray, draws: DomainDraws) -> np.ndarray:
    if draws.halo:
        image = add_halo(image, draws.halo)
    if draws.interlacing:
        image = interlace(image, draws.interlacing)
    return compress(image, draws.video) if draws.video else image
