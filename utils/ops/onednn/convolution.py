"""Convolutions by oneDNN: NHWC features, weights (out, in, k, k), with a leaky ReLU or a PReLU, first gradients only.

In float32, or in bfloat16 with sums, results and weights kept in float32.
"""

from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

from paddle import Tensor
from paddle.autograd import PyLayer

from realesrgan_paddle.utils.ops.onednn.leaky_relu import (
    leaky_relu_backward,
    leaky_relu_gradient,
)
from realesrgan_paddle.utils.ops.onednn.library import (
    BF16,
    BIAS,
    BYTES,
    CONVOLUTION_DIRECT,
    DIFF_DST,
    DIFF_SRC,
    DST,
    ELTWISE_RELU,
    F32,
    FORWARD_TRAINING,
    NULL,
    SRC,
    WEIGHTS,
    Primitive,
    any_layout,
    attributes_after,
    contiguous,
    count,
    layout,
    library,
    nchw,
    nhwc,
    reorder,
    sizes,
)
from realesrgan_paddle.utils.ops.onednn.memory import empty, picture
from realesrgan_paddle.utils.ops.onednn.prelu import prelu, prelu_gradients
from realesrgan_paddle.utils.ops.onednn.weight_gradients import Kind as StripsKind
from realesrgan_paddle.utils.ops.onednn.weight_gradients import strips

CACHED = 512
"""Kinds of convolution kept; a network of any depth has a dozen, and one more for each size of picture."""


class Kind(NamedTuple):
    """What tells one convolution from another; `shape` is the input's (N, C, H, W)."""

    shape: tuple[int, int, int, int]
    out_ch: int
    kernel_size: int
    stride: int = 1
    padding: int = 1
    slope: float = 1.0
    has_bias: bool = True
    dtype: int = F32

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in, k, k)."""
        return self.out_ch, self.shape[1], self.kernel_size, self.kernel_size

    @property
    def out_shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W) of the output."""
        n, _, height, width = self.shape
        return n, self.out_ch, self._steps(height), self._steps(width)

    def _steps(self, size: int) -> int:
        return (size + 2 * self.padding - self.kernel_size) // self.stride + 1


class Convolution:
    """The primitives of one kind of convolution. Features are NHWC, x and the output's gradient of type `dtype`."""

    def __init__(self, kind: Kind) -> None:
        dtype, stride, padding = kind.dtype, kind.stride, (kind.padding, kind.padding)
        x, y = nhwc(kind.shape, dtype), nhwc(kind.out_shape, dtype)
        x32, y32 = nhwc(kind.shape), nhwc(kind.out_shape)
        weight = any_layout(kind.weight_shape, dtype)
        bias = layout((kind.out_ch,), (1,)) if kind.has_bias else NULL
        forward = describe_forward(
            x, weight, bias, y32, stride, leaky_relu_after(kind.slope), padding
        )
        backward_data = describe_backward_data(x32, weight, y, stride, padding)

        biases = {BIAS: bias} if kind.has_bias else {}
        self.forward = Primitive(forward, {SRC: x, WEIGHTS: None, DST: y32, **biases})
        self.backward_data = Primitive(
            backward_data, {DIFF_SRC: x32, WEIGHTS: None, DIFF_DST: y}
        )
        self.backward_weights = strips(
            StripsKind(
                kind.shape,
                kind.out_shape,
                kind.kernel_size,
                stride,
                kind.padding,
                kind.has_bias,
                dtype,
            )
        )

        plain = nchw(kind.weight_shape)
        self.weight_to_forward = reorder(plain, self.forward.layouts[WEIGHTS])
        self.weight_to_backward = reorder(plain, self.backward_data.layouts[WEIGHTS])
        self.weight_gradient = reorder(self.backward_weights.weight, plain)


Padding = tuple[int, int]
"""Zeros above and below, left and right."""


def describe_forward(
    x: Any,
    weight: Any,
    bias: Any,
    y: Any,
    stride: int = 1,
    attributes: Any = NULL,
    padding: Padding = (1, 1),
) -> Any:
    """Return the description of a convolution of memories of these layouts."""
    dnnl = library()
    return dnnl.create(
        "dnnl_convolution_forward_primitive_desc_create",
        dnnl.engine,
        FORWARD_TRAINING,
        CONVOLUTION_DIRECT,
        x,
        weight,
        bias,
        y,
        *geometry(stride, padding),
        attributes,
    )


def describe_backward_data(
    dx: Any, weight: Any, dy: Any, stride: int = 1, padding: Padding = (1, 1)
) -> Any:
    """Return the description of the gradient of a convolution's input."""
    dnnl = library()
    return dnnl.create(
        "dnnl_convolution_backward_data_primitive_desc_create",
        dnnl.engine,
        CONVOLUTION_DIRECT,
        dx,
        weight,
        dy,
        *geometry(stride, padding),
        NULL,
        NULL,
    )


def geometry(stride: int = 1, padding: Padding = (1, 1)) -> list[Any]:
    """Return strides, dilation and padding on both sides."""
    return [sizes((stride, stride)), sizes((0, 0)), *[sizes(padding)] * 2]


@lru_cache(CACHED)
def convolution(kind: Kind) -> Convolution:
    """Return the primitives of this kind of convolution, made once."""
    return Convolution(kind)


def leaky_relu_after(slope: float) -> Any:
    """Return the attributes that multiply negative results by `slope`; none for 1."""
    return NULL if slope == 1 else attributes_after([(ELTWISE_RELU, slope)])


def reordered(copy: Primitive, tensor: Tensor) -> Tensor:
    """Return the tensor in the layout that `copy` writes, as bytes."""
    out = empty([copy.bytes[DST]], "uint8")
    copy({SRC: tensor.data_ptr(), DST: out.data_ptr()})
    return out


