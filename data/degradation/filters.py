"""Filters of a batch of images: blur, unsharp masking and resizing, as tensors."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F
from scipy.fft import next_fast_len

from realesrgan_paddle.options.schema.degradation import ResizeMode
from realesrgan_paddle.utils.machine.devices import without_tf32


def blur(image: Tensor, kernel: Tensor) -> Tensor:
    """Return `image` filtered by its kernels: float32 (N, C, H, W) as given.

    A correlation with the kernel, reflected at the border, as OpenCV's filter2D with
    BORDER_REFLECT_101 and BasicSR's filter2D. Computed by the Fourier transform, whose
    cost does not grow with the kernel: with 21 x 21 taps on a CPU about twelve times as
    fast as Paddle's grouped convolution.

    Args:
        image: float32 (N, C, H, W), of any size; an image smaller than the kernel is
            reflected more than once.
        kernel: float32 (N, k, k), or (1, k, k) for all samples; k odd.
    """
    batch, channels, height, width = image.shape
    kernel_size = kernel.shape[-1]
    radius = kernel_size // 2
    padded = _reflect(image, radius, axis=2)
    padded = _reflect(padded, radius, axis=3)

    # Any size from the padded one on will do: the kernel never wraps around inside the
    # part that is returned.
    size = [next_fast_len(length, real=True) for length in padded.shape[2:]]
    spectrum = paddle.fft.rfft2(padded, s=size)
    kernels = kernel.expand([batch, -1, -1])
    response = paddle.fft.rfft2(kernels, s=size)
    response = paddle.conj(response)
    response = response.unsqueeze(1)

    # On a CPU, Paddle multiplies tensors of equal shape twenty times as fast as
    # broadcast ones, and its `expand` of complex tensors is slow.
    response = paddle.concat([response] * channels, axis=1)
    product = spectrum * response
    blurred = paddle.fft.irfft2(product, s=size)
    return blurred[:, :, :height, :width]


def _reflect(image: Tensor, radius: int, axis: int) -> Tensor:
    """Return `image` with `radius` reflected pixels added on both sides of `axis`."""
    length = image.shape[axis]
    device = paddle.get_device()
    if length > radius:
        edge, reverse = radius + 1, _reversed(radius + 1, device)
        first = paddle.slice(image, [axis], [0], [edge])
        last = paddle.slice(image, [axis], [length - edge], [length])
        before = paddle.index_select(first, reverse[:radius], axis)
        after = paddle.index_select(last, reverse[1:], axis)
    else:
        # reflected more than once
        index = np.pad(np.arange(length), radius, mode="reflect")
        end = len(index) - radius
        before = paddle.index_select(image, paddle.to_tensor(index[:radius]), axis)
        after = paddle.index_select(image, paddle.to_tensor(index[end:]), axis)
    return paddle.concat([before, image, after], axis)


@lru_cache(maxsize=64)
def _reversed(length: int, device: str) -> Tensor:
    """Return length - 1, ..., 1, 0 on the current `device`."""
    return paddle.arange(length - 1, -1, -1)


LONGEST_KEPT = 512
"""Matrices of USM that are kept, by their side [pixels]: 1 MB. Crops have few sizes."""

USM_SIDE = 51
"""Side of USM's gaussian window [pixels]: Real-ESRGAN's radius of 50, made odd."""
USM_SIGMA = 0
"""Its standard deviation [pixels]; 0 takes OpenCV's for that window, 8."""


class USM:
    """Real-ESRGAN's USMSharp: unsharp masking with a threshold on the detail.

    Wang et al. 2021, section 4.1; BasicSR, utils/img_process_util.py.
    """

    def __init__(self) -> None:
        column = cv2.getGaussianKernel(USM_SIDE, USM_SIGMA)
        self._window = column[:, 0]
        self._matrices: dict[int, Tensor] = {}

    @paddle.no_grad()
    @without_tf32()
    def __call__(
        self, image: Tensor, weight: float = 0.5, threshold: float = 10
    ) -> Tensor:
        """Return `image` sharpened where it has detail: float32 (N, C, H, W).

        Args:
            image: float32 (N, C, H, W) in [0, 1].
            weight: factor on the difference, which is added.
            threshold: smallest difference that counts as detail, in levels of 255.
        """
        height, width = image.shape[2:]
        down, across = self._matrix(height), self._matrix(width)

        detail = image - _blur_separably(image, down, across)
        mask = paddle.abs(detail) * 255 > threshold
        # Blurred, so that sharpened regions fade out.
        soft_mask = _blur_separably(mask.astype("float32"), down, across)

        sharp = paddle.clip(image + weight * detail, 0, 1)
        return soft_mask * sharp + (1 - soft_mask) * image

    def _matrix(self, length: int) -> Tensor:
        """Return `_blur_matrix` of a length; those of crops are kept on the device."""
        if length > LONGEST_KEPT:
            return _blur_matrix(self._window, length)
        if length not in self._matrices:
            self._matrices[length] = _blur_matrix(self._window, length)
        return self._matrices[length]


def _blur_separably(image: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return `image` blurred along its columns and its rows.

    As products with the matrices `down` and `across`: three times as fast as by FFT.
    """
    columns_blurred = paddle.matmul(down, image)
    return paddle.matmul(columns_blurred, across, transpose_y=True)


def _blur_matrix(window: np.ndarray, length: int) -> Tensor:
    """Return the matrix that filters a column of pixels, reflected at its ends.

    float32 (length, length).
    """
    radius = len(window) // 2
    rows = np.arange(length)
    source = np.pad(rows, radius, mode="reflect")
    matrix = np.zeros((length, length), np.float32)
    for tap, weight in enumerate(window):
        columns = source[tap : tap + length]
        np.add.at(matrix, (rows, columns), weight)
    return paddle.to_tensor(matrix)


OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def resize_by(image: Tensor, factor: float, mode: ResizeMode) -> Tensor:
    """Return (N, C, H, W) `image` resized to floor(H * factor) x floor(W * factor).

    Half-pixel centers, no antialiasing; each side is at least 1. As torch's
    `interpolate(scale_factor=...)`: bilinear and bicubic sample at steps of 1 / factor,
    which differs slightly from the ratio of the rounded sizes.
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
