"""Leaky ReLUs by oneDNN, of tensors in any contiguous layout."""

from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.library import (
    DIFF_DST,
    DIFF_SRC,
    DST,
    ELTWISE_RELU,
    ELTWISE_RELU_USE_DST,
    F32,
    FORWARD_TRAINING,
    NULL,
    SRC,
    Primitive,
    contiguous,
    count,
    layout,
    library,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty

CACHED = 256


@lru_cache(CACHED)
def _forward(
    elements: int, slope: float, algorithm: int = ELTWISE_RELU, dtype: int = F32
) -> Primitive:
    dnnl, x = library(), layout((elements,), (1,), dtype)
    description = dnnl.create(
        "dnnl_eltwise_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        algorithm,
        x,
        x,
        slope,
        0.0,
        NULL,
    )
    return Primitive(description, {SRC: x, DST: x})


@lru_cache(CACHED)
def leaky_relu_backward(elements: int, slope: float, dtype: int = F32) -> Primitive:
    """Return the primitive that makes DIFF_SRC of DIFF_DST and the output DST; in place if both are one."""
    dnnl, x = library(), layout((elements,), (1,), dtype)
    hint = _forward(elements, slope, ELTWISE_RELU_USE_DST, dtype).description
    description = dnnl.create(
        "dnnl_eltwise_backward_primitive_desc_create",
        dnnl.engine,
        ELTWISE_RELU_USE_DST,
        x,
        x,
        x,
        slope,
        0.0,
        hint,
        NULL,
    )
    return Primitive(description, {DST: x, DIFF_DST: x, DIFF_SRC: x})


def leaky_relu_(x: Tensor, slope: float) -> None:
    """Multiply the negative numbers of x by `slope`."""
    _forward(count(x), slope)({SRC: x.data_ptr(), DST: x.data_ptr()})


def leaky_relu_gradient(y: Tensor, dy: Tensor, slope: float) -> Tensor:
    """Return the gradient of the input, from the output y and its gradient; the signs of both are the same."""
    dx = empty(dy.shape)
    backward = leaky_relu_backward(count(dy), slope)
    backward({DST: y.data_ptr(), DIFF_DST: dy.data_ptr(), DIFF_SRC: dx.data_ptr()})
    return dx


class LeakyReLULayer(PyLayer):
    """A leaky ReLU; apply(x, slope)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        """Return x where positive and slope * x elsewhere."""
        x, y = contiguous(x), empty(x.shape)
        _forward(count(x), slope)({SRC: x.data_ptr(), DST: y.data_ptr()})
        ctx.slope = slope
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient of x."""
        (y,) = ctx.saved_tensor()
        return leaky_relu_gradient(y, contiguous(dy), ctx.slope)
