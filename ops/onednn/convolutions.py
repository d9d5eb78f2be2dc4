"""Descriptions of convolutions and their gradients, and what a primitive does afterwards.

The base that training (`ops.training`) and inference (`inference.engine`) share.
Arguments are handles of layouts; see `ops.onednn.primitives`.
"""

from collections.abc import Sequence
from ctypes import c_void_p
from typing import NamedTuple

from realesrgan_paddle.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    CONVOLUTION_DIRECT,
    DECONVOLUTION_DIRECT,
    ELTWISE_LINEAR,
    ELTWISE_RELU,
    F32,
    FORWARD_TRAINING,
    NULL,
    SRC_1,
    WEIGHTS,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import attributes_of, sizes

PER_CHANNEL = 2
"""The mask of a PReLU, or of scales, with one number for each channel."""

Padding = tuple[int, int]
"""Zeros along the height and along the width."""


class PostOperation(NamedTuple):
    """Something done to a result before it is written."""

    kind: int
    number: float = 0.0
    dtype: int = F32
    """Of the other tensor, where it takes one."""

    @property
    def has_operand(self) -> bool:
        """Whether it takes another tensor."""
        return self.kind in (BINARY_ADD, BINARY_SUB)


def plus(dtype: int = F32) -> PostOperation:
    """Return the addition of a tensor of the result's layout."""
    return PostOperation(BINARY_ADD, dtype=dtype)


def minus() -> PostOperation:
    """Return the subtraction of a tensor of the result's layout."""
    return PostOperation(BINARY_SUB)


def times(factor: float) -> PostOperation:
    """Return the multiplication by a number."""
    return PostOperation(ELTWISE_LINEAR, factor)


def leaky_relu(slope: float) -> list[PostOperation]:
    """Return the activation: one step, or none for slope 1."""
    return [] if slope == 1 else [PostOperation(ELTWISE_RELU, slope)]


def post_operations(
    steps: Sequence[PostOperation],
    layouts: Sequence[c_void_p] = (),
    *,
    has_slopes: bool = False,
) -> c_void_p:
    """Return the attributes of a primitive that takes these steps with its result.

    Args:
        steps: in order.
        layouts: those of the operands; see `operands` for their arguments.
        has_slopes: whether a PReLU follows, with one slope for each channel, the
            argument `slopes_of(steps)`.
    """
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
    if has_slopes:
        dnnl.call("dnnl_post_ops_append_prelu", chain, PER_CHANNEL)
    return attributes_of(chain)


def operands(steps: Sequence[PostOperation]) -> list[int]:
    """Return the argument of each step's operand, for those that have one."""
    return [_argument(i) | SRC_1 for i, step in enumerate(steps) if step.has_operand]


def slopes_of(steps: Sequence[PostOperation]) -> int:
    """Return the argument of the slopes of the PReLU that follows the steps."""
    return _argument(len(steps)) | WEIGHTS


def _argument(i: int) -> int:
    return 32768 * (i + 1)  # DNNL_ARG_ATTR_MULTIPLE_POST_OP(i)


def describe_convolution(
    x: c_void_p,
    weight: c_void_p,
    bias: c_void_p,
    y: c_void_p,
    stride: int = 1,
    padding: Padding = (1, 1),
    attributes: c_void_p = NULL,
    kind: int = FORWARD_TRAINING,
    *,
    transposed: bool = False,
) -> c_void_p:
    """Return the description of a convolution, or of a transposed one."""
    dnnl = library()
    name = "deconvolution" if transposed else "convolution"
    return dnnl.create(
        f"dnnl_{name}_forward_primitive_desc_create",
        dnnl.engine,
        kind,
        DECONVOLUTION_DIRECT if transposed else CONVOLUTION_DIRECT,
        x,
        weight,
        bias,
        y,
        *_geometry(stride, padding, padding),
        attributes,
    )


def describe_backward_data(
    dx: c_void_p,
    weight: c_void_p,
    dy: c_void_p,
    stride: int = 1,
    padding: Padding = (1, 1),
) -> c_void_p:
    """Return the description of the gradient of a convolution's input."""
    dnnl = library()
    return dnnl.create(
        "dnnl_convolution_backward_data_primitive_desc_create",
        dnnl.engine,
        CONVOLUTION_DIRECT,
        dx,
        weight,
        dy,
        *_geometry(stride, padding, padding),
        NULL,
        NULL,
    )


def describe_backward_weights(
    x: c_void_p,
    dweight: c_void_p,
    dbias: c_void_p,
    dy: c_void_p,
    stride: int = 1,
    before: Padding = (1, 1),
    after: Padding = (1, 1),
) -> c_void_p:
    """Return the description of the gradients of a convolution's weight and bias.

    `before` are the zeros above and to the left, `after` those below and to the right.
    """
    dnnl = library()
    return dnnl.create(
        "dnnl_convolution_backward_weights_primitive_desc_create",
        dnnl.engine,
        CONVOLUTION_DIRECT,
        x,
        dweight,
        dbias,
        dy,
        *_geometry(stride, before, after),
        NULL,
        NULL,
    )


def _geometry(stride: int, before: Padding, after: Padding) -> list[object]:
    """Return strides, no dilation, and the padding on both sides."""
    no_dilation = sizes((0, 0))
    return [sizes((stride, stride)), no_dilation, sizes(before), sizes(after)]
