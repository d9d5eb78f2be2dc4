"""The few layers that the networks share and Paddle has under other keys or defaults."""

import math

from paddle import ParamAttr, Tensor, nn
from paddle.nn.initializer import Constant, Normal, Uniform

from realesrgan_paddle.utils.ops.plain import Ops

LRELU = 0.2
"""Slope of the leaky ReLUs of RRDBNet and the discriminator."""


def conv(
    in_ch: int, out_ch: int, kernel_size: int = 3, stride: int = 1, *, bias: bool = True
) -> nn.Conv2D:
    """Return a convolution with padding 1 that starts as PyTorch's does.

    Weights and biases are uniform in +-1/sqrt(fan_in), which is
    `kaiming_uniform_(a=sqrt(5))` (`torch.nn.modules.conv._ConvNd.reset_parameters`).
    Paddle's default is wider and leaves biases at zero.
    """
    bound = 1 / math.sqrt(in_ch * kernel_size**2)
    attr = ParamAttr(initializer=Uniform(-bound, bound))
    return nn.Conv2D(
        in_ch,
        out_ch,
        kernel_size,
        stride,
        1,
        weight_attr=attr,
        bias_attr=attr if bias else False,
    )


def residual_conv(in_ch: int, out_ch: int) -> nn.Conv2D:
    """Return a 3x3 convolution with 0.1 times Kaiming's normal weights and no bias at the start.

    Wang et al. 2018, "ESRGAN", section 3.1 (smaller initialisation); BasicSR's
    `default_init_weights`.
    """
    std = 0.1 * math.sqrt(2 / (in_ch * 9))
    return nn.Conv2D(
        in_ch,
        out_ch,
        3,
        padding=1,
        weight_attr=ParamAttr(initializer=Normal(0.0, std)),
        bias_attr=ParamAttr(initializer=Constant(0.0)),
    )


class PReLU(nn.Layer):
    """max(x, 0) + weight * min(x, 0), one weight a channel, 0.25 at first.

    Unlike `paddle.nn.PReLU`, whose state-dict key is `_weight`, it has PyTorch's key
    `weight`.
    """

    def __init__(self, num_parameters: int) -> None:
        super().__init__()
        self.weight = self.create_parameter(
            [num_parameters], default_initializer=Constant(0.25)
        )


def convolve(ops: Ops, x: Tensor, layer: nn.Conv2D, slope: float = 1.0) -> Tensor:
    """Return what `layer`, of stride 1, makes of x, times `slope` where it is negative."""
    return ops.conv(x, layer.weight, layer.bias, slope=slope)


def pixel_unshuffle(x: Tensor, scale: int) -> Tensor:
    """Return x (N, C, H, W) as (N, C * scale * scale, H / scale, W / scale), the inverse of pixel-shuffle.

    Written with reshapes whose only unknown is one -1 each, so that an exported graph
    takes any size.
    """
    x = x.reshape([0, 0, 0, -1, scale]).transpose(
        [0, 1, 3, 4, 2]
    )  # N, C, W', column, H
    x = x.reshape([0, 0, 0, 0, -1, scale]).transpose(
        [0, 1, 5, 3, 4, 2]
    )  # N, C, row, column, H', W'
    return x.flatten(1, 3)
