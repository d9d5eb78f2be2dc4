"""SRVGGNetCompact, the small generator of Real-ESRGAN (realesr-animevideov3, realesr-general-x4v3).

There is no paper; the source is `realesrgan.archs.srvgg_arch.SRVGGNetCompact`, whose state-dict keys and
shapes these are.
"""

from paddle import Tensor, nn

from realesrgan_paddle.models.layers import PReLU, conv, nearest_upsample

ACTIVATIONS = ("prelu", "relu", "leakyrelu")


def _activation(act_type: str, num_feat: int) -> nn.Layer:
    if act_type == "prelu":
        return PReLU(num_feat)
    if act_type == "relu":
        return nn.ReLU()
    if act_type == "leakyrelu":
        return nn.LeakyReLU(0.1)
    raise ValueError(f"SRVGGNetCompact: act_type {act_type!r} is not one of {', '.join(ACTIVATIONS)}")


class SRVGGNetCompact(nn.Layer):
    """Enlarge (N, num_in_ch, H, W) to (N, num_out_ch, upscale * H, upscale * W); float32 RGB in [0, 1], not clipped.

    All convolutions work at the input's size; the last one's channels become pixels and are added to the
    input enlarged by repeating pixels, so the network learns a residual.
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_conv: int = 16,
        upscale: int = 4,
        act_type: str = "prelu",
    ) -> None:
        super().__init__()
        self.upscale = upscale
        layers = [conv(num_in_ch, num_feat), _activation(act_type, num_feat)]
        for _ in range(num_conv):
            layers += [conv(num_feat, num_feat), _activation(act_type, num_feat)]
        self.body = nn.Sequential(*layers, conv(num_feat, num_out_ch * upscale**2))
        self.upsampler = nn.PixelShuffle(upscale)

    def forward(self, x: Tensor) -> Tensor:
        """Return the enlarged pictures."""
        return self.upsampler(self.body(x)) + nearest_upsample(x, self.upscale)
