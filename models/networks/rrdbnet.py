"""RRDBNet, the generator of ESRGAN and Real-ESRGAN.

Wang et al. 2018, "ESRGAN", section 3.1; scales 2 and 1: Wang et al. 2021,
"Real-ESRGAN", section 3.3. Tensor names and shapes are those of
`basicsr.archs.rrdbnet_arch.RRDBNet`.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    LRELU_SLOPE,
    Generator,
    Layers,
    Tensors,
    Weights,
    conv,
    conv_channels,
    residual_conv,
)
from realesrgan_paddle.utils.field_types import Dimension, Scale

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

UNSHUFFLE = {4: 1, 2: 2, 1: 4}
"""{scale: factor of the pixel-unshuffle in front of the trunk, which upscales by 4}."""
RESIDUAL_SCALE = 0.2
"""Factor on the output of a block before its input is added (ESRGAN, section 3.1)."""


class RRDBNet(Generator):
    """The large generator of Real-ESRGAN.

    RealESRGAN_x4plus has 23 blocks, RealESRGAN_x4plus_anime_6B has 6.
    """

    type: Literal["RRDBNet"] = Field(default="RRDBNet", description="The network.")
    num_in_ch: Dimension = Field(
        default=3, description="Input channels; 3 to train (RGB)."
    )
    num_out_ch: Dimension = Field(
        default=3, description="Output channels; 3 to train (RGB)."
    )
    scale: Scale = Field(
        default=4, description="Upscaling: 1, 2 or 4; the same as the top-level scale."
    )
    num_feat: Dimension = Field(
        default=64,
        description="Channels between the blocks. 64 fits the released weights.",
    )
    num_block: Dimension = Field(
        default=23,
        description="Residual-in-residual dense blocks: 23 for RealESRGAN_x4plus, 6 for "
        "the anime network, which is four times as fast.",
    )
    num_grow_ch: Dimension = Field(
        default=32,
        description="Channels that each convolution of a dense block adds. 32 fits the "
        "released weights.",
    )

    def __str__(self) -> str:
        return (
            f"RRDBNet x{self.scale}, {self.num_block} blocks, {self.num_feat} features, "
            f"growth {self.num_grow_ch}{self.channels_remark()}"
        )

    def layers(self) -> Layers:
        """See `Generator`."""
        feat, grow = self.num_feat, self.num_grow_ch
        layers = {"conv_first": conv(self.num_in_ch * UNSHUFFLE[self.scale] ** 2, feat)}

        for block in range(self.num_block):
            for dense in (1, 2, 3):
                for i in range(5):
                    name = f"body.{block}.rdb{dense}.conv{i + 1}"
                    out_ch = feat if i == 4 else grow
                    layers[name] = residual_conv(feat + i * grow, out_ch)

        layers["conv_body"] = conv(feat, feat)
        layers["conv_up1"] = conv(feat, feat)
        layers["conv_up2"] = conv(feat, feat)
        layers["conv_hr"] = conv(feat, feat)
        layers["conv_last"] = conv(feat, self.num_out_ch)
        return layers

    def forward(self, x: "Tensor", w: Weights, ops: "Ops") -> "Tensor":
        """See `Generator`. For scales 2 and 1, H and W must be multiples of 2 and 4."""
        unshuffle = UNSHUFFLE[self.scale]
        if unshuffle > 1:
            self._check_size(x)
            x = ops.pixel_unshuffle(x, unshuffle)

        x = ops.enter(x)
        first = ops.conv(x, *w["conv_first"])

        x = first
        for block in range(self.num_block):
            before = x
            for dense in (1, 2, 3):
                name = f"body.{block}.rdb{dense}"
                convolutions = [w[f"{name}.conv{i}"] for i in range(1, 6)]
                x = ops.dense_block(x, convolutions, slope=LRELU_SLOPE)
            x = before + RESIDUAL_SCALE * x
        x = ops.conv(x, *w["conv_body"])
        x = first + x

        x = ops.conv_upsampled(x, *w["conv_up1"], slope=LRELU_SLOPE)
        x = ops.conv_upsampled(x, *w["conv_up2"], slope=LRELU_SLOPE)
        x = ops.conv(x, *w["conv_hr"], slope=LRELU_SLOPE)
        x = ops.conv(x, *w["conv_last"])
        return ops.leave(x)

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`."""
        first, grown = "conv_first.weight", "body.0.rdb1.conv1.weight"
        if first not in tensors or grown not in tensors:
            return None

        num_feat, unshuffled = conv_channels(tensors, first, source)
        num_out_ch, _ = conv_channels(tensors, "conv_last.weight", source)
        # The pixel-unshuffle of x2 and x1 gives conv_first 4 and 16 times the channels.
        ratio = unshuffled // num_out_ch if unshuffled % num_out_ch == 0 else 0
        scales: dict[int, Scale] = {4: 2, 16: 1}
        scale = scales.get(ratio, 4)

        blocks = [name for name in tensors if name.endswith(".rdb1.conv1.weight")]
        return cls(
            num_in_ch=unshuffled if scale == 4 else num_out_ch,
            num_out_ch=num_out_ch,
            scale=scale,
            num_feat=num_feat,
            num_block=sum(name.startswith("body.") for name in blocks),
            num_grow_ch=conv_channels(tensors, grown, source)[0],
        )

    def _check_size(self, x: "Tensor") -> None:
        height, width = x.shape[2:]
        if height < 0 or width < 0:
            return  # not yet known: the graph is being exported

        unshuffle = UNSHUFFLE[self.scale]
        if height % unshuffle or width % unshuffle:
            raise ValueError(
                f"RRDBNet x{self.scale}: {height} x {width} pixels (height x width) are "
                f"not multiples of {unshuffle}; pad the input first"
            )
