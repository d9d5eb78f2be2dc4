"""LPIPS's distance of two features, whose pixels are vectors of length 1, by NumPy.

Features are NHWC; first gradients only. One image at a time stays in the processor's
caches. A dozen of Paddle's operators and their gradients, single-threaded and each with
its own pass through memory, take ten times as long.
"""

from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.plain import UNIT_EPSILON
from realesrgan_paddle.ops.training.tensor_memory import array_of, contiguous, empty


class _ImageTerms(NamedTuple):
    """What the gradient of one image is computed from, arrays (pixels, channels)."""

    unit: np.ndarray
    """The features, scaled to length 1."""
    scale: np.ndarray
    """What they were multiplied by, (pixels, 1)."""
    weighted: np.ndarray
    """Their difference from the target's, times the channel weights."""


class UnitDistanceLayer(PyLayer):
    """The distance: apply(x, target, weight).

    x and target are (N, H, W, C), the channel weights (1, C, 1, 1).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return (N,): the mean over the pixels."""
        learns = not x.stop_gradient
        ctx.shape = x.shape
        ctx.images = []

        x = contiguous(x)
        target = contiguous(target)
        channel_weights = array_of(contiguous(weight)).reshape(-1)

        distances = []
        for image, target_image in zip(_by_pixel(x), _by_pixel(target), strict=True):
            unit, scale = _unit_vectors(image)
            target_unit, _ = _unit_vectors(target_image)

            difference = np.subtract(unit, target_unit, out=target_unit)
            weighted = difference * channel_weights
            by_pixel = np.einsum("pc,pc->p", difference, weighted)
            distances.append(by_pixel.mean())

            if learns:
                ctx.images.append(_ImageTerms(unit, scale, weighted))

        return paddle.to_tensor(np.array(distances, np.float32))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of x.

        A vector's length does not change its distance, so the gradient is the part of
        `weighted` perpendicular to the vector.
        """
        dx = empty(ctx.shape)
        images = zip(_by_pixel(dx), ctx.images, dy.numpy(), strict=True)
        for gradient, (unit, scale, weighted), factor in images:
            parallel = np.einsum("pc,pc->p", weighted, unit)
            np.multiply(unit, parallel[:, None], out=gradient)
            np.subtract(weighted, gradient, out=gradient)

            mean_factor = 2 * factor / len(gradient)
            gradient *= scale * mean_factor

        return dx, None, None


def _by_pixel(x: Tensor) -> np.ndarray:
    """Return an array (N, pixels, C) on the memory of x (N, H, W, C)."""
    n, height, width, channels = x.shape
    pixels = height * width
    return array_of(x).reshape(n, pixels, channels)


def _unit_vectors(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of x scaled to length 1, and their factors (pixels, 1)."""
    epsilon = np.float32(UNIT_EPSILON)
    squared_lengths = np.einsum("pc,pc->p", x, x)
    lengths = np.sqrt(squared_lengths + epsilon)
    scale = 1 / lengths[:, None]
    unit = x * scale
    return unit, scale
