"""SRVGGNetCompact in 8-bit integers between float32 ends: its operators for one image.

The 3x3 convolutions are oneDNN's, on features (1, H, W, C).
"""

from ctypes import c_void_p
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.copies import shuffle_channels_last
from realesrgan_paddle.inference.engine.features import padded
from realesrgan_paddle.inference.engine.primitives import (
    SCALES,
    BlockConvolution,
    BlockConvolutionSpec,
    PreparedWeights,
    chosen_layout,
)
from realesrgan_paddle.inference.engine.ranges import Ranges
from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.inference.engine.tensors import Image, RepeatedImage, Weight
from realesrgan_paddle.ops.onednn.convolutions import (
    describe_convolution,
    leaky_relu,
    post_operations,
    slopes_of,
)
from realesrgan_paddle.ops.onednn.library import (
    BIAS,
    BYTES,
    DST,
    F32,
    FORWARD_INFERENCE,
    S8,
    SRC,
    WEIGHTS,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Copy,
    Primitive,
    any_layout,
    blocked,
    flat,
    nchw,
    nhwc,
    reorder,
)

CACHE_SIZE = 256
LARGEST = 127
"""Of the 8-bit integers, symmetric about zero: -128 is not used in weights."""
BY_OUTPUT = 1
"""The mask of one scale for each output channel of a weight."""


class IntegerConvolutionSpec(NamedTuple):
    """What identifies a convolution's primitive."""

    in_ch: int
    out_ch: int
    height: int
    width: int
    out_dtype: int
    """S8, rounded and limited, or F32."""
    slope: float = 1.0
    has_slopes: bool = False


@lru_cache(CACHE_SIZE)
def _weight_layout(in_ch: int, out_ch: int) -> c_void_p:
    """Return the layout that oneDNN chooses for a weight, the same for all images."""
    x = nhwc((1, in_ch, 16, 64), S8)
    y = nhwc((1, out_ch, 16, 64), S8)
    wanted = any_layout((out_ch, in_ch, 3, 3), S8)
    bias = flat(out_ch)
    description = describe_convolution(x, wanted, bias, y, kind=FORWARD_INFERENCE)
    return chosen_layout(description, "8-bit integers")


@lru_cache(CACHE_SIZE)
def _weight_copy(in_ch: int, out_ch: int) -> Copy:
    plain = nchw((out_ch, in_ch, 3, 3), S8)
    chosen = _weight_layout(in_ch, out_ch)
    return reorder(plain, chosen)


class IntegerWeights:
    """A convolution's weights in 8-bit integers, with one scale for each output channel.

    Args:
        weight: (out, in, 3, 3); an input channel's unit is in it.
        bias: (out).
        slopes: of a PReLU, or None.
        out_units: what 1 of each output channel stands for.

    Attributes:
        ordered: the integers in oneDNN's order.
        scales: what 1 of the integers' sums stands for, in units of the output.
        bias: in units of the output.
    """

    def __init__(
        self,
        weight: np.ndarray,
        bias: np.ndarray,
        slopes: np.ndarray | None,
        out_units: np.ndarray,
    ) -> None:
        largest = np.abs(weight).max((1, 2, 3))
        scales = np.where(largest > 0, largest, 1) / LARGEST
        integers = np.rint(weight / scales[:, None, None, None]).astype(np.int8)
        self.scales = (scales / out_units).astype(np.float32)
        self.bias = (bias / out_units).astype(np.float32)
        self.slopes = None if slopes is None else np.ascontiguousarray(slopes)

        out_ch, in_ch, _, _ = weight.shape
        copy = _weight_copy(in_ch, out_ch)
        self.ordered = np.empty(copy.bytes[DST], np.uint8)
        copy(integers.ctypes.data, self.ordered.ctypes.data)


