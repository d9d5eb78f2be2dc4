"""SRVGGNetCompact's operators for one image, in 8-bit integers between float32 ends."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.copies import shuffle_channels_last
from realesrgan_paddle.inference.engine.features import padded
from realesrgan_paddle.inference.engine.int8.convolution import (
    LARGEST,
    IntegerConvolutionSpec,
    IntegerWeights,
    integer_convolution,
)
from realesrgan_paddle.inference.engine.primitives import (
    BlockConvolution,
    BlockConvolutionSpec,
    PreparedWeights,
)
from realesrgan_paddle.inference.engine.tape import Buffer, Tape
from realesrgan_paddle.inference.engine.values import Image, RepeatedImage, Weight
from realesrgan_paddle.ops.onednn.convolutions import leaky_relu
from realesrgan_paddle.ops.onednn.library import BYTES, DST, F32, S8, SRC
from realesrgan_paddle.ops.onednn.primitives import blocked, nhwc, reorder

Ranges = Mapping[str, np.ndarray]
"""{name of a weight: the largest absolute value of each of its features, activated}."""


class IntegerFeatures(NamedTuple):
    """Features that lie as (H, W, C).

    Attributes:
        units: what 1 of each channel stands for.
    """

    buffer: Buffer
    shape: tuple[int, int, int, int]
    units: np.ndarray


class IntegerOps:
    """`ops.plain.Ops`, as far as SRVGGNetCompact needs them.

    An activation of slope a is homogeneous, f(s x) = s f(x) for s > 0. So each channel of
    the features has a unit of its own, which the weights before and behind absorb.

    Args:
        tape: notes what is computed.
        ranges: of all features but the last.
        prepared: weights as the primitives want them, by name; filled as they are needed.
    """

    def __init__(
        self,
        tape: Tape,
        ranges: Ranges,
        prepared: dict[str, PreparedWeights | IntegerWeights],
    ) -> None:
        self.tape = tape
        self.ranges = ranges
        self.prepared = prepared

    def enter(self, x: Image) -> Image:
        """Return x: the first convolution reads it as it is."""
        return x

    def conv(
        self,
        x: Image | IntegerFeatures,
        weight: Weight,
        bias: Weight,
        *,
        slope: float = 1.0,
    ) -> IntegerFeatures:
        """See `Ops`."""
        if isinstance(x, Image):
            return self._first(x, weight, bias, None, slope)
        return self._hidden(x, weight, bias, None, slope)

    def conv_prelu(
        self, x: Image | IntegerFeatures, weight: Weight, bias: Weight, slopes: Weight
    ) -> IntegerFeatures:
        """See `Ops`."""
        if isinstance(x, Image):
            return self._first(x, weight, bias, slopes, 1.0)
        return self._hidden(x, weight, bias, slopes, 1.0)

    def _first(
        self,
        x: Image,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> IntegerFeatures:
        """Convolve an image in float32, and round the result."""
        out_ch, in_ch, *kernel = weight.array.shape
        _, _, height, width = x.shape
        units = self._units(weight)
        weights = self.prepared.get(weight.name)
        if not isinstance(weights, PreparedWeights):
            weights = PreparedWeights(
                [weight.array / units[:, None, None, None]],
                [bias.array / units],
                None if slopes is None else slopes.array,
                F32,
                plain_input=True,
            )
            self.prepared[weight.name] = weights

        spec = BlockConvolutionSpec(
            in_ch,
            out_ch,
            height,
            width,
            F32,
            F32,
            tuple(leaky_relu(slope)),
            slopes is not None,
            (kernel[0], kernel[1]),
            plain_input=True,
        )
        whole = Buffer(self.tape, 4 * padded(out_ch) * height * width)
        convolve = BlockConvolution(spec)
        convolve(self.tape, x.address, weights, 0, whole.address)

        shape = (1, out_ch, height, width)
        out = self._features(shape, S8, units)
        rounding = reorder(blocked(shape), nhwc(shape, S8))
        self.tape.run(rounding, {SRC: whole.address, DST: out.buffer.address})
        return out

    def _hidden(
        self,
        x: IntegerFeatures,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> IntegerFeatures:
        """Convolve integers, to integers unless these are the last features."""
        out_ch = len(weight.array)
        _, in_ch, height, width = x.shape
        is_last = weight.name not in self.ranges
        dtype = F32 if is_last else S8
        units = np.ones(out_ch, np.float32) if is_last else self._units(weight)
        weights = self.prepared.get(weight.name)
        if not isinstance(weights, IntegerWeights):
            weights = IntegerWeights(
                weight.array * x.units[:, None, None],
                bias.array,
                None if slopes is None else slopes.array,
                units,
            )
            self.prepared[weight.name] = weights

        spec = IntegerConvolutionSpec(
            in_ch, out_ch, height, width, dtype, slope, slopes is not None
        )
        out = self._features((1, out_ch, height, width), dtype, units)
        convolve = integer_convolution(spec)
        convolve(self.tape, x.buffer.address, weights, out.buffer.address)
        return out

    def _units(self, weight: Weight) -> np.ndarray:
        return self.ranges[weight.name] / LARGEST

    def _features(
        self, shape: tuple[int, int, int, int], dtype: int, units: np.ndarray
    ) -> IntegerFeatures:
        size = int(np.prod(shape)) * BYTES[dtype]
        return IntegerFeatures(Buffer(self.tape, size), shape, units)

    def pixel_shuffle(self, x: IntegerFeatures, scale: int) -> Image:
        """See `Ops`."""
        _, channels, height, width = x.shape
        image = Image(self.tape, channels // scale**2, scale * height, scale * width)
        shuffle_channels_last(
            self.tape, x.buffer.address, x.shape, scale, image.address
        )
        return image

    def nearest_upsample(self, x: Image, scale: int) -> RepeatedImage:
        """See `Ops`."""
        return RepeatedImage(x, scale)
