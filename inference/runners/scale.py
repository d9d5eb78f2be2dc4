"""The upscaling factor of a graph, found by running it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from realesrgan_paddle.utils.errors import UserError


def find_scale(source: Path, run: Callable[[np.ndarray], np.ndarray]) -> int:
    """Return the upscaling factor of a 4x4 image: every network takes multiples of 4.

    Raises:
        UserError: the output is not that of an upscaler, or does not fit into memory.
    """
    try:
        shape = run(np.zeros((1, 3, 4, 4), np.float32)).shape
    except MemoryError as error:
        raise UserError(
            f"{source}: asks for too much memory for 4x4 pixels; it is damaged"
        ) from error

    scale = shape[-1] // 4 if shape else 0
    if scale < 1 or shape != (1, 3, 4 * scale, 4 * scale):
        raise UserError(
            f"{source}: makes {shape} of (1, 3, 4, 4); an upscaler makes "
            "(1, 3, 4 * scale, 4 * scale)"
        )
    return scale


def check_one_of_each(source: Path, inputs: int, outputs: int) -> None:
    """Raise UserError unless a graph has one input and one output."""
    if inputs != 1 or outputs != 1:
        raise UserError(
            f"{source}: has {inputs} inputs and {outputs} outputs; an upscaler has one of "
            "each"
        )
