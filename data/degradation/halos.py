"""Halos along edges: what sharpening in a camera or for a broadcast leaves."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.options.schema.config import SynthesisOptions

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, of R, G and B


@dataclass(frozen=True)
class Halo:
    """What is random in a halo."""

    strength: float
    """How much of the difference is added."""
    sigma: float
    """Standard deviation of the blur [pixels]."""

    def __str__(self) -> str:
        return f"halo {self.strength:.1f}"


def draw_halo(options: SynthesisOptions, rng: np.random.Generator) -> Halo:
    """Return the random choices for one image."""
    return Halo(rng.uniform(*options.halo_range), rng.uniform(*options.halo_sigma))


def add_halo(image: np.ndarray, halo: Halo) -> np.ndarray:
    """Return `image`, uint8 RGB (H, W, 3), with its luma driven past the edges: unsharp masking, without a threshold.

    Detail is added to luma alone, so colours keep their hue; what exceeds the range is
    clipped, as it is there.
    """
    luma = image.astype(np.float32) @ LUMA
    blurred = cv2.GaussianBlur(
        luma, (0, 0), halo.sigma, borderType=cv2.BORDER_REPLICATE
    )
    sharp = image + halo.strength * (luma - blurred)[..., None]
    return np.rint(np.clip(sharp, 0, 255)).astype(np.uint8)
