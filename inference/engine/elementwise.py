"""Sums of several operands, with what may follow a convolution too, by one primitive."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.tape import Tape
from realesrgan_paddle.ops.onednn.convolutions import Step, operands, post_operations
from realesrgan_paddle.ops.onednn.library import BINARY_ADD, DST, SRC, SRC_1, library
from realesrgan_paddle.ops.onednn.primitives import Primitive, flat

SCALES = 4096  # DNNL_ARG_ATTR_SCALES
CACHE_SIZE = 128
"""Primitives that are kept: those of one or two sizes of image, as many more take memory."""


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
