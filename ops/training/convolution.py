"""Convolutions by oneDNN, with a leaky ReLU or a PReLU; first gradients only.

Features are NHWC, weights (out, in, k, k). In float32, or multiplied in bfloat16 with
sums, results and weights in float32.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Any

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.ops.onednn.convolutions import (
    describe_backward_data,
    describe_convolution,
    leaky_relu,
    post_operations,
)
from realesrgan_paddle.ops.onednn.library import (
    BF16,
    BIAS,
    BYTES,
    DIFF_DST,
    DIFF_SRC,
    DST,
    F32,
    NULL,
    SRC,
    WEIGHTS,
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
from realesrgan_paddle.ops.training.activations import (
    leaky_relu_backward,
    leaky_relu_gradient,
    prelu,
    prelu_gradients,
)
from realesrgan_paddle.ops.training.tensor_memory import (
    contiguous,
    count,
    empty,
    image_address,
)
from realesrgan_paddle.ops.training.weight_gradients import (
    ConvolutionSpec,
    weight_gradient_by_strips,
)

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of x, weight and bias."""

CACHE_SIZE = 512
"""Convolutions whose primitives are kept.

A network of any depth has a dozen, and a dozen more for each image size.
"""


class Convolution:
    """The primitives of a convolution, and the copies of its weight.

    Features are NHWC. Inputs of the forward and the backward pass (x, dy) have the
    spec's `dtype`, results are float32.
    """

    def __init__(self, spec: ConvolutionSpec) -> None:
        self.spec = spec
        dtype = spec.dtype
        x, x_f32 = nhwc(spec.shape, dtype), nhwc(spec.shape)
        y, y_f32 = nhwc(spec.out_shape, dtype), nhwc(spec.out_shape)
        weight = any_layout(spec.weight_shape, dtype)
        bias = flat(spec.out_ch) if spec.has_bias else NULL
        padding = (spec.padding, spec.padding)

        activation = post_operations(leaky_relu(spec.slope))
        description = describe_convolution(
            x, weight, bias, y_f32, spec.stride, padding, activation
        )
        biases = {BIAS: bias} if spec.has_bias else {}
        self.forward = Primitive(
            description, {SRC: x, WEIGHTS: None, DST: y_f32, **biases}
        )

        description = describe_backward_data(x_f32, weight, y, spec.stride, padding)
        self.backward_data = Primitive(
            description, {DIFF_SRC: x_f32, WEIGHTS: None, DIFF_DST: y}
        )

        self.backward_weights = weight_gradient_by_strips(spec._replace(slope=1.0))

        plain = nchw(spec.weight_shape)
        self.weight_to_forward = reorder(plain, self.forward.layouts[WEIGHTS])
        self.weight_to_backward = reorder(plain, self.backward_data.layouts[WEIGHTS])
        self.weight_gradient = reorder(self.backward_weights.weight, plain)

    @property
    def dtype(self) -> int:
        """Type of what is multiplied."""
        return self.spec.dtype

    @property
    def slope(self) -> float:
        """Of the leaky ReLU that follows; 1 for none."""
        return self.spec.slope

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution of x, with its leaky ReLU, in float32."""
        n, channels, height, width = self.spec.out_shape
        y = empty([n, height, width, channels])
        weight = reordered(self.weight_to_forward, weight)

        addresses = {SRC: x.data_ptr(), WEIGHTS: weight.data_ptr(), DST: y.data_ptr()}
        if bias is not None:
            addresses[BIAS] = bias.data_ptr()
        self.forward(addresses)
        return y

    def gradients(
        self, x: Tensor | None, weight: Tensor, dy: Tensor, *, dx_wanted: bool
    ) -> Gradients:
        """Return the gradients of x, weight and bias; the last two only if x is given."""
        dx = dweight = dbias = None
        if dx_wanted:
            dx = self._input_gradient(dy, weight)
        if x is not None:
            dweight = empty(self.spec.weight_shape)
            in_their_layout, dbias = self.backward_weights(x, dy)
            self.weight_gradient(in_their_layout.data_ptr(), dweight.data_ptr())
        return dx, dweight, dbias

    def _input_gradient(self, dy: Tensor, weight: Tensor) -> Tensor:
        n, channels, height, width = self.spec.shape
        dx = empty([n, height, width, channels])
        weight = reordered(self.weight_to_backward, weight)

        addresses = {DIFF_SRC: dx.data_ptr(), DIFF_DST: dy.data_ptr()}
        self.backward_data({**addresses, WEIGHTS: weight.data_ptr()})
        return dx


@lru_cache(CACHE_SIZE)
def convolution(spec: ConvolutionSpec) -> Convolution:
    """Return the convolution's primitives, created once."""
    return Convolution(spec)


