"""ProjectedDiscriminator: a discriminator on frozen VGG16 features, trained in minutes.

Sauer et al. 2021, "Projected GANs Converge Faster", section 3: the features of a
pretrained, frozen network, and a small discriminator on each of several scales.
Real-ESRGAN's U-Net must learn features first, and gains nothing in an hour on a CPU
(docs/soccer.md). Left out: the random mixing of features (section 3.2).
"""

from collections.abc import Callable, Sequence

import paddle
from paddle import Tensor, nn

from realesrgan_paddle.models.networks.convolutions import (
    SpectralNormConv2D,
    conv,
    convolve,
)
from realesrgan_paddle.models.networks.description import LRELU_SLOPE
from realesrgan_paddle.ops.plain import PLAIN, Ops, nearest_upsample

CHANNELS = (64, 128, 256, 512)
"""Of the features of VGG16's first four blocks."""
FEATURE_RMS = (1.2, 1.9, 2.8, 1.5)
"""Root mean square of each block's features, to about a tenth.

Measured: between the values on soccer frames and on scikit-image's photographs.
"""


class ProjectedDiscriminator(nn.Layer):
    """Classifies images by their features in a frozen VGG16, at several scales.

    Spectral norm divides weights by their largest singular value, so that logits do not
    change abruptly with the features (Miyato et al. 2018). The state is that of the
    heads; VGG16's weights are not part of it.

    Args:
        features: returns the features of VGG16's blocks for (N, 3, H, W), RGB in
            [0, 1]: (N, 64, H, W), then each half as high and wide as the one before, in
            the layout of `ops`. No gradient may reach its weights.
        num_feat: channels between a head's convolutions.
        num_block: how many blocks' features are classified, from 1 to 4.

    Attributes:
        ops: the operators that compute the heads.
    """

    ops: Ops = PLAIN

    def __init__(
        self,
        features: Callable[[Tensor], list[Tensor]],
        num_feat: int,
        num_block: int,
    ) -> None:
        super().__init__()
        self._features = features
        self.heads = nn.LayerList()

        for block in range(num_block):
            # The first block's features are as large as the image: with stride 2 its
            # logits are as large as the second's.
            stride = 2 if block == 0 else 1
            head = Head(CHANNELS[block], FEATURE_RMS[block], num_feat, stride)
            self.heads.append(head)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return VGG16's features of x (N, 3, H, W), RGB in [0, 1]."""
        return self._features(x)

    def classify(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits (N, num_block, H / 2, W / 2), larger for real.

        Logits of coarser scales are repeated to that size, so each block counts the same
        in a mean over all of them.
        """
        logits = []
        for head, feature in zip(self.heads, features, strict=True):
            logits.append(head(feature, self.ops))

        height = logits[0].shape[2]
        upsampled = [nearest_upsample(each, height // each.shape[2]) for each in logits]
        return paddle.concat(upsampled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x (N, 3, H, W), RGB in [0, 1]; see `classify`."""
        features = self.features(x)
        return self.classify(features)


class Head(nn.Layer):
    """Classifies the features of one scale.

    Args:
        channels: of the features.
        rms: their root mean square.
        num_feat: channels between the convolutions.
        stride: of the first convolution, 1 or 2.
    """

    def __init__(self, channels: int, rms: float, num_feat: int, stride: int) -> None:
        super().__init__()
        self._rms = rms
        kernel_size = 4 if stride == 2 else 3
        self.conv0 = SpectralNormConv2D(channels, num_feat, kernel_size, stride)
        self.conv1 = SpectralNormConv2D(num_feat, num_feat, 3)
        self.conv2 = conv(num_feat, 1)

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        """Return logits (N, 1, H / stride, W / stride); x is in the layout of `ops`."""
        x = self.conv0(x, ops, LRELU_SLOPE)
        x = self.conv1(x, ops, LRELU_SLOPE)

        # Both convolutions are linear in the scale of x, so it is normalized here, where
        # the tensor is smallest.
        x = x / self._rms
        x = convolve(ops, x, self.conv2)
        return ops.leave(x)
