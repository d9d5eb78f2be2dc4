"""Convolutions of the discriminators, initialized as PyTorch's."""

from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import Uniform

from realesrgan_paddle.models.networks.description import fan_in_bound
from realesrgan_paddle.ops.plain import Ops


def conv(
    in_ch: int, out_ch: int, kernel_size: int = 3, stride: int = 1, *, bias: bool = True
) -> nn.Conv2D:
    """Return a convolution with padding 1 whose weights and biases start as PyTorch's.

    Paddle's default is wider and leaves biases at zero.
    """
    bound = fan_in_bound(in_ch, kernel_size)
    attr = ParamAttr(initializer=Uniform(-bound, bound))
    return nn.Conv2D(
        in_ch,
        out_ch,
        kernel_size,
        stride,
        padding=1,
        weight_attr=attr,
        bias_attr=attr if bias else False,
    )


def convolve(ops: Ops, x: Tensor, layer: nn.Conv2D, slope: float = 1.0) -> Tensor:
    """Return the convolution of x by `layer`, of stride 1, times `slope` where negative."""
    return ops.conv(x, layer.weight, layer.bias, slope=slope)
