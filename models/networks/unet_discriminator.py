"""UNetDiscriminatorSN, Real-ESRGAN's discriminator.

Wang et al. 2021, "Real-ESRGAN", section 3.3 and figure 6. State-dict keys and shapes
are those of `realesrgan.archs.discriminator_arch.UNetDiscriminatorSN` under
`torch.nn.utils.spectral_norm`.
"""

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn

from realesrgan_paddle.models.networks.convolutions import (
    SpectralNormConv2D,
    conv,
    convolve,
)
from realesrgan_paddle.models.networks.description import LRELU_SLOPE
from realesrgan_paddle.ops.plain import PLAIN, Ops


class UNetDiscriminatorSN(nn.Layer):
    """Classifies each pixel: (N, num_in_ch, H, W) to logits (N, 1, H, W), larger for real.

    Images are RGB in [0, 1]. H and W must be multiples of 8, or the skip connections do
    not fit.

    Attributes:
        ops: what computes it.
    """

    ops: Ops = PLAIN

    def __init__(
        self, num_in_ch: int = 3, num_feat: int = 64, skip_connection: bool = True
    ) -> None:
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
                f"UNetDiscriminatorSN: {height} x {width} pixels (height x width) are not "
                "multiples of 8; choose a gt_size that is"
            )
        ops = self.ops
        x = ops.enter(x)

        # Encoder: each convolution halves the size.
        x0 = convolve(ops, x, self.conv0, LRELU_SLOPE)
        x1 = self.conv1(x0, ops, LRELU_SLOPE)
        x2 = self.conv2(x1, ops, LRELU_SLOPE)
        x3 = self.conv3(x2, ops, LRELU_SLOPE)

        # Decoder: each convolution sees its input upsampled by 2.
        x4 = self.conv4(x3, ops, LRELU_SLOPE, upsample=True)
        x4 = self._skip(x4, x2)
        x5 = self.conv5(x4, ops, LRELU_SLOPE, upsample=True)
        x5 = self._skip(x5, x1)
        x6 = self.conv6(x5, ops, LRELU_SLOPE, upsample=True)
        x6 = self._skip(x6, x0)

        out = self.conv7(x6, ops, LRELU_SLOPE)
        out = self.conv8(out, ops, LRELU_SLOPE)
        out = convolve(ops, out, self.conv9)
        return ops.leave(out)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return what `classify` takes: the image itself."""
        return [x]

    def classify(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of what `features` returned."""
        (x,) = features
        return self(x)

    def _skip(self, x: Tensor, encoded: Tensor) -> Tensor:
        """Return x with the encoder's features added, if there are skip connections."""
        if not self.skip_connection:
            return x
        return self.ops.add(x, encoded)


GAIN = 40.0
"""Factor on the first layer's zero-mean filters.

Measured: those filters, as `models.networks.convolutions.conv` initializes them, respond to
photographs (45 images) with a standard deviation of 0.02 to 0.03; times 40 it is about
1.
"""


@paddle.no_grad()
def init_first_layer(discriminator: UNetDiscriminatorSN) -> None:
    """Make the first layer ignore flat color and respond to detail, with variance 1.

    Generated and real images differ in fine detail, which is a hundredth of the
    brightness. The usual initial filters mostly pass brightness, and layers with
    spectral norm cannot amplify what little detail is left, so it takes hundreds of
    iterations until the logits differ at all. Zero-mean filters are a kind of
    whitening; initial weights with responses of variance 1 are Mishkin and Matas's
    2016, "All you need is a good init".
    """
    weight = discriminator.conv0.weight
    mean = weight.mean([2, 3], keepdim=True)
    weight.set_value(GAIN * (weight - mean))
