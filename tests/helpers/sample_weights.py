"""Seeded random weights of each network, with its names and shapes."""

import numpy as np


def sample_weights(spec, seed=0):
    """Return {BasicSR name: float32 array} of the network that `spec` describes."""
    draw = np.random.default_rng(seed)
    return {
        name: draw.normal(scale=0.1, size=shape).astype(np.float32)
        for name, shape in spec.tensor_shapes().items()
    }