class IntegerConvolution:
    """A 3x3 convolution that pads with zeros and keeps the size."""

    def __init__(self, spec: IntegerConvolutionSpec) -> None:
        dnnl = library()
        x = nhwc((1, spec.in_ch, spec.height, spec.width), S8)
        y = nhwc((1, spec.out_ch, spec.height, spec.width), spec.out_dtype)
        bias = flat(spec.out_ch)
        memories = {
            SRC: x,
            BIAS: bias,
            DST: y,
            SCALES | WEIGHTS: flat(spec.out_ch),
        }

        steps = leaky_relu(spec.slope)
        self._slopes = slopes_of(steps)
        if spec.has_slopes:
            memories[self._slopes] = flat(spec.out_ch)
        attributes = post_operations(steps, has_slopes=spec.has_slopes)
        dnnl.call("dnnl_primitive_attr_set_scales_mask", attributes, WEIGHTS, BY_OUTPUT)

        weight = _weight_layout(spec.in_ch, spec.out_ch)
        memories[WEIGHTS] = weight
        description = describe_convolution(
            x, weight, bias, y, attributes=attributes, kind=FORWARD_INFERENCE
        )
        self._primitive = Primitive(description, memories)

    def __call__(
        self, recorder: Recorder, x: int, weights: IntegerWeights, out: int
    ) -> None:
        """Compute on memories at these addresses."""
        addresses = {
            SRC: x,
            WEIGHTS: weights.ordered.ctypes.data,
            BIAS: weights.bias.ctypes.data,
            DST: out,
            SCALES | WEIGHTS: weights.scales.ctypes.data,
        }
        if weights.slopes is not None:
            addresses[self._slopes] = weights.slopes.ctypes.data
        recorder.run(self._primitive, addresses)


def integer_convolution(spec: IntegerConvolutionSpec) -> IntegerConvolution:
    """Return the convolution's primitive, created once for each number of threads."""
    return _integer_convolution(spec, library().threads)


@lru_cache(CACHE_SIZE)
def _integer_convolution(
    spec: IntegerConvolutionSpec, threads: int
) -> IntegerConvolution:
    """Return the convolution's primitives, created once."""
    return IntegerConvolution(spec)


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
        recorder: notes what is computed.
        ranges: of all features but the last.
        prepared: weights as the primitives want them, by name; filled as they are needed.
    """

    def __init__(
        self,
        recorder: Recorder,
        ranges: Ranges,
        prepared: dict[str, PreparedWeights | IntegerWeights],
    ) -> None:
        self.recorder = recorder
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
            in_ch=in_ch,
            out_ch=out_ch,
            rows=height,
            width=width,
            dtype=F32,
            out_dtype=F32,
            steps=tuple(leaky_relu(slope)),
            has_slopes=slopes is not None,
            kernel=(kernel[0], kernel[1]),
            plain_input=True,
        )
        whole = Buffer(self.recorder, 4 * padded(out_ch) * height * width)
        convolve = BlockConvolution(spec)
        convolve(self.recorder, x.address, weights, 0, whole.address)

        shape = (1, out_ch, height, width)
        out = self._features(shape, S8, units)
        rounding = reorder(blocked(shape), nhwc(shape, S8))
        self.recorder.run(rounding, {SRC: whole.address, DST: out.buffer.address})
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
        convolve(self.recorder, x.buffer.address, weights, out.buffer.address)
        return out

    def _units(self, weight: Weight) -> np.ndarray:
        return self.ranges[weight.name] / LARGEST

    def _features(
        self, shape: tuple[int, int, int, int], dtype: int, units: np.ndarray
    ) -> IntegerFeatures:
        size = int(np.prod(shape)) * BYTES[dtype]
        return IntegerFeatures(Buffer(self.recorder, size), shape, units)

    def pixel_shuffle(self, x: IntegerFeatures, scale: int) -> Image:
        """See `Ops`."""
        _, channels, height, width = x.shape
        image = Image(
            self.recorder, channels // scale**2, scale * height, scale * width
        )
        shuffle_channels_last(
            self.recorder, x.buffer.address, x.shape, scale, image.address
        )
        return image

    def nearest_upsample(self, x: Image, scale: int) -> RepeatedImage:
        """See `Ops`."""
        return RepeatedImage(x, scale)
