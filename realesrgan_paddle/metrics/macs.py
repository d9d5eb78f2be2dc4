"""The multiplications of a network, counted by following its forward pass.

The networks are written over `ops.plain.Ops`. `CountingOps` has those of its
methods that generators use; it computes sizes, and counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from realesrgan_paddle.models.networks.description import Generator, Parameter
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG


@dataclass(frozen=True)
class Feature:
    """The size of one image's features; they may be added, and multiplied by numbers."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As of a tensor."""
        size = (self.height, self.width)
        return 1, self.channels, *size

    def __add__(self, other: "Feature") -> "Feature":
        return self

    def __rmul__(self, factor: float) -> "Feature":
        return self


class CountingOps:
    """The operators of generators; see `Ops` for the size of what each returns.

    Attributes:
        macs: multiplications of all convolutions so far, each with an addition. As
            usual, activations and sums are not counted.
    """

    def __init__(self) -> None:
        self.macs = 0

    def enter(self, x: Feature) -> Feature:
        """Return x."""
        return x

    def leave(self, x: Feature) -> Feature:
        """Return x."""
        return x

    def conv(
        self,
        x: Feature,
        weight: Parameter,
        bias: Parameter | None = None,
        *,
        stride: int = 1,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Feature:
        """See `Ops`."""
        out_ch, in_ch, rows, columns = weight.shape
        padded = x.height + 2 * padding
        height = (padded - rows) // stride + 1
        padded = x.width + 2 * padding
        width = (padded - columns) // stride + 1

        by_pixel = out_ch * in_ch * rows * columns
        self.macs += height * width * by_pixel
        return Feature(out_ch, height, width)

    def add(self, x: Feature, y: Feature) -> Feature:
        """See `Ops`."""
        return x

    def clip(self, x: Feature, most: float) -> Feature:
        """See `Ops`."""
        return x

    def leaky_relu(self, x: Feature, slope: float) -> Feature:
        """See `Ops`."""
        return x

    def conv_prelu(
        self, x: Feature, weight: Parameter, bias: Parameter | None, slopes: Parameter
    ) -> Feature:
        """See `Ops`."""
        return self.conv(x, weight, bias)

    def conv_upsampled(
        self,
        x: Feature,
        weight: Parameter,
        bias: Parameter | None = None,
        *,
        slope: float = 1.0,
    ) -> Feature:
        """See `Ops`; "nearest" is the one mode that generators use."""
        return self.conv(self.nearest_upsample(x, 2), weight, bias)

    def pixel_shuffle(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        channels = x.channels // scale**2
        height = x.height * scale
        width = x.width * scale
        return Feature(channels, height, width)

    def pixel_unshuffle(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        channels = x.channels * scale**2
        height = x.height // scale
        width = x.width // scale
        return Feature(channels, height, width)

    def nearest_upsample(self, x: Feature, scale: int) -> Feature:
        """See `Ops`."""
        height = x.height * scale
        width = x.width * scale
        return Feature(x.channels, height, width)

    def concat(self, tensors: Sequence[Feature]) -> Feature:
        """See `Ops`."""
        first = tensors[0]
        channels = sum(tensor.channels for tensor in tensors)
        return Feature(channels, first.height, first.width)

    def dense_block(
        self,
        x: Feature,
        convolutions: Sequence[tuple[Parameter, Parameter]],
        *,
        slope: float,
    ) -> Feature:
        """See `Ops`."""
        features = x
        for weight, bias in convolutions[:-1]:
            new = self.conv(features, weight, bias)
            features = self.concat([features, new])

        weight, bias = convolutions[-1]
        return self.conv(features, weight, bias)


def count_macs(network: Generator, height: int, width: int) -> int:
    """Return the multiplications for one image of height x width input pixels.

    Of a network that carries a state, those for one frame of a video.
    """
    ops: Any = CountingOps()
    weights: Any = {
        name: tuple(parameters.values())
        for name, parameters in network.layers().items()
    }
    image: Any = Feature(network.num_in_ch, height, width)
    if isinstance(network, RecurrentSRVGG):
        beside: Any = Feature(network.num_beside, height, width)
        network.step(image, beside, weights, ops)
    else:
        network.forward(image, weights, ops)
    return int(ops.macs)


def count_parameters(network: Generator) -> int:
    """Return how many numbers are trained."""
    total = 0
    for shape in network.tensor_shapes().values():
        numbers = 1
        for side in shape:
            numbers *= side
        total += numbers
    return total
