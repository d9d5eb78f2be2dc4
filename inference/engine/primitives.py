"""oneDNN's primitives on features in blocks of channels: convolutions, sums, PReLU; weights."""

from collections.abc import Sequence
from ctypes import c_void_p
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.features import padded
from realesrgan_paddle.inference.engine.recorder import Recorder
from realesrgan_paddle.ops.onednn.convolutions import (
    PostOperation,
    describe_convolution,
    operands,
    post_operations,
    slopes_of,
)
from realesrgan_paddle.ops.onednn.library import (
    BIAS,
    BINARY_ADD,
    DST,
    F32,
    FORWARD_INFERENCE,
    NULL,
    SRC,
    SRC_1,
    WEIGHTS,
    OneDNNError,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Copy,
    Primitive,
    any_layout,
    blocked,
    flat,
    implementation,
    nchw,
    reorder,
    size_of,
)

CACHE_SIZE = 256
SCALES = 4096  # DNNL_ARG_ATTR_SCALES
SUMS_KEPT = 128
"""Those of one or two sizes of image: as many more take memory."""


class BlockConvolutionSpec(NamedTuple):
    """What identifies a convolution's primitive."""

    in_ch: int
    out_ch: int
    rows: int
    width: int
    dtype: int
    """That it multiplies in."""
    out_dtype: int
    steps: tuple[PostOperation, ...] = ()
    has_slopes: bool = False
    """Whether a PReLU follows, after the steps."""
    kernel: tuple[int, int] = (1, 3)
    plain_input: bool = False
    """Whether the input is (1, C, H, W) without blocks."""


class BlockConvolution:
    """A convolution that pads with zeros and keeps the size."""

    def __init__(self, spec: BlockConvolutionSpec) -> None:
        in_shape = (1, spec.in_ch, spec.rows, spec.width)
        out_shape = (1, spec.out_ch, spec.rows, spec.width)
        x = (nchw if spec.plain_input else blocked)(in_shape, spec.dtype)
        y = blocked(out_shape, spec.out_dtype)
        weight = weight_layout(
            spec.in_ch, spec.out_ch, spec.kernel, spec.dtype, spec.plain_input
        )
        bias = flat(spec.out_ch)

        layouts = [
            blocked(out_shape, step.dtype) for step in spec.steps if step.has_operand
        ]
        self._others = operands(spec.steps)
        memories = {SRC: x, WEIGHTS: weight, BIAS: bias, DST: y}
        memories.update(zip(self._others, layouts, strict=True))
        self._slopes = slopes_of(spec.steps)
        if spec.has_slopes:
            memories[self._slopes] = flat(spec.out_ch)

        attributes = post_operations(spec.steps, layouts, has_slopes=spec.has_slopes)
        description = _describe(x, weight, bias, y, spec.kernel, attributes)
        self._has_slopes = spec.has_slopes
        self._primitive = Primitive(description, memories)

    def __call__(
        self,
        recorder: Recorder,
        x: int,
        weights: "PreparedWeights",
        kind: int,
        out: int,
        others: Sequence[int] = (),
    ) -> None:
        """Compute on memories at these addresses."""
        addresses = {
            SRC: x,
            WEIGHTS: weights.kinds[kind],
            BIAS: weights.biases[kind],
            DST: out,
        }
        addresses.update(zip(self._others, others, strict=True))
        if self._has_slopes:
            addresses[self._slopes] = weights.slopes
        recorder.run(self._primitive, addresses)


