"""Unsharp masking, which makes the ground truth that Real-ESRGAN trains towards a little crisper."""

import cv2
import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.blur import blur


class USM:
    """Sharpens images: Real-ESRGAN's USMSharp (Wang et al. 2021, section 4.1; BasicSR, utils/img_process_util.py).

    Args:
        radius: side of the gaussian window in pixels, an even one grows by 1.
        sigma: its standard deviation in pixels; 0 takes OpenCV's for that window (8 for the default).
    """

    def __init__(self, radius: int = 50, sigma: float = 0) -> None:
        window = cv2.getGaussianKernel(radius + 1 - radius % 2, sigma)
        self._kernel = np.float32(window @ window.T)[None]

    @paddle.no_grad()
    def __call__(self, image: Tensor, weight: float = 0.5, threshold: float = 10) -> Tensor:
        """Return `image` sharpened where it differs from its blur: float32 (N, C, H, W) in [0, 1].

        Args:
            image: float32 (N, C, H, W) in [0, 1].
            weight: how much of the difference is added.
            threshold: the difference that counts as detail, in levels of 255.
        """
        kernel = paddle.to_tensor(self._kernel)
        detail = image - blur(image, kernel)
        mask = blur((paddle.abs(detail) * 255 > threshold).astype("float32"), kernel)
        sharp = paddle.clip(image + weight * detail, 0, 1)
        return mask * sharp + (1 - mask) * image
