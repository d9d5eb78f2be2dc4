"""A convolution whose weight is divided by its largest singular value.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks",
algorithm 1, as `torch.nn.utils.spectral_norm` does it. `paddle.nn.utils.spectral_norm`
hangs the normalised weight on the layer as an attribute, after which the layer can no
longer be copied.
"""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from realesrgan_paddle.models.networks.layers import conv
from realesrgan_paddle.utils.ops.plain import Ops

EPSILON = 1e-12  # torch.nn.utils.spectral_norm's default


class SpectralNormConv2D(nn.Layer):
    """A convolution without bias, padding 1, with weight W / sigma(W).

    State: `weight_orig` (W: out, in, k, k), and estimates of the first singular vectors
    of W as an (out, in * k * k) matrix: `weight_u` (out,) and `weight_v` (in * k * k,).
    Each forward in training mode takes one step of the power iteration; none is taken
    in evaluation mode.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self, in_ch: int, out_ch: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.stride = stride
        self.weight_orig = conv(in_ch, out_ch, kernel_size, bias=False).weight
        self.register_buffer("weight_u", _normalised(paddle.randn([out_ch])))
        self.register_buffer(
            "weight_v", _normalised(paddle.randn([in_ch * kernel_size**2]))
        )

    def forward(
        self, x: Tensor, ops: Ops, slope: float = 1.0, *, enlarged: bool = False
    ) -> Tensor:
        """Return the convolution of x (bilinearly `enlarged` by 2) with W / sigma, times `slope` where negative."""
        if enlarged:
            return ops.conv_upsampled(x, self._weight(), mode="bilinear", slope=slope)
        return ops.conv(x, self._weight(), stride=self.stride, slope=slope)

    def _weight(self) -> Tensor:
        """Return W / sigma; gradients take sigma = u W v with u and v constant."""
        matrix = self.weight_orig.flatten(1)
        if self.training:
            with paddle.no_grad():
                self.weight_v = _normalised(paddle.matmul(self.weight_u, matrix))
                self.weight_u = _normalised(paddle.mv(matrix, self.weight_v))
        sigma = paddle.dot(self.weight_u, paddle.mv(matrix, self.weight_v))
        return self.weight_orig / sigma


def _normalised(vector: Tensor) -> Tensor:
    return F.normalize(vector, axis=0, epsilon=EPSILON)
