"""What the engine's operators take and return."""

from collections.abc import Callable
from typing import NamedTuple, Union

import numpy as np

from realesrgan_paddle.inference.engine.features import Planes
from realesrgan_paddle.inference.engine.primitives import SumSpec, weighted_sum
from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.ops.onednn.library import F32


class Image:
    """An image, float32 (C, H, W), with what is to be added to it."""

    def __init__(
        self, recorder: Recorder, channels: int, height: int, width: int
    ) -> None:
        self.recorder = recorder
        size = 4 * channels * height * width
        self.buffer = Buffer(recorder, size)
        self.array = self.buffer.array(np.float32, channels, height, width)

    @property
    def address(self) -> int:
        """Where it lies."""
        return self.buffer.address

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(1, C, H, W)."""
        channels, height, width = self.array.shape
        return 1, channels, height, width

    def __add__(self, other: "Image | RepeatedImage") -> "Image":
        if isinstance(other, RepeatedImage):
            self.recorder.call(
                _add_repeated, self.array, other.image.array, other.scale
            )
        else:
            self.recorder.call(np.add, self.array, other.array, self.array)
        return self


class RepeatedImage(NamedTuple):
    """An image upscaled by nearest neighbor, not yet computed."""

    image: Image
    scale: int


def _add_repeated(target: np.ndarray, image: np.ndarray, scale: int) -> None:
    channels, height, width = image.shape
    by_pixel = target.reshape(channels, height, scale, width, scale)
    repeated = image[:, :, None, :, None]
    by_pixel += repeated


class Weight(NamedTuple):
    """A tensor of the network, with its name: what was made of it is kept by that."""

    name: str
    array: np.ndarray


class Scaled(NamedTuple):
    """Features times a number, not yet computed."""

    features: "Features"
    factor: float


class Features(Planes):
    """Planes that can be added and scaled, as a network's forward pass does."""

    def __rmul__(self, factor: float) -> Scaled:
        return Scaled(self, factor)

    def __add__(self, other: Union["Features", Scaled]) -> "Features":
        if not isinstance(other, Scaled):
            other = Scaled(other, 1.0)
        y = other.features
        total = Features(self.recorder, self.size, self.channels, F32)
        dtypes = (self.dtype, y.dtype)
        spec = SumSpec(self.elements, 1.0, other.factor, dtypes, (), F32)
        add = weighted_sum(spec)
        for a, b, result in zip(
            self.addresses, y.addresses, total.addresses, strict=True
        ):
            add(self.recorder, a, b, [], result)
        return total


class Deferred:
    """Features that are computed in bands of rows, because they are large.

    Args:
        source: what the first step takes.
        steps: each takes the result of the one before.
    """

    def __init__(
        self, source: Features, steps: tuple[Callable[[Features], Features], ...] = ()
    ) -> None:
        self.source = source
        self.steps = steps

    def then(self, step: Callable[[Features], Features]) -> "Deferred":
        """Return these features after one more step."""
        steps = (*self.steps, step)
        return Deferred(self.source, steps)
