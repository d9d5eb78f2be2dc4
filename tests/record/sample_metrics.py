"""The pictures that tests/record/record_metrics.py and test_metrics.py measure."""

import formulas
import numpy as np

SHAPE = (1, 3, 40, 56)


def pictures():
    """Return two uint8 RGB pictures (40, 56, 3) that resemble each other."""
    clean = formulas.picture("metrics", SHAPE)
    noisy = np.clip(clean + 0.04 * formulas.noise("metrics error", SHAPE), 0, 1)
    return [
        np.rint(p[0].transpose(1, 2, 0) * 255).astype(np.uint8) for p in (clean, noisy)
    ]
