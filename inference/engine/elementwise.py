"""Sums of several operands, with what may follow a convolution too, by one primitive."""

from collections.abc import Sequence
from ctypes import c_void_p
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.tape import Tape
from realesrgan_paddle.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    DST,
    ELTWISE_LINEAR,
    ELTWISE_RELU,
    SRC,
    SRC_1,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import (
    Primitive,
    attributes_of,
    flat,
    operand,
)

SCALES = 4096  # DNNL_ARG_ATTR_SCALES
CACHE_SIZE = 128
"""Primitives that are kept: those of one or two sizes of image, as many more take memory."""


class Step(NamedTuple):
    """Something done to a result before it is written."""

    kind: int
    number: float = 0.0
    dtype: int = 0

    @property
    def has_operand(self) -> bool:
        """Whether it takes another tensor."""
        return self.kind in (BINARY_ADD, BINARY_SUB)


def plus(dtype: int) -> Step:
    """Return the addition of a tensor of the result's layout."""
    return Step(BINARY_ADD, dtype=dtype)


def minus(dtype: int) -> Step:
    """Return the subtraction of a tensor of the result's layout."""
    return Step(BINARY_SUB, dtype=dtype)


def times(factor: float) -> Step:
    """Return the multiplication by a number."""
    return Step(ELTWISE_LINEAR, factor)


def leaky_relu(slope: float) -> Step:
    """Return the activation."""
    return Step(ELTWISE_RELU, slope)


def append(steps: Sequence[Step], layouts: Sequence[c_void_p]) -> c_void_p:
    """Return oneDNN's post-operations; `layouts` are those of the operands, in order."""
    dnnl = library()
    chain = dnnl.create("dnnl_post_ops_create")
    remaining = iter(layouts)
    for step in steps:
        if step.has_operand:
            dnnl.call("dnnl_post_ops_append_binary", chain, step.kind, next(remaining))
        else:
            dnnl.call(
                "dnnl_post_ops_append_eltwise", chain, step.kind, step.number, 0.0
            )
    return chain


def operands(steps: Sequence[Step]) -> list[int]:
    """Return the argument of each step's operand, for those that have one."""
    arguments = []
    for i, step in enumerate(steps):
        if step.has_operand:
            arguments.append(operand(i))
    return arguments


class SumSpec(NamedTuple):
    """What identifies a sum: first * x + second * y, and then some steps."""

    elements: int
    first: float
    second: float
    dtypes: tuple[int, int]
    """Of x and y."""
    steps: tuple[Step, ...]
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

        attributes = attributes_of(append(spec.steps, layouts))
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
        self, tape: Tape, x: int, y: int, others: Sequence[int], out: int
    ) -> None:
        """Compute on memories at these addresses; `out` may be one of them."""
        addresses = {SRC: x, SRC_1: y, DST: out, **self._scales}
        addresses.update(zip(self._others, others, strict=True))
        tape.run(self._primitive, addresses)


@lru_cache(CACHE_SIZE)
def weighted_sum(spec: SumSpec) -> Sum:
    """Return the sum's primitive, created once."""
    return Sum(spec)
