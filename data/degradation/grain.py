"""Grain: noise whose neighboring pixels are alike, as of film and of scaled video."""

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation.blur import blur
from realesrgan_paddle.data.degradation.kernels import gaussian_kernel
from realesrgan_paddle.utils.field_types import LARGEST_GRAIN

KERNEL_SIZE = 2 * 3 * LARGEST_GRAIN + 1
"""Holds three standard deviations of the largest grain on either side."""
SMALLEST = 0.1
"""Grain below this is none [pixels]: a neighbor's weight would be 2e-22."""


def with_grain(noise: Tensor, sizes: np.ndarray) -> Tensor:
    """Return noise smoothed by gaussians, with its standard deviation kept.

    Args:
        noise: float32 (N, C, H, W), independent between pixels.
        sizes: standard deviations of the gaussians [pixels], at most `LARGEST_GRAIN`,
            float32 (N,); 0: the noise as it is.
    """
    if not (sizes >= SMALLEST).any():
        return noise
    kernels = np.stack([_kernel(size) for size in sizes])
    return blur(noise, paddle.to_tensor(kernels))


def _kernel(size: float) -> np.ndarray:
    """Return a gaussian whose squares sum to 1, which keeps white noise's variance."""
    sigma = max(size, SMALLEST)
    kernel = gaussian_kernel(KERNEL_SIZE, sigma, sigma, theta=0)
    length = np.sqrt((kernel**2).sum())
    return (kernel / length).astype(np.float32)