@lru_cache(CACHED)
def _rounding(elements: int) -> tuple[Primitive, Primitive]:
    """Return the copies of float32 to bfloat16, and back."""
    exact, coarse = (layout((elements,), (1,), dtype) for dtype in (F32, BF16))
    return reorder(exact, coarse), reorder(coarse, exact)


def rounded(tensor: Tensor, dtype: int) -> Tensor:
    """Return the contiguous float32 tensor in `dtype`, a tensor of the same shape."""
    if dtype == F32:
        return tensor
    if hasattr(tensor, "in_bfloat16"):  # a convolution left it
        return tensor.in_bfloat16
    out = empty(
        tensor.shape, "int16"
    )  # of the same size, and only its bytes are looked at
    _rounding(count(tensor))[0]({SRC: tensor.data_ptr(), DST: out.data_ptr()})
    return out


class ConvolutionLayer(PyLayer):
    """A convolution that learns; apply(x, weight, bias or None, slopes or None, stride, padding, slope, dtype).

    `slopes` are a PReLU's: one for each channel, where `slope` is 1.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        slopes: Tensor | None,
        stride: int,
        padding: int,
        slope: float,
        dtype: int,
    ) -> Tensor:
        """Return the convolution of x (N, H, W, C), float32."""
        n, height, width, channels = x.shape
        shape = (n, channels, height, width)
        has_bias = bias is not None
        ctx.kind = kind = Kind(
            shape,
            weight.shape[0],
            weight.shape[2],
            stride,
            padding,
            slope,
            has_bias,
            dtype,
        )
        ctx.given = [tensor is not None for tensor in (x, weight, bias, slopes)]
        # Asked now: a network frozen for this pass may learn again before the gradients
        # come.
        ctx.learns = [
            tensor is not None and not tensor.stop_gradient
            for tensor in (x, weight, bias, slopes)
        ]
        x, weight = rounded(contiguous(x), dtype), contiguous(weight)
        y = _convolved(kind, x, weight, bias)
        activated = y if slopes is None else prelu(y, slopes)
        kept = None if slope == 1 and slopes is None else y
        if slope != 1 and dtype == BF16:
            kept = rounded(
                y, dtype
            )  # of the same signs, and what the convolutions after this one keep too
            with suppress(
                AttributeError
            ):  # Paddle 2's tensors take none; there it is rounded again
                y.in_bfloat16 = kept
        ctx.save_for_backward(x if any(ctx.learns[1:3]) else None, weight, kept, slopes)
        return activated

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight, bias and slopes; None for what does not learn."""
        x, weight, y, slopes = ctx.saved_tensor()
        kind, dy, dw, db, ds = ctx.kind, contiguous(dy), None, None, None
        if slopes is not None:
            dy, ds = prelu_gradients(y, slopes, dy)
            dy = rounded(dy, kind.dtype)
        else:
            dy = _before_activation(y, dy, kind)
        dx = _x_gradient(kind, dy, weight) if ctx.learns[0] else None
        if x is not None:
            dw, db = _weight_gradients(kind, x, dy)
        found = zip((dx, dw, db, ds), ctx.given, ctx.learns, strict=True)
        return tuple(
            gradient if learns else None for gradient, given, learns in found if given
        )


def _before_activation(y: Tensor | None, dy: Tensor, kind: Kind) -> Tensor:
    """Return the gradient of what the leaky ReLU was given, in the type that convolutions multiply in, as y is."""
    if y is None:
        return rounded(dy, kind.dtype)
    if kind.dtype == F32:
        return leaky_relu_gradient(y, dy, kind.slope)
    n = dy.shape[0]
    elements = count(dy) // n
    exact_y, dx, found = empty([elements]), empty([elements]), empty(dy.shape, "int16")
    backward, (to_bf16, from_bf16) = (
        leaky_relu_backward(elements, kind.slope),
        _rounding(elements),
    )
    for i in range(n):
        begin = BYTES[BF16] * i * elements
        from_bf16({SRC: y.data_ptr() + begin, DST: exact_y.data_ptr()})
        backward(
            {DST: exact_y.data_ptr(), DIFF_DST: picture(dy, i), DIFF_SRC: dx.data_ptr()}
        )
        to_bf16({SRC: dx.data_ptr(), DST: found.data_ptr() + begin})
    return found


def _convolved(kind: Kind, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    primitives = convolution(kind)
    n, channels, height, width = kind.out_shape
    y, blocked = (
        empty([n, height, width, channels]),
        reordered(primitives.weight_to_forward, weight),
    )
    addresses = {SRC: x.data_ptr(), WEIGHTS: blocked.data_ptr(), DST: y.data_ptr()}
    if bias is not None:
        addresses[BIAS] = bias.data_ptr()
    primitives.forward(addresses)
    return y


def _x_gradient(kind: Kind, dy: Tensor, weight: Tensor) -> Tensor:
    primitives = convolution(kind)
    n, channels, height, width = kind.shape
    dx, blocked = (
        empty([n, height, width, channels]),
        reordered(primitives.weight_to_backward, weight),
    )
    primitives.backward_data(
        {DIFF_SRC: dx.data_ptr(), WEIGHTS: blocked.data_ptr(), DIFF_DST: dy.data_ptr()}
    )
    return dx


def _weight_gradients(
    kind: Kind, x: Tensor, dy: Tensor
) -> tuple[Tensor, Tensor | None]:
    primitives, dw = convolution(kind), empty(kind.weight_shape)
    blocked, db = primitives.backward_weights(x, dy)
    primitives.weight_gradient({SRC: blocked.data_ptr(), DST: dw.data_ptr()})
    return dw, db
