"""What runs a network, what it may say of itself, and a check of what it returns.

A runner takes float32 RGB (1, 3, H, W) in [0, 1] and returns float32 (1, 3, scale * H,
scale * W), not clipped; MemoryError if that does not fit. It may have these attributes:

    radius            how far an output pixel sees [input pixels]: with so much padding a
                      tile is exact
    multiple          windows that begin at multiples of it have the untiled result's bits
    bytes_per_pixel   memory that a window takes [bytes for each input pixel]
    bytes_in_bands    the same of large windows, if it is less: (bytes for any window, bytes
                      for each input pixel)
    device            where it runs; "gpu" or "gpu ..." has a memory of its own
    exact()           returns a runner of the same network in float32

A runner of a network that carries a state through a video, frame by frame, also has these:

    num_state         channels of the state
    step(frame, before, after, state)
                      returns (3, scale * H, scale * W) and the state for the frame after it,
                      (num_state, H, W). All are float32 without N: the frame itself in the
                      place of one that there is not, and zeros in that of a state. With
                      these it returns what the runner makes of the frame as a picture
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from realesrgan_paddle.utils.errors import UserError

Run = Callable[[np.ndarray], np.ndarray]

HEIGHT, WIDTH = 2, 3
"""The axes of (N, C, H, W)."""

PROBE_SIDE = 24
"""Of the picture by which a network is known again [pixels]."""

PASSED_ON = ("radius", "multiple", "bytes_per_pixel", "bytes_in_bands")
"""What a runner may say of itself for tiles; it holds for each of the eight runs."""


@dataclass
class TileCounts:
    """What became of the tiles of one image."""

    computed: int = 0
    """By the network."""
    repeated: int = 0
    """Copied from an identical tile."""
    in_float32: int = 0
    """Of those computed, twice: the output was not finite at first."""


class Runner(Protocol):
    """Runs a network.

    Attributes:
        scale: its upscaling factor.
        device: where, with what and in which precision it runs, and why; for messages.
    """

    scale: int
    device: str

    def __call__(self, images: np.ndarray, /) -> np.ndarray:
        """Return (N, 3, scale * H, scale * W) for float32 (N, 3, H, W) in [0, 1].

        Raises:
            MemoryError: they do not fit.
        """


class CheckedRunner:
    """Runs a network; what is not finite is computed again in float32 if that can be.

    Args:
        run: a runner.
        scale: its upscaling factor.
    """

    def __init__(self, run: Run, scale: int) -> None:
        self.run = run
        self.scale = scale
        self._exact: Run | None = None

    def __call__(self, window: np.ndarray, counts: TileCounts) -> np.ndarray:
        """Return (3, scale * H, scale * W) for float32 (1, 3, H, W); count the tile.

        Raises:
            UserError: the output has another shape, or is not finite in float32 either.
        """
        output = self._checked(self.run(window), window.shape)
        if not np.isfinite(output).all() and hasattr(self.run, "exact"):
            if self._exact is None:
                self._exact = self.run.exact()
            output = self._checked(self._exact(window), window.shape)
            counts.in_float32 += 1

        if not np.isfinite(output).all():
            raise UserError(
                "the network's output holds NaN or infinite values; its weights are "
                "damaged"
            )
        counts.computed += 1
        return output[0]

    def _checked(self, output: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        height, width = shape[2:]
        expected = (1, 3, height * self.scale, width * self.scale)
        if output.shape != expected:
            raise UserError(
                f"the network's output for {shape} is {output.shape}, not {expected}"
            )
        return output


class SelfEnsemble:
    """A network's mean over the eight flips and turns of its input.

    It takes eight times as long. Lim et al. 2017, "Enhanced Deep Residual Networks for Single
    Image Super-Resolution", section 3.3 (geometric self-ensemble). Programs for waifu2x
    call it TTA.

    Attributes:
        runner: runs the network.
        scale: its upscaling factor.
        device: where it runs, and how.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.scale = runner.scale
        self.device = f"{runner.device}, mean of 8 flips and turns"
        if hasattr(runner, "num_state"):
            self.device += "; each frame of a video alone, without the state"

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


def find_scale(source: Path, run: Callable[[np.ndarray], np.ndarray]) -> int:
    """Return the upscaling factor of a 4x4 image: every network takes multiples of 4.

    Raises:
        UserError: the output is not that of an upscaler, or does not fit into memory.
    """
    try:
        shape = run(np.zeros((1, 3, 4, 4), np.float32)).shape
    except MemoryError as error:
        raise UserError(
            f"{source}: asks for too much memory for 4x4 pixels; it is damaged"
        ) from error

    scale = shape[-1] // 4 if shape else 0
    if scale < 1 or shape != (1, 3, 4 * scale, 4 * scale):
        raise UserError(
            f"{source}: makes {shape} of (1, 3, 4, 4); an upscaler makes "
            "(1, 3, 4 * scale, 4 * scale)"
        )
    return scale


def network_digest(run: Any) -> str:
    """Return a hash of what a runner makes of a picture, to the bit.

    And of what it makes of a frame with others and a state beside it, if it takes them.
    """
    noise = np.random.default_rng(0)
    picture = noise.random((1, 3, PROBE_SIDE, PROBE_SIDE), np.float32)
    digest = hashlib.sha256(run(picture).tobytes())
    if hasattr(run, "num_state"):
        before, after = noise.random((2, *picture.shape[1:]), np.float32)
        state = noise.random((run.num_state, *picture.shape[2:]), np.float32)
        for part in run.step(picture[0], before, after, state - np.float32(0.5)):
            digest.update(part.tobytes())
    return digest.hexdigest()
