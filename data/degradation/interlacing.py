"""Interlaced images, deinterlaced: combing, missing lines or ghosts.

An interlaced image consists of two fields: the top field has lines 0, 2, ..., the
bottom field lines 1, 3, ..., recorded a moment later. utils/video/field_order.py
detects such footage.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.options.schema.degradation import (
    DeinterlaceName,
    SynthesisOptions,
)

BLEND_WEIGHTS = np.array([0.25, 0.5, 0.25])
"""Vertical filter of "blend": the line itself, and half as much of each neighbor."""


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

    The top field is the image's own, so nothing shifts on average. "weave" shows both
    fields: combing where something moved. "bob" keeps the top field and interpolates
    the other lines. "blend" averages neighboring lines of both fields: ghosts.
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
