"""Interlacing: a picture of two fields, a moment apart, and what a deinterlacer makes of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.options.schema.config import DeinterlaceName, SynthesisOptions


@dataclass(frozen=True)
class Interlacing:
    """What is random in the interlacing of one image."""

    shift: int
    """How far the picture moved to the right (below 0: left) between its fields [pixels]."""
    method: DeinterlaceName

    def __str__(self) -> str:
        return f"{self.method} {abs(self.shift)} px"


def draw_interlacing(
    options: SynthesisOptions, rng: np.random.Generator
) -> Interlacing:
    """Return the random choices for one image."""
    low, high = options.interlace_shift
    shift = int(rng.integers(low, high + 1)) * int(rng.choice([-1, 1]))
    return Interlacing(
        shift, options.interlace_list[rng.integers(len(options.interlace_list))]
    )


def interlace(image: np.ndarray, draws: Interlacing) -> np.ndarray:
    """Return `image`, uint8 RGB (H, W, 3), as a deinterlacer would give it.

    The even lines are the image's, so it stays in its place; the odd ones are those of
    the moved picture. "weave" shows both: combs at what moved. "bob" keeps the even
    lines and interpolates the others. "blend" takes the mean over three lines (1, 2,
    1), each a mixture of both moments: ghosts.
    """
    if len(image) < 2:
        return image
    woven = image.copy()
    if draws.method == "bob":
        below = np.minimum(np.arange(2, len(image) + 1, 2), (len(image) - 1) // 2 * 2)
        mean = (image[0 : len(image) - 1 : 2].astype(np.uint16) + image[below] + 1) // 2
        woven[1::2] = mean.astype(np.uint8)
        return woven
    columns = np.clip(np.arange(image.shape[1]) - draws.shift, 0, image.shape[1] - 1)
    woven[1::2] = image[1::2, columns]
    if draws.method == "blend":
        weights = np.array([0.25, 0.5, 0.25])
        return cv2.sepFilter2D(
            woven, -1, np.ones(1), weights, borderType=cv2.BORDER_REFLECT_101
        )
    return woven
