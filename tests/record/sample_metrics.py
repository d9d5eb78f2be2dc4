"""The images that record_metrics.py and test_metrics.py compare."""

import formulas
import numpy as np

SHAPE = (1, 3, 40, 56)


def pictures():
    """Return two similar images, uint8 RGB (40, 56, 3)."""
    clean = formulas.picture("metrics", SHAPE)
    noisy = np.clip(clean + 0.04 * formulas.noise("metrics error", SHAPE), 0, 1)
    return [
        np.rint(p[0].transpose(1, 2, 0) * 255).astype(np.uint8) for p in (clean, noisy)
    ]