def reordered(copy: Copy, tensor: Tensor) -> Tensor:
    """Return the tensor in the layout that `copy` writes, as bytes."""
    out = empty([copy.bytes[DST]], "uint8")
    copy(tensor.data_ptr(), out.data_ptr())
    return out


@lru_cache(CACHE_SIZE)
def _rounding(elements: int) -> tuple[Copy, Copy]:
    """Return the copies from float32 to bfloat16, and back."""
    exact = flat(elements)
    rounded = flat(elements, BF16)
    to_bf16 = reorder(exact, rounded)
    from_bf16 = reorder(rounded, exact)
    return to_bf16, from_bf16


def rounded(tensor: Tensor, dtype: int) -> Tensor:
    """Return a contiguous float32 tensor in `dtype`, a tensor of the same shape."""
    if dtype == F32:
        return tensor
    if hasattr(tensor, "in_bfloat16"):  # kept by the convolution that made it
        return tensor.in_bfloat16

    # int16 stands in for bfloat16: it has the same size, and only oneDNN reads it.
    out = empty(tensor.shape, "int16")
    to_bf16, _ = _rounding(count(tensor))
    to_bf16(tensor.data_ptr(), out.data_ptr())
    return out


class ConvolutionLayer(PyLayer):
    """A convolution with its activation.

    apply(x, weight, bias or None, slopes or None, convolution), where `slopes` are a
    PReLU's, one per output channel; then there is no leaky ReLU.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        slopes: Tensor | None,
        convolution: Convolution,
    ) -> Tensor:
        """Return the convolution of x (N, H, W, C), float32."""
        ctx.convolution = convolution

        # Read now: a network frozen for this pass may be unfrozen before the backward.
        inputs = (x, weight, bias, slopes)
        ctx.given = [tensor is not None for tensor in inputs]
        ctx.learns = [
            tensor is not None and not tensor.stop_gradient for tensor in inputs
        ]

        x = rounded(contiguous(x), convolution.dtype)
        weight = contiguous(weight)
        y = convolution.convolve(x, weight, bias)
        activated = y if slopes is None else prelu(y, slopes)

        # An activation's gradient needs its input or, for a leaky ReLU, its output.
        kept_y = None if convolution.slope == 1 and slopes is None else y
        if convolution.slope != 1 and convolution.dtype == BF16:
            # Rounding keeps the signs. A convolution of y keeps the same tensor.
            kept_y = rounded(y, BF16)
            # Paddle 2's tensors take no attributes; there the next convolution rounds.
            with suppress(AttributeError):
                y.in_bfloat16 = kept_y

        parameters_learn = any(ctx.learns[1:3])
        kept_x = x if parameters_learn else None
        ctx.save_for_backward(kept_x, weight, kept_y, slopes)
        return activated

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight, bias and slopes, None for a frozen one."""
        x, weight, y, slopes = ctx.saved_tensor()
        dtype = ctx.convolution.dtype
        dy = contiguous(dy)
        dslopes = None

        if slopes is not None:
            dy, dslopes = prelu_gradients(y, slopes, dy)
            dy = rounded(dy, dtype)
        else:
            dy = _before_activation(y, dy, ctx.convolution.slope, dtype)

        gradients = ctx.convolution.gradients(x, weight, dy, dx_wanted=ctx.learns[0])

        # Paddle wants one result for each input that is a tensor.
        found = zip((*gradients, dslopes), ctx.given, ctx.learns, strict=True)
        return tuple(
            gradient if learns else None for gradient, given, learns in found if given
        )


def _before_activation(
    y: Tensor | None, dy: Tensor, slope: float, dtype: int
) -> Tensor:
    """Return the gradient before the leaky ReLU, in `dtype`.

    `y` is the activation's output, in that dtype too; None if there is no activation.
    """
    if y is None:
        return rounded(dy, dtype)
    if dtype == F32:
        return leaky_relu_gradient(y, dy, slope)

    # One image at a time, so that the float32 copies are small.
    n = dy.shape[0]
    elements = count(dy) // n
    backward = leaky_relu_backward(elements, slope)
    to_bf16, from_bf16 = _rounding(elements)

    y_f32 = empty([elements])
    dx_f32 = empty([elements])
    dx = empty(dy.shape, "int16")

    for i in range(n):
        offset = BYTES[BF16] * i * elements
        from_bf16(y.data_ptr() + offset, y_f32.data_ptr())
        backward(
            {
                DST: y_f32.data_ptr(),
                DIFF_DST: image_address(dy, i),
                DIFF_SRC: dx_f32.data_ptr(),
            }
        )
        to_bf16(dx_f32.data_ptr(), dx.data_ptr() + offset)
    return dx
