"""FID of each method on a set: a figure of all images together."""

from collections.abc import Mapping

import numpy as np
import paddle

from realesrgan_paddle.loss.inception import FEATURES, Inception
from realesrgan_paddle.metrics.names import GT
from realesrgan_paddle.utils.metrics.frechet import FeatureStatistics, frechet_distance


class SetDistances:
    """Features of one set's images by method, from which FID follows.

    Args:
        network: computes features.
    """

    def __init__(self, network: Inception) -> None:
        self._network = network
        self._statistics: dict[str, FeatureStatistics] = {}

    def features(self, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the features (1, 2048) of uint8 RGB images (H, W, 3), by method."""
        found = {}
        for name, image in images.items():
            unit = image.astype(np.float32) / 255
            channels_first = unit.transpose(2, 0, 1)
            batch = np.ascontiguousarray(channels_first[None])
            features = self._network(paddle.to_tensor(batch))
            found[name] = features.numpy()
        return found

    def add(self, features: Mapping[str, np.ndarray]) -> None:
        """Take what `features` returned, of one more image."""
        for name, of_image in features.items():
            if name not in self._statistics:
                self._statistics[name] = FeatureStatistics(FEATURES)
            self._statistics[name].add(of_image)

    def fid(self, method: str) -> float:
        """Return the FID of a method's images so far; NaN of fewer than two."""
        truth = self._statistics.get(GT)
        if truth is None or truth.count < 2:
            return float("nan")
        return frechet_distance(self._statistics[method], truth)
