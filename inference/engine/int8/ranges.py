"""How large the features of a network become, in float32, for each channel."""

from typing import Any

import numpy as np

from realesrgan_paddle.inference.engine.operators import EngineOps
from realesrgan_paddle.inference.engine.values import Features, Image, Weight

PERCENTILE = 99.99
"""Of the absolute values of a channel in an image; what lies above is limited.

Wu et al. 2020, "Integer Quantization for Deep Learning Inference", sections 3.3 and 6.
"""
SMALLEST = 1e-6
"""The range of a channel that is zero everywhere."""


class RangeOps(EngineOps):
    """The engine's operators, which note how large the features of one image are."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ranges: dict[str, np.ndarray] = {}

    def _conv(
        self,
        x: Features | Image,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> Features:
        features = super()._conv(x, weight, bias, slopes, slope)
        if slopes is not None or slope != 1:
            values = np.abs(self.leave(features).array)
            largest = np.percentile(values, PERCENTILE, (1, 2))
            self.ranges[weight.name] = np.maximum(largest, SMALLEST).astype(np.float32)
        return features
