"""UNetDiscriminatorSN, Real-ESRGAN's discriminator.

Wang et al. 2021, "Real-ESRGAN", section 3.3 and figure 6. State-dict keys and shapes are those of
`realesrgan.archs.discriminator_arch.UNetDiscriminatorSN` under `torch.nn.utils.spectral_norm`.
"""

from paddle import Tensor, nn
from paddle.nn import functional as F

from realesrgan_paddle.models.layers import conv, lrelu
from realesrgan_paddle.models.spectral_norm import SpectralNormConv2D


def _upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class UNetDiscriminatorSN(nn.Layer):
    """Judge each pixel of (N, num_in_ch, H, W), RGB in [0, 1]: (N, 1, H, W) logits, larger for real.

    H and W must be multiples of 8, or the skip connections do not fit.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, skip_connection: bool = True) -> None:
        super().__init__()
        self.skip_connection = skip_connection
        self.conv0 = conv(num_in_ch, num_feat)
        self.conv1 = SpectralNormConv2D(num_feat, num_feat * 2, 4, 2)
        self.conv2 = SpectralNormConv2D(num_feat * 2, num_feat * 4, 4, 2)
        self.conv3 = SpectralNormConv2D(num_feat * 4, num_feat * 8, 4, 2)
        self.conv4 = SpectralNormConv2D(num_feat * 8, num_feat * 4, 3)
        self.conv5 = SpectralNormConv2D(num_feat * 4, num_feat * 2, 3)
        self.conv6 = SpectralNormConv2D(num_feat * 2, num_feat, 3)
        self.conv7 = SpectralNormConv2D(num_feat, num_feat, 3)
        self.conv8 = SpectralNormConv2D(num_feat, num_feat, 3)
        self.conv9 = conv(num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; ValueError if H or W is no multiple of 8."""
        height, width = x.shape[2:]
        if height % 8 or width % 8:
            raise ValueError(
                f"UNetDiscriminatorSN: {height} x {width} pixels (height x width) are not multiples of 8;"
                " choose a gt_size that is"
            )
        x0 = lrelu(self.conv0(x))
        x1 = lrelu(self.conv1(x0))
        x2 = lrelu(self.conv2(x1))
        x3 = lrelu(self.conv3(x2))

        x4 = lrelu(self.conv4(_upsample(x3)))
        x5 = lrelu(self.conv5(_upsample(x4 + x2 if self.skip_connection else x4)))
        x6 = lrelu(self.conv6(_upsample(x5 + x1 if self.skip_connection else x5)))
        out = x6 + x0 if self.skip_connection else x6

        out = lrelu(self.conv7(out))
        out = lrelu(self.conv8(out))
        return self.conv9(out)
