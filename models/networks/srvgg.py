"""SRVGGNetCompact, the small generator of Real-ESRGAN (realesr-animevideov3, realesr-general-x4v3).

There is no paper; the source is `realesrgan.archs.srvgg_arch.SRVGGNetCompact`, whose
state-dict keys and shapes these are.
"""

from paddle import Tensor, nn

from realesrgan_paddle.models.networks.layers import PReLU, conv, convolve
from realesrgan_paddle.utils.ops.plain import PLAIN, Ops, nearest_upsample

SLOPES = {"relu": 0.0, "leakyrelu": 0.1}
ACTIVATIONS = ("prelu", *SLOPES)


class SRVGGNetCompact(nn.Layer):
    """Enlarge (N, num_in_ch, H, W) to (N, num_out_ch, upscale * H, upscale * W); float32 RGB in [0, 1], not clipped.

    All convolutions work at the input's size; the last one's channels become pixels and
    are added to the input enlarged by repeating pixels, so the network learns a
    residual.

    Attributes:
        ops: what computes it.
    """

    ops: Ops = PLAIN

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
        if act_type not in ACTIVATIONS:
            raise ValueError(
                f"SRVGGNetCompact: act_type {act_type!r} is not one of {', '.join(ACTIVATIONS)}"
            )
        self.upscale = upscale
        self.slope = SLOPES.get(act_type)
        """Of the activations; None where they are PReLUs, which learn theirs."""
        convolutions = [
            conv(num_in_ch, num_feat),
            *(conv(num_feat, num_feat) for _ in range(num_conv)),
        ]
        # Every second layer is an activation: so are the state dict's keys numbered.
        layers = [
            part
            for layer in convolutions
            for part in (layer, self._activation(num_feat))
        ]
        self.body = nn.Sequential(*layers, conv(num_feat, num_out_ch * upscale**2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the enlarged pictures."""
        ops = self.ops
        features = ops.enter(x)
        *hidden, last = list(self.body)
        for i in range(0, len(hidden), 2):
            features = self._activated(hidden[i], hidden[i + 1], features)
        features = convolve(ops, features, last)
        return ops.pixel_shuffle(features, self.upscale) + nearest_upsample(
            x, self.upscale
        )

    def _activation(self, num_feat: int) -> nn.Layer:
        """Return the weights of an activation, or a placeholder where it has none."""
        return PReLU(num_feat) if self.slope is None else nn.Identity()

    def _activated(
        self, convolution: nn.Conv2D, activation: nn.Layer, x: Tensor
    ) -> Tensor:
        if self.slope is None:
            return self.ops.conv_prelu(
                x, convolution.weight, convolution.bias, activation.weight
            )
        return convolve(self.ops, x, convolution, self.slope)
