"""How far features are apart once their channels are a vector of length 1 at each pixel: NHWC, first gradients only.

It is written down with NumPy for one picture at a time, which stays in the processor's
caches: a dozen operations of Paddle's and their gradients, each on its own way through
memory and on one thread, take ten times as long.
"""

from typing import Any, NamedTuple

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.library import array_of, contiguous
from realesrgan_paddle.utils.ops.onednn.memory import empty
from realesrgan_paddle.utils.ops.plain import UNIT_EPSILON


class _Picture(NamedTuple):
    """What the gradient of a picture is made of, by pixel and channel."""

    unit: np.ndarray
    """Its features of length 1."""
    factor: np.ndarray
    """What they were multiplied by, (pixels, 1)."""
    weighted: np.ndarray
    """Their difference from the target's, times the channels' weights."""


class UnitDistanceLayer(PyLayer):
    """The distance; apply(x, target, weight): features (N, H, W, C), the channels' weights (1, C, 1, 1)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return (N,)."""
        learns, ctx.shape, ctx.pictures = not x.stop_gradient, x.shape, []
        x, target, channel_weights = (
            contiguous(x),
            contiguous(target),
            array_of(contiguous(weight)).reshape(-1),
        )
        distances = []
        for picture, other in zip(_by_pixel(x), _by_pixel(target), strict=True):
            unit, factor = _of_length_1(picture)
            difference, _ = _of_length_1(other)
            np.subtract(unit, difference, out=difference)
            weighted = difference * channel_weights
            distances.append(np.einsum("pc,pc->p", difference, weighted).mean())
            if learns:
                ctx.pictures.append(_Picture(unit, factor, weighted))
        return paddle.to_tensor(np.array(distances, np.float32))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of x: across its vectors, along which nothing changes."""
        dx = empty(ctx.shape)
        for gradient, picture, scale in zip(
            _by_pixel(dx), ctx.pictures, dy.numpy(), strict=True
        ):
            along = np.einsum("pc,pc->p", picture.weighted, picture.unit)[:, None]
            np.multiply(picture.unit, along, out=gradient)
            np.subtract(picture.weighted, gradient, out=gradient)
            gradient *= picture.factor * (2 * scale / len(gradient))
        return dx, None, None


def _by_pixel(x: Tensor) -> np.ndarray:
    """Return the tensor's own memory as (N, pixels, C)."""
    n, height, width, channels = x.shape
    return array_of(x).reshape(n, height * width, channels)


def _of_length_1(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of x divided by their lengths, and what they were multiplied by."""
    factor = (
        1 / np.sqrt(np.einsum("pc,pc->p", x, x) + np.float32(UNIT_EPSILON))[:, None]
    )
    return x * factor, factor
