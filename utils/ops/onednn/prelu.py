"""PReLUs by oneDNN, with a weight for each channel: NHWC, first gradients only."""

from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.library import (
    DIFF_DST,
    DIFF_SRC,
    DIFF_WEIGHTS,
    DST,
    FORWARD_TRAINING,
    NULL,
    SRC,
    WEIGHTS,
    Primitive,
    contiguous,
    library,
    nchw,
    nhwc,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty

CACHED = 256


@lru_cache(CACHED)
def _primitives(
    n: int, height: int, width: int, channels: int
) -> tuple[Primitive, Primitive]:
    """Return forward and backward."""
    dnnl, x, weight = (
        library(),
        nhwc((n, channels, height, width)),
        nchw((1, channels, 1, 1)),
    )
    forward = dnnl.create(
        "dnnl_prelu_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        x,
        weight,
        x,
        NULL,
    )
    backward = dnnl.create(
        "dnnl_prelu_backward_primitive_desc_create",
        dnnl.engine,
        x,
        weight,
        x,
        weight,
        x,
        forward,
        NULL,
    )
    gradients = {DIFF_SRC: x, DIFF_WEIGHTS: weight, DIFF_DST: x}
    return Primitive(forward, {SRC: x, WEIGHTS: weight, DST: x}), Primitive(
        backward, {SRC: x, WEIGHTS: weight, **gradients}
    )


def prelu(x: Tensor, weight: Tensor) -> Tensor:
    """Return contiguous features x (N, H, W, C) where positive, and weight * x elsewhere."""
    y = empty(x.shape)
    _primitives(*x.shape)[0](
        {SRC: x.data_ptr(), WEIGHTS: weight.data_ptr(), DST: y.data_ptr()}
    )
    return y


def prelu_gradients(x: Tensor, weight: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of x and weight from that of the result."""
    dx, dw = empty(x.shape), empty(weight.shape)
    gradients = {
        DIFF_SRC: dx.data_ptr(),
        DIFF_WEIGHTS: dw.data_ptr(),
        DIFF_DST: dy.data_ptr(),
    }
    _primitives(*x.shape)[1](
        {SRC: x.data_ptr(), WEIGHTS: weight.data_ptr(), **gradients}
    )
    return dx, dw


class PReLULayer(PyLayer):
    """A PReLU that learns; apply(x, weight)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """Return x (N, H, W, C) where positive and weight * x elsewhere."""
        ctx.learns = not x.stop_gradient, not weight.stop_gradient
        x = contiguous(x)
        ctx.save_for_backward(x, weight)
        return prelu(x, weight)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and weight; None for what does not learn."""
        x, weight = ctx.saved_tensor()
        dx, dw = prelu_gradients(x, weight, contiguous(dy))
        x_learns, weight_learns = ctx.learns
        return dx if x_learns else None, dw if weight_learns else None
