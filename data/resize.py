"""Resize tensors as torch's `interpolate` does (half-pixel centres, no antialiasing)."""

from collections.abc import Sequence
from typing import Literal

from paddle import Tensor
from paddle.nn import functional as F

ResizeMode = Literal["area", "bilinear", "bicubic"]


def resize_by(image: Tensor, factor: float, mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` at floor(H * factor) x floor(W * factor), at least 1 x 1.

    The sampling points of bilinear and bicubic are 1 / factor apart, which is not quite the ratio of
    the rounded sizes: what torch's `interpolate(scale_factor=...)` does.
    """
    size = [int(length * factor) for length in image.shape[2:]]
    if mode == "area" or min(size) == 0:
        return resize_to(image, size, mode)
    return F.interpolate(image, scale_factor=factor, mode=mode)


def resize_to(image: Tensor, size: Sequence[int], mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` at `size` (height, width), each side at least 1: torch's `interpolate(size=...)`.

    "area" averages over the whole cells that a pixel touches (adaptive average pooling); "bicubic" has a = -0.75.
    """
    size = [max(1, length) for length in size]
    if mode == "area":
        return F.adaptive_avg_pool2d(image, size)
    return F.interpolate(image, size=size, mode=mode)