def _describe(
    x: c_void_p,
    weight: c_void_p,
    bias: c_void_p,
    y: c_void_p,
    kernel: tuple[int, int],
    attributes: c_void_p,
) -> c_void_p:
    """Return the description of a convolution that keeps the size."""
    height, width = kernel
    return describe_convolution(
        x,
        weight,
        bias,
        y,
        padding=(height // 2, width // 2),
        attributes=attributes,
        kind=FORWARD_INFERENCE,
    )


@lru_cache(CACHE_SIZE)
def weight_layout(
    in_ch: int, out_ch: int, kernel: tuple[int, int], dtype: int, plain_input: bool
) -> c_void_p:
    """Return the layout that oneDNN chooses for a weight, the same for all images."""
    shape = (1, in_ch, 16, 64)
    x = (nchw if plain_input else blocked)(shape, dtype)
    y = blocked((1, out_ch, 16, 64), F32)
    wanted = any_layout((out_ch, in_ch, *kernel), dtype)
    description = _describe(x, wanted, flat(out_ch), y, kernel, NULL)
    return chosen_layout(description, "blocked features")


def chosen_layout(description: c_void_p, what: str) -> c_void_p:
    """Return the layout of a convolution's weight; it is valid for good.

    Raises:
        OneDNNError: a convolution of `what` would be a thousand times slower than it
            could be.
    """
    if implementation(description).startswith("ref"):
        raise OneDNNError(f"this processor has no fast convolution of {what}")
    found = Primitive(description, {WEIGHTS: None})
    _kept.append(found)
    return found.layouts[WEIGHTS]


_kept: list[Primitive] = []
"""Their layouts belong to them."""


@lru_cache(CACHE_SIZE)
def _weight_copy(
    in_ch: int, out_ch: int, kernel: tuple[int, int], dtype: int, plain_input: bool
) -> Copy:
    plain = nchw((out_ch, in_ch, *kernel))
    return reorder(plain, weight_layout(in_ch, out_ch, kernel, dtype, plain_input))


class PreparedWeights:
    """A convolution's weights and biases, of one or more kinds, as the primitives want.

    Attributes:
        kinds: addresses of the weights.
        biases: addresses of the biases.
        slopes: address of a PReLU's slopes; 0 if there are none.
    """

    def __init__(
        self,
        kinds: Sequence[np.ndarray],
        biases: Sequence[np.ndarray],
        slopes: np.ndarray | None,
        dtype: int,
        plain_input: bool = False,
    ) -> None:
        out_ch, in_ch, *kernel = kinds[0].shape
        copy = _weight_copy(in_ch, out_ch, (kernel[0], kernel[1]), dtype, plain_input)
        size = size_of(copy.layouts[DST])
        stride = -(-size // 64) * 64
        self._memory = np.empty(stride * len(kinds) + 64, np.uint8)
        begin = -(-self._memory.ctypes.data // 64) * 64

        self.kinds = []
        for i, kind in enumerate(kinds):
            plain = np.ascontiguousarray(kind, np.float32)
            copy.once({SRC: plain.ctypes.data, DST: begin + i * stride})
            self.kinds.append(begin + i * stride)

        self._biases = [_channels(bias) for bias in biases]
        self.biases = [bias.ctypes.data for bias in self._biases]
        self._slopes = None if slopes is None else _channels(slopes)
        self.slopes = 0 if self._slopes is None else self._slopes.ctypes.data


def _channels(values: np.ndarray) -> np.ndarray:
    """Return float32 for each channel, with zeros for those that fill a block."""
    result = np.zeros(padded(len(values)), np.float32)
    result[: len(values)] = values
    return result


class PReLU:
    """A PReLU in place."""

    def __init__(self, channels: int, rows: int, width: int, dtype: int) -> None:
        dnnl = library()
        x = blocked((1, channels, rows, width), dtype)
        slopes = blocked((1, channels, 1, 1))
        description = dnnl.create(
            "dnnl_prelu_forward_primitive_desc_create",
            dnnl.engine,
            FORWARD_INFERENCE,
            x,
            slopes,
            x,
            NULL,
        )
        self._primitive = Primitive(description, {SRC: x, WEIGHTS: slopes, DST: x})

    def __call__(self, recorder: Recorder, address: int, slopes: int) -> None:
        """Activate features at an address."""
        addresses = {SRC: address, WEIGHTS: slopes, DST: address}
        recorder.run(self._primitive, addresses)


class SumSpec(NamedTuple):
    """What identifies a sum: first * x + second * y, and then some steps."""

    elements: int
    first: float
    second: float
    dtypes: tuple[int, int]
    """Of x and y."""
    steps: tuple[PostOperation, ...]
    out_dtype: int


class Sum:
    """A sum of tensors of the same size, which lie in any order of elements."""

    def __init__(self, spec: SumSpec) -> None:
        dnnl = library()
        x, y = (flat(spec.elements, dtype) for dtype in spec.dtypes)
        out = flat(spec.elements, spec.out_dtype)
        self._others = operands(spec.steps)
        layouts = [
            flat(spec.elements, step.dtype) for step in spec.steps if step.has_operand
        ]
        memories = {SRC: x, SRC_1: y, DST: out}
        memories.update(zip(self._others, layouts, strict=True))

        attributes = post_operations(spec.steps, layouts)
        self._factors = np.array([spec.first, spec.second], np.float32)
        self._scales = {}
        for i, argument in enumerate((SRC, SRC_1)):
            if self._factors[i] != 1:
                dnnl.call(
                    "dnnl_primitive_attr_set_scales_mask", attributes, argument, 0
                )
                memories[SCALES | argument] = flat(1)
                self._scales[SCALES | argument] = self._factors[i:].ctypes.data

        description = dnnl.create(
            "dnnl_binary_primitive_desc_create",
            dnnl.engine,
            BINARY_ADD,
            x,
            y,
            out,
            attributes,
        )
        self._primitive = Primitive(description, memories)

    def __call__(
        self, recorder: Recorder, x: int, y: int, others: Sequence[int], out: int
    ) -> None:
        """Compute on memories at these addresses; `out` may be one of them."""
        addresses = {SRC: x, SRC_1: y, DST: out, **self._scales}
        addresses.update(zip(self._others, others, strict=True))
        recorder.run(self._primitive, addresses)


@lru_cache(SUMS_KEPT)
def weighted_sum(spec: SumSpec) -> Sum:
    """Return the sum's primitive, created once."""
    return Sum(spec)
