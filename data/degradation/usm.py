"""Unsharp masking, which makes the ground truth that Real-ESRGAN trains towards a little crisper."""

import cv2
import numpy as np
import paddle
from paddle import Tensor


class USM:
    """Sharpens images: Real-ESRGAN's USMSharp (Wang et al. 2021, section 4.1; BasicSR, utils/img_process_util.py).

    Args:
        radius: side of the gaussian window in pixels, an even one grows by 1.
        sigma: its standard deviation in pixels; 0 takes OpenCV's for that window (8 for
            the default).
    """

    def __init__(self, radius: int = 50, sigma: float = 0) -> None:
        self._window = cv2.getGaussianKernel(radius + 1 - radius % 2, sigma)[:, 0]

    @paddle.no_grad()
    def __call__(
        self, image: Tensor, weight: float = 0.5, threshold: float = 10
    ) -> Tensor:
        """Return `image` sharpened where it differs from its blur: float32 (N, C, H, W) in [0, 1].

        Args:
            image: float32 (N, C, H, W) in [0, 1].
            weight: how much of the difference is added.
            threshold: the difference that counts as detail, in levels of 255.
        """
        down, across = (
            _blur_matrix(self._window, length) for length in image.shape[2:]
        )
        detail = image - _blur(image, down, across)
        mask = _blur(
            (paddle.abs(detail) * 255 > threshold).astype("float32"), down, across
        )
        sharp = paddle.clip(image + weight * detail, 0, 1)
        return mask * sharp + (1 - mask) * image


def _blur(image: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return `image` blurred along its columns and its rows; as products with matrices, thrice as fast as by FFT."""
    return paddle.matmul(paddle.matmul(down, image), across, transpose_y=True)


def _blur_matrix(window: np.ndarray, length: int) -> Tensor:
    """Return the (length, length) matrix that filters a column by `window`, reflected at both ends."""
    radius = len(window) // 2
    source = np.pad(np.arange(length), radius, mode="reflect")
    matrix = np.zeros((length, length), np.float32)
    for tap, weight in enumerate(window):
        np.add.at(matrix, (np.arange(length), source[tap : tap + length]), weight)
    return paddle.to_tensor(matrix)
