"""RRDBNet, the generator of ESRGAN and Real-ESRGAN.

Wang et al. 2018, "ESRGAN", section 3.1; the x2 and x1 forms: Wang et al. 2021,
"Real-ESRGAN", section 3.3. State-dict keys and shapes are those of
`basicsr.archs.rrdbnet_arch.RRDBNet`.
"""

import paddle
from paddle import Tensor, nn

from realesrgan_paddle.models.networks.layers import (
    LRELU,
    conv,
    convolve,
    pixel_unshuffle,
    residual_conv,
)
from realesrgan_paddle.models.networks.shapes import UNSHUFFLE
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops


class ResidualDenseBlock(nn.Layer):
    """Five convolutions, each of which sees the outputs of all before it; 0.2 times their result is added."""

    def __init__(self, num_feat: int, num_grow_ch: int) -> None:
        super().__init__()
        self.conv1 = residual_conv(num_feat, num_grow_ch)
        self.conv2 = residual_conv(num_feat + num_grow_ch, num_grow_ch)
        self.conv3 = residual_conv(num_feat + 2 * num_grow_ch, num_grow_ch)
        self.conv4 = residual_conv(num_feat + 3 * num_grow_ch, num_grow_ch)
        self.conv5 = residual_conv(num_feat + 4 * num_grow_ch, num_feat)

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        """Return features of the shape of x."""
        convolutions = (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5)
        return ops.dense_block(
            x, [(layer.weight, layer.bias) for layer in convolutions]
        )


class RRDB(nn.Layer):
    """Residual-in-residual dense block: three dense blocks; 0.2 times their result is added."""

    def __init__(self, num_feat: int, num_grow_ch: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb2 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb3 = ResidualDenseBlock(num_feat, num_grow_ch)

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        """Return features of the shape of x."""
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x, ops), ops), ops)


class RRDBNet(nn.Layer):
    """Enlarge (N, num_in_ch, H, W) to (N, num_out_ch, scale * H, scale * W); float32 RGB in [0, 1], not clipped.

    The trunk always enlarges by 4. For scale 2 and 1 the input is first
    pixel-unshuffled by 2 and 4, so H and W must be multiples of that.

    Attributes:
        ops: what computes it.
    """

    ops: Ops = PLAIN

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        scale: int = 4,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
    ) -> None:
        super().__init__()
        if scale not in UNSHUFFLE:
            raise ValueError(f"RRDBNet: scale {scale} is not 1, 2 or 4")
        self.scale = scale
        self.unshuffle = UNSHUFFLE[scale]
        self.conv_first = conv(num_in_ch * self.unshuffle**2, num_feat)
        self.body = nn.Sequential(
            *(RRDB(num_feat, num_grow_ch) for _ in range(num_block))
        )
        self.conv_body = conv(num_feat, num_feat)
        self.conv_up1 = conv(num_feat, num_feat)
        self.conv_up2 = conv(num_feat, num_feat)
        self.conv_hr = conv(num_feat, num_feat)
        self.conv_last = conv(num_feat, num_out_ch)

    def forward(self, x: Tensor) -> Tensor:
        """Return the enlarged pictures; ValueError if H or W is no multiple of the unshuffle factor."""
        if self.unshuffle > 1:
            self._check_size(x)
            x = pixel_unshuffle(x, self.unshuffle)
        ops = self.ops
        first = convolve(ops, ops.enter(x), self.conv_first)
        x = first
        for block in self.body:
            x = block(x, ops)
        x = first + convolve(ops, x, self.conv_body)
        x = ops.conv_upsampled(x, self.conv_up1.weight, self.conv_up1.bias, slope=LRELU)
        x = ops.conv_upsampled(x, self.conv_up2.weight, self.conv_up2.bias, slope=LRELU)
        x = convolve(ops, x, self.conv_hr, LRELU)
        return ops.leave(convolve(ops, x, self.conv_last))

    def _check_size(self, x: Tensor) -> None:
        if not paddle.in_dynamic_mode():
            return  # the sizes of a graph under export are not known yet
        height, width = x.shape[2:]
        if height % self.unshuffle or width % self.unshuffle:
            raise ValueError(
                f"RRDBNet x{self.scale}: {height} x {width} pixels (height x width) are not multiples of"
                f" {self.unshuffle}; pad the input first"
            )
