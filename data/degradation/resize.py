"""Resize tensors as torch's `interpolate` does (half-pixel centres, no antialiasing)."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

ResizeMode = Literal["area", "bilinear", "bicubic"]
OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resize_by(image: Tensor, factor: float, mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` at floor(H * factor) x floor(W * factor), at least 1 x 1.

    The sampling points of bilinear and bicubic are 1 / factor apart, which is not quite
    the ratio of the rounded sizes: what torch's `interpolate(scale_factor=...)` does.
    """
    size = [int(length * factor) for length in image.shape[2:]]
    if mode == "area" or min(size) == 0:
        return resize_to(image, size, mode)
    if paddle.get_device() == "cpu":
        return _by_opencv(image, size, mode, factor)
    return F.interpolate(image, scale_factor=factor, mode=mode)


def resize_to(image: Tensor, size: Sequence[int], mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` at `size` (height, width), each side at least 1: torch's `interpolate(size=...)`.

    "area" averages over the whole cells that a pixel touches (adaptive average
    pooling); "bicubic" has a = -0.75.
    """
    size = [max(1, length) for length in size]
    if mode == "area":
        return F.adaptive_avg_pool2d(image, size)
    if paddle.get_device() == "cpu":
        return _by_opencv(image, size, mode)
    return F.interpolate(image, size=size, mode=mode)


def _by_opencv(
    image: Tensor, size: Sequence[int], mode: ResizeMode, factor: float | None = None
) -> Tensor:
    """Return `image` as torch's `interpolate` resizes it on a CPU, in half of Paddle's time or less.

    Paddle's has other values where a side becomes one pixel.
    """
    if mode == "bilinear" and [*size] == image.shape[2:]:
        return image  # as torch does, whatever the factor
    height, width = size
    resized = np.empty([*image.shape[:2], height, width], np.float32)
    for planes, smaller in zip(image.numpy(), resized, strict=True):
        for plane, out in zip(planes, smaller, strict=True):
            to = (
                (width, height) if factor is None else None
            )  # else OpenCV rounds the size, to this or one more
            step = factor or 0.0
            out[:] = cv2.resize(
                plane, to, fx=step, fy=step, interpolation=OPENCV[mode]
            )[:height, :width]
    return paddle.to_tensor(resized)
