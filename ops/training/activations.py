"""Leaky ReLU and PReLU by oneDNN, in float32; first gradients only."""

from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.library import (
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    ELTWISE_RELU,
    ELTWISE_RELU_USE_DST,
    F32,
    FORWARD_TRAINING,
    NULL,
    SRC,
    WEIGHTS,
    library,
)
from realesrgan_paddle.ops.onednn.primitives import Primitive, flat, nchw, nhwc
from realesrgan_paddle.ops.training.tensor_memory import contiguous, count, empty

CACHE_SIZE = 256
"""Tensor sizes whose primitives are kept, of each type of primitive."""


@lru_cache(CACHE_SIZE)
def _leaky_relu_forward(
    elements: int, slope: float, algorithm: int = ELTWISE_RELU, dtype: int = F32
) -> Primitive:
    dnnl = library()
    x = flat(elements, dtype)
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


@lru_cache(CACHE_SIZE)
def leaky_relu_backward(elements: int, slope: float, dtype: int = F32) -> Primitive:
    """Return the primitive that makes DIFF_SRC of DIFF_DST and the output DST.

    DIFF_SRC may be DIFF_DST.
    """
    dnnl = library()
    x = flat(elements, dtype)
    forward = _leaky_relu_forward(elements, slope, ELTWISE_RELU_USE_DST, dtype)
    description = dnnl.create(
        "dnnl_eltwise_backward_primitive_desc_create",
        dnnl.engine,
        ELTWISE_RELU_USE_DST,
        x,
        x,
        x,
        slope,
        0.0,
        forward.description,
        NULL,
    )
    return Primitive(description, {DST: x, DIFF_DST: x, DIFF_SRC: x})


def leaky_relu_in_place(x: Tensor, slope: float) -> None:
    """Multiply the negative elements of x by `slope`."""
    forward = _leaky_relu_forward(count(x), slope)
    address = x.data_ptr()
    forward({SRC: address, DST: address})


def leaky_relu_gradient(y: Tensor, dy: Tensor, slope: float) -> Tensor:
    """Return the input's gradient from the output y, which has the input's signs."""
    dx = empty(dy.shape)
    backward = leaky_relu_backward(count(dy), slope)
    backward({DST: y.data_ptr(), DIFF_DST: dy.data_ptr(), DIFF_SRC: dx.data_ptr()})
    return dx


class LeakyReLULayer(PyLayer):
    """Leaky ReLU of x in any contiguous layout: apply(x, slope)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        """Return x where positive and slope * x elsewhere."""
        x = contiguous(x)
        y = empty(x.shape)

        forward = _leaky_relu_forward(count(x), slope)
        forward({SRC: x.data_ptr(), DST: y.data_ptr()})

        ctx.slope = slope
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        """Return the gradient of x."""
        (y,) = ctx.saved_tensor()
        return leaky_relu_gradient(y, contiguous(dy), ctx.slope)


@lru_cache(CACHE_SIZE)
def _prelu_primitives(
    n: int, height: int, width: int, channels: int
) -> tuple[Primitive, Primitive]:
    """Return forward and backward of features (N, H, W, C)."""
    dnnl = library()
    x = nhwc((n, channels, height, width))
    slopes = nchw((1, channels, 1, 1))

    description = dnnl.create(
        "dnnl_prelu_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        x,
        slopes,
        x,
        NULL,
    )
    forward = Primitive(description, {SRC: x, WEIGHTS: slopes, DST: x})

    description = dnnl.create(
        "dnnl_prelu_backward_primitive_desc_create",
        dnnl.engine,
        x,
        slopes,
        x,
        slopes,
        x,
        forward.description,
        NULL,
    )
    gradients = {DIFF_SRC: x, DIFF_WEIGHTS: slopes, DIFF_DST: x}
    backward = Primitive(description, {SRC: x, WEIGHTS: slopes, **gradients})

    return forward, backward


def prelu(x: Tensor, slopes: Tensor) -> Tensor:
    """Return contiguous x (N, H, W, C) where positive, and slopes * x elsewhere."""
    y = empty(x.shape)
    forward, _ = _prelu_primitives(*x.shape)
    forward({SRC: x.data_ptr(), WEIGHTS: slopes.data_ptr(), DST: y.data_ptr()})
    return y


def prelu_gradients(x: Tensor, slopes: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and slopes from the output's."""
    dx = empty(x.shape)
    dslopes = empty(slopes.shape)

    _, backward = _prelu_primitives(*x.shape)
    backward(
        {
            SRC: x.data_ptr(),
            WEIGHTS: slopes.data_ptr(),
            DIFF_DST: dy.data_ptr(),
            DIFF_SRC: dx.data_ptr(),
            DIFF_WEIGHTS: dslopes.data_ptr(),
        }
    )
    return dx, dslopes
