"""The metrics that networks compute: LPIPS and DISTS of two images, FID's features."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor

from realesrgan_paddle.loss.inception import load_inception
from realesrgan_paddle.loss.lpips_dists import DISTS, LPIPS, Net, load_dists, load_lpips
from realesrgan_paddle.ops.choose import float32_ops

KEPT_VALUES = 3 * 2**17
"""Largest ground truth whose features are kept: they take 500 bytes for each pixel."""


def open_distance(
    network: Net | Literal["dists"],
) -> Callable[[np.ndarray, np.ndarray], float]:
    """Return LPIPS with one of its networks, or DISTS.

    Raises:
        UserError: its weights cannot be had; says how to get them.
    """
    ops = float32_ops()
    if network == "dists":
        return partial(perceptual_distance, load_dists(ops=ops))
    return partial(perceptual_distance, load_lpips(network, ops=ops))


@paddle.no_grad()
def perceptual_distance(
    network: LPIPS | DISTS, image: np.ndarray, reference: np.ndarray
) -> float:
    """Return the LPIPS or DISTS of two images; 0 if they are equal.

    Args:
        network: LPIPS or DISTS.
        image: uint8 RGB (H, W, 3).
        reference: the ground truth, of the same shape.

    Raises:
        UserError: the images are too small.
    """
    if isinstance(network, DISTS) and reference.size <= KEPT_VALUES:
        targets = _targets(network, reference.tobytes(), *reference.shape[:2])
        return network.distance(_to_tensor(image), targets).item()
    return network(_to_tensor(image), _to_tensor(reference)).item()


@lru_cache(maxsize=1)
def _targets(network: DISTS, pixels: bytes, height: int, width: int) -> list[Tensor]:
    """Return the features of a ground truth: networks are compared on one in turn."""
    values = np.frombuffer(pixels, np.uint8)
    reference = values.reshape(height, width, 3)
    return network.targets(_to_tensor(reference))


def open_features() -> Callable[[np.ndarray], np.ndarray]:
    """Return what computes FID's features (1, 2048) of uint8 RGB (H, W, 3).

    Raises:
        UserError: the network's weights cannot be had; says how to get them.
    """
    network = load_inception(ops=float32_ops())

    def features(image: np.ndarray) -> np.ndarray:
        """Return float32 (1, 2048)."""
        return network(_to_tensor(image)).numpy()

    return features


def _to_tensor(image: np.ndarray) -> Tensor:
    """Return an image (H, W, 3) in 0..255 as (1, 3, H, W) in [0, 1], float32."""
    image = image.astype(np.float32)
    batch = image.transpose(2, 0, 1)[None]
    return paddle.to_tensor(batch / 255)
