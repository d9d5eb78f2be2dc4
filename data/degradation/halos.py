"""Sharpening halos along edges, as cameras and broadcasters add them."""

from dataclasses import dataclass

import cv2
import numpy as np

from realesrgan_paddle.options.schema.degradation import SynthesisOptions

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of R, G and B in the luma (ITU-R BT.709)."""


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
