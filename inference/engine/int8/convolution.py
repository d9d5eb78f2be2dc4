"""3x3 convolutions of 8-bit integers by oneDNN, on features (1, H, W, C)."""

from ctypes import c_void_p
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.elementwise import SCALES
from realesrgan_paddle.inference.engine.primitives import chosen_layout
from realesrgan_paddle.inference.engine.tape import Tape
from realesrgan_paddle.ops.onednn.convolutions import (
    describe_convolution,
    leaky_relu,
    post_operations,
    slopes_of,
)
from realesrgan_paddle.ops.onednn.library import (
    BIAS,
    DST,
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

    def __call__(self, tape: Tape, x: int, weights: IntegerWeights, out: int) -> None:
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
        tape.run(self._primitive, addresses)


@lru_cache(CACHE_SIZE)
def integer_convolution(spec: IntegerConvolutionSpec) -> IntegerConvolution:
    """Return the convolution's primitives, created once."""
    return IntegerConvolution(spec)
