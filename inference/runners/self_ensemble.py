"""Self-ensemble: a network's mean over the eight flips and turns of its input.

Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image Super-Resolution",
section 3.3 (geometric self-ensemble). Programs for waifu2x call it TTA.
"""

from typing import Any

import numpy as np

from realesrgan_paddle.inference.open_runner import Runner

HEIGHT, WIDTH = 2, 3
"""The axes of (N, C, H, W)."""

PASSED_ON = ("radius", "multiple", "bytes_per_pixel", "bytes_in_bands")
"""What a runner may say of itself for tiles; it holds for each of the eight runs."""


class SelfEnsemble:
    """Runs a network eight times, and so takes eight times as long.

    Attributes:
        runner: runs the network.
        scale: its upscaling factor.
        device: where it runs, and how.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.scale = runner.scale
        self.device = f"{runner.device}, mean of 8 flips and turns"

    def __getattr__(self, name: str) -> Any:
        """Return what the runner says of itself, if it does."""
        if name not in PASSED_ON:
            raise AttributeError(name)
        return getattr(self.runner, name)

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Return the mean, float32 (N, 3, scale * H, scale * W)."""
        total = np.zeros((), np.float32)
        for mirrored in (images, images[..., ::-1]):
            for turns in range(4):
                turned = np.rot90(mirrored, turns, (HEIGHT, WIDTH))
                output = self.runner(np.ascontiguousarray(turned))

                upright = np.rot90(output, -turns, (HEIGHT, WIDTH))
                if mirrored is not images:
                    upright = upright[..., ::-1]
                total = total + upright
        return total / np.float32(8)
