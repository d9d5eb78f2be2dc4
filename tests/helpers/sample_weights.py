"""Seeded random weights of each network, with its names and shapes."""

import numpy as np

from realesrgan_paddle.models.networks.description import Generator


def sample_weights(spec, seed=0):
    """Return {BasicSR name: float32 array} of the network that `spec` describes."""
    draw = np.random.default_rng(seed)
    return {
        name: draw.normal(scale=0.1, size=shape).astype(np.float32)
        for name, shape in spec.tensor_shapes().items()
    }


def tensors_of(description: Generator) -> dict[str, np.ndarray]:
    """Return random tensors under which features neither vanish nor explode."""
    random = np.random.default_rng(1)
    tensors = {}
    for name, shape in description.tensor_shapes().items():
        inputs = int(np.prod(shape[1:])) if len(shape) > 1 else 16
        values = random.standard_normal(shape) / np.sqrt(inputs)
        tensors[name] = values.astype(np.float32)
    return tensors
