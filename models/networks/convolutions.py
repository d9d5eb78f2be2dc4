"""The discriminators' convolutions: initialized as PyTorch's, and with spectral norm."""

import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Uniform

from realesrgan_paddle.models.networks.description import fan_in_bound
from realesrgan_paddle.ops.plain import Ops


def conv(
    in_ch: int, out_ch: int, kernel_size: int = 3, *, bias: bool = True
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
        padding=1,
        weight_attr=attr,
        bias_attr=attr if bias else False,
    )


def convolve(ops: Ops, x: Tensor, layer: nn.Conv2D, slope: float = 1.0) -> Tensor:
    """Return the convolution of x by `layer`, of stride 1, times `slope` where negative."""
    return ops.conv(x, layer.weight, layer.bias, slope=slope)


EPSILON = 1e-12
"""Added to norms before a division: `torch.nn.utils.spectral_norm`'s default."""


class SpectralNormConv2D(nn.Layer):
    """A convolution without bias, padding 1, with weight W / sigma(W).

    State: `weight_orig` (W: out, in, k, k), and estimates of the first singular vectors
    of W as an (out, in * k * k) matrix: `weight_u` (out,) and `weight_v` (in * k * k,).
    In training mode each forward pass makes one step of the power iteration; in
    evaluation mode it makes none.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self, in_ch: int, out_ch: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.stride = stride
        self.weight_orig = conv(in_ch, out_ch, kernel_size, bias=False).weight

        u = paddle.randn([out_ch])
        self.register_buffer("weight_u", _normalize(u))
        v = paddle.randn([in_ch * kernel_size**2])
        self.register_buffer("weight_v", _normalize(v))

    def forward(
        self, x: Tensor, ops: Ops, slope: float = 1.0, *, upsample: bool = False
    ) -> Tensor:
        """Return the convolution of x, times `slope` where it is negative.

        Args:
            x: features in the layout of `ops`.
            ops: the operators that compute it.
            slope: that of a leaky ReLU; 1: none.
            upsample: upsample x by 2 first, bilinearly.
        """
        # In float32 where the network computes in 16 bits, too: weight_u and weight_v
        # are kept and saved.
        with paddle.amp.auto_cast(enable=False):
            weight = self._normalized_weight()
        if upsample:
            return ops.conv_upsampled(x, weight, mode="bilinear", slope=slope)
        return ops.conv(x, weight, stride=self.stride, slope=slope)

    def _normalized_weight(self) -> Tensor:
        """Return W / sigma; gradients see sigma = u W v with u and v constant."""
        matrix = self.weight_orig.flatten(1)
        if self.training:
            with paddle.no_grad():
                v = paddle.matmul(self.weight_u, matrix)
                self.weight_v = _normalize(v)
                u = paddle.mv(matrix, self.weight_v)
                self.weight_u = _normalize(u)

        sigma = paddle.dot(self.weight_u, paddle.mv(matrix, self.weight_v))
        return self.weight_orig / sigma


def _normalize(vector: Tensor) -> Tensor:
    return F.normalize(vector, axis=0, epsilon=EPSILON)
