"""ProjectedDiscriminator: a discriminator that looks through another network's eyes, and so learns in minutes.

Sauer et al. 2021, "Projected GANs Converge Faster", section 3: a trained network of
features that stays as it is, and a small discriminator of its own on each of several
scales. Real-ESRGAN's U-Net must learn to see first, and gains nothing in an hour on a
CPU (docs/soccer.md). Not taken over: the random mixing of features (section 3.2).
"""

from collections.abc import Callable, Sequence

import paddle
from paddle import Tensor, nn

from realesrgan_paddle.models.networks.layers import LRELU, conv, convolve
from realesrgan_paddle.models.networks.spectral_norm import SpectralNormConv2D
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops, nearest_upsample

CHANNELS = (64, 128, 256, 512)
"""Of the features of VGG16's first four blocks."""
FEATURE_SIZE = (1.2, 1.9, 2.8, 1.5)
"""Root mean square of each block's features, about: between those of soccer frames and of scikit-image's pictures."""


class ProjectedDiscriminator(nn.Layer):
    """Judge pictures by the features that a frozen VGG16 has of them, at several scales.

    Spectral norm divides by the largest singular value, which keeps the answers from
    changing abruptly with the features (Miyato et al. 2018). State: that of the heads;
    VGG16's weights are not part of it.

    Args:
        features: makes of (N, 3, H, W), RGB in [0, 1], the features of VGG16's blocks:
            (N, 64, H, W) and, of each further block, half as high and wide; in the
            layout of `ops`. No gradient may reach its weights.
        num_feat: channels between a head's convolutions.
        num_block: how many blocks are judged, from 1 to 4.

    Attributes:
        ops: what computes the heads.
    """

    ops: Ops = PLAIN

    def __init__(
        self,
        features: Callable[[Tensor], list[Tensor]],
        num_feat: int = 64,
        num_block: int = 4,
    ) -> None:
        super().__init__()
        self._features = features
        # The first block's features are as large as the picture: its head looks at
        # every second pixel, as the second's.
        strides = [2] + [1] * (num_block - 1)
        sizes = zip(CHANNELS, FEATURE_SIZE, strides, strict=False)
        self.heads = nn.LayerList(
            [Head(channels, size, num_feat, stride) for channels, size, stride in sizes]
        )

    def features(self, x: Tensor) -> list[Tensor]:
        """Return VGG16's features of x (N, 3, H, W), RGB in [0, 1], in the layout of `ops`."""
        return self._features(x)

    def classify(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits (N, num_block, H / 2, W / 2), larger for real, of what `features` returned.

        Coarser answers are repeated to that size, so a mean over all of them counts
        each block alike.
        """
        answers = [
            head(feature, self.ops)
            for head, feature in zip(self.heads, features, strict=True)
        ]
        height = answers[0].shape[2]
        return paddle.concat(
            [nearest_upsample(answer, height // answer.shape[2]) for answer in answers],
            1,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_block, H / 2, W / 2) of x (N, 3, H, W), RGB in [0, 1]."""
        return self.classify(self.features(x))


class Head(nn.Layer):
    """Judge features of one scale, of `channels` channels, H x W pixels and that `size`, by every `stride`-th pixel."""

    def __init__(self, channels: int, size: float, num_feat: int, stride: int) -> None:
        super().__init__()
        self._size = size
        self.conv0 = SpectralNormConv2D(
            channels, num_feat, 4 if stride == 2 else 3, stride
        )
        self.conv1 = SpectralNormConv2D(num_feat, num_feat, 3)
        self.conv2 = conv(num_feat, 1)

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        """Return the logits (N, 1, H / stride, W / stride) of x, which is in the layout of `ops`."""
        x = self.conv1(self.conv0(x, ops, LRELU), ops, LRELU)
        # Both are proportional to x, so here, where there is least of it, its size
        # becomes 1.
        return ops.leave(convolve(ops, x / self._size, self.conv2))
