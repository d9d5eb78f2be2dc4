"""The images that record_metrics.py and the tests of metrics measure."""

import formulas
import numpy as np

SHAPE = (1, 3, 40, 56)
NIQE_SHAPE = (1, 3, 208, 300)


def pictures():
    """Return two similar images, uint8 RGB (40, 56, 3)."""
    clean = formulas.picture("metrics", SHAPE)
    noisy = np.clip(clean + 0.04 * formulas.noise("metrics error", SHAPE), 0, 1)
    return [
        np.rint(p[0].transpose(1, 2, 0) * 255).astype(np.uint8) for p in (clean, noisy)
    ]


def niqe_pictures():
    """Return images by name, uint8 RGB (208, 300, 3): of six blocks and borders.

    Of pixels (H, W) with texture, with a flat half, and nearly flat.
    """
    textured = formulas.picture("niqe", NIQE_SHAPE)
    half_flat = textured.copy()
    half_flat[..., :100] = 0.5
    faint = 0.5 + 0.02 * (textured - 0.5)
    named = {"textured": textured, "half_flat": half_flat, "faint": faint}
    return {
        name: np.rint(255 * p[0].transpose(1, 2, 0)).astype(np.uint8)
        for name, p in named.items()
    }


REAL_PICTURES = (
    "images/set5/img_001_SRF_4_HR.png",
    "images/set5/img_005_SRF_4_HR.png",
    "images/urban100/img_004_SRF_4_HR.png",
    "soccer_frames/121364_7_8.jpg",
)
"""In the folder of real files; their NIQE is recorded too."""
