"""SRVGGNetCompact, the small generator of Real-ESRGAN.

realesr-animevideov3 and realesr-general-x4v3 are of this kind. There is no paper; the
source is `realesrgan.archs.srvgg_arch.SRVGGNetCompact`, whose tensor names and shapes
these are.
"""

import re
from math import isqrt
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    Generator,
    Layers,
    Tensors,
    Weights,
    conv,
    conv_channels,
    prelu,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.field_types import Dimension, Natural

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

SLOPES = {"relu": 0.0, "leakyrelu": 0.1}
"""Slope for negative values of the activations that are not learned."""
EITHER = "relu or leakyrelu"
"""The `act_type` of weights without PReLU that are converted, not run."""


class SRVGGNetCompact(Generator):
    """The small generator of Real-ESRGAN.

    realesr-animevideov3 has 16 convolutions, realesr-general-x4v3 has 32.
    """

    type: Literal["SRVGGNetCompact"] = Field(
        default="SRVGGNetCompact", description="The network."
    )
    num_in_ch: Dimension = Field(
        default=3, description="Input channels; 3 to train (RGB)."
    )
    num_out_ch: Dimension = Field(
        default=3, description="Output channels; 3 to train (RGB)."
    )
    num_feat: Dimension = Field(
        default=64,
        description="Channels of each convolution. 64 fits the released weights.",
    )
    num_conv: Annotated[Natural, Field(le=4096)] = Field(
        default=16,
        description="Convolutions between the first and the last: 16 for "
        "realesr-animevideov3, 32 for realesr-general-x4v3.",
    )
    upscale: Dimension = Field(
        default=4, description="Upscaling: 1, 2 or 4; the same as the top-level scale."
    )
    act_type: Literal["prelu", "relu", "leakyrelu"] = Field(
        default="prelu",
        description="Activation after each convolution; the released networks have "
        "prelu.",
    )

    def __str__(self) -> str:
        return (
            f"SRVGGNetCompact x{self.upscale}, {self.num_conv} convolutions, "
            f"{self.num_feat} features, {self.act_type}{self.channels_remark()}"
        )

    @property
    def scale(self) -> int:
        """The upscaling factor."""
        return self.upscale

    def layers(self) -> Layers:
        """See `Generator`. Activations stand at the odd numbers, as in BasicSR."""
        layers = {}
        for i in range(self.num_conv + 1):
            in_ch = self.num_feat if i else self.num_in_ch
            layers[f"body.{2 * i}"] = conv(in_ch, self.num_feat)
            if self.act_type == "prelu":
                layers[f"body.{2 * i + 1}"] = prelu(self.num_feat)

        out_ch = self.num_out_ch * self.upscale**2
        layers[f"body.{2 * self.num_conv + 2}"] = conv(self.num_feat, out_ch)
        return layers

    def forward(self, x: "Tensor", w: Weights, ops: "Ops") -> "Tensor":
        """See `Generator`.

        All convolutions work at the input's size. The last one's channels become pixels
        and are added to the input, upscaled by nearest neighbor.
        """
        return self._upscaled(x, self._features(x, w, ops), w, ops)

    def _features(
        self, x: "Tensor", w: Weights, ops: "Ops", added: "Tensor | None" = None
    ) -> "Tensor":
        """Return what the last convolution gets.

        `added`, features from elsewhere, are added to what the first one makes.
        """
        features = ops.enter(x)
        for i in range(self.num_conv + 1):
            weight, bias = w[f"body.{2 * i}"]
            if self.act_type == "prelu":
                (slopes,) = w[f"body.{2 * i + 1}"]
                features = ops.conv_prelu(features, weight, bias, slopes)
            else:
                slope = SLOPES[self.act_type]
                features = ops.conv(features, weight, bias, slope=slope)
            if added is not None and i == 0:
                features = ops.add(features, added)
        return features

    def _upscaled(
        self, x: "Tensor", features: "Tensor", w: Weights, ops: "Ops"
    ) -> "Tensor":
        last = f"body.{2 * self.num_conv + 2}"
        features = ops.conv(features, *w[last])
        residual = ops.pixel_shuffle(features, self.upscale)
        return residual + ops.nearest_upsample(x, self.upscale)

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`."""
        if "body.0.weight" not in tensors:
            return None

        num_feat, num_in_ch = conv_channels(tensors, "body.0.weight", source)
        matches = [
            re.fullmatch(r"body\.([0-9]{1,4})\.weight", name) for name in tensors
        ]
        last = max(int(match[1]) for match in matches if match)
        out_ch, _ = conv_channels(tensors, f"body.{last}.weight", source)

        # The upscaled input is added to the output, so both have its channels.
        upscale = isqrt(out_ch // num_in_ch)
        if last < 2 or upscale < 1:
            raise UserError(
                f"{source}: begins like SRVGGNetCompact, but ends with body.{last} and "
                f"{out_ch} channels"
            )
        if "body.1.weight" in tensors:
            act_type = "prelu"
        elif act_type is None:
            raise UserError(
                f"{source}: an SRVGGNetCompact without PReLU; whether its activation is "
                "relu or leakyrelu cannot be read from its tensors, so say it (act_type)"
            )

        arguments: dict[str, Any] = {
            "num_in_ch": num_in_ch,
            "num_out_ch": num_in_ch,
            "num_feat": num_feat,
            "num_conv": last // 2 - 1,
            "upscale": upscale,
            "act_type": act_type,
        }
        if act_type == EITHER:
            return cls.model_construct(**arguments)
        return cls(**arguments)
