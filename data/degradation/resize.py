"""Resize tensors as torch's `interpolate` does: half-pixel centers, no antialiasing."""

from collections.abc import Sequence

import cv2
import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.options.schema.degradation import ResizeMode

OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resize_by(image: Tensor, factor: float, mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` resized to floor(H * factor) x floor(W * factor).

    Each side is at least 1. As torch's `interpolate(scale_factor=...)`: bilinear and
    bicubic sample at steps of 1 / factor, which differs slightly from the ratio of the
    rounded sizes.
    """
    _, _, height, width = image.shape
    size = [int(height * factor), int(width * factor)]
    if mode == "area" or min(size) == 0:
        return resize_to(image, size, mode)
    if paddle.get_device() == "cpu":
        return _by_opencv(image, size, mode, factor)
    return F.interpolate(image, scale_factor=factor, mode=mode)


def resize_to(image: Tensor, size: Sequence[int], mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` at `size` (height, width), each side at least 1.

    As torch's `interpolate(size=...)`: "area" averages over all cells that a pixel
    touches (adaptive average pooling); "bicubic" has a = -0.75.
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
    """Return `image` resized as torch does on a CPU, in at most half of Paddle's time.

    Paddle also differs from torch where a side becomes one pixel.
    """
    if mode == "bilinear" and [*size] == image.shape[2:]:
        return image  # as torch does, whatever the factor

    height, width = size
    # Given a factor, OpenCV rounds the size, to this one or one pixel more.
    target = (width, height) if factor is None else None
    step = factor or 0.0
    resized = np.empty([*image.shape[:2], height, width], np.float32)
    for planes, results in zip(image.numpy(), resized, strict=True):
        for plane, result in zip(planes, results, strict=True):
            out = cv2.resize(
                plane, target, fx=step, fy=step, interpolation=OPENCV[mode]
            )
            result[:] = out[:height, :width]
    return paddle.to_tensor(resized)
