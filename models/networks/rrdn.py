"""RRDN, idealo ISR's form of ESRGAN's generator, with its arguments and tensor names.

Wang et al. 2018, "ESRGAN"; the form is that of `ISR.models.rrdn.RRDN`
(idealo/image-super-resolution), whose released weights are gans.
"""

from math import isqrt
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    Generator,
    Layers,
    Tensors,
    Weights,
    check_count,
    conv_channels,
)
from realesrgan_paddle.models.networks.rdn import isr_conv
from realesrgan_paddle.utils.field_types import Dimension

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

BETA = 0.2
"""Factor on the output of a block before its input is added: ISR's `beta`."""


class RRDN(Generator):
    """Residual-in-residual dense network of idealo's ISR: T blocks of D dense blocks each."""

    type: Literal["RRDN"] = Field(default="RRDN", description="The network.")
    C: Dimension = Field(
        default=4, description="Convolutions in each dense block, before the last one."
    )
    D: Dimension = Field(default=3, description="Dense blocks in each residual block.")
    G: Dimension = Field(
        default=32, description="Channels that each convolution of a dense block adds."
    )
    G0: Dimension = Field(default=32, description="Channels between the dense blocks.")
    T: Dimension = Field(default=10, description="Residual-in-residual dense blocks.")
    x: Dimension = Field(
        default=4, description="Upscaling: 1, 2 or 4; the same as the top-level scale."
    )

    num_in_ch: ClassVar[int] = 3
    num_out_ch: ClassVar[int] = 3

    def __str__(self) -> str:
        return (
            f"RRDN x{self.x}, {self.T} blocks of {self.D} dense blocks of "
            f"{self.C} convolutions, {self.G0} features, growth {self.G}"
        )

    @property
    def scale(self) -> int:
        """The upscaling factor."""
        return self.x

    def layers(self) -> Layers:
        """See `Generator`. The names are ISR's."""
        layers = {"Pre_blocks_conv": isr_conv(3, self.G0)}

        for t in range(1, self.T + 1):
            for d in range(1, self.D + 1):
                seen = self.G0
                for c in range(1, self.C + 1):
                    layers[f"F_{t}_{d}_{c}"] = isr_conv(seen, self.G)
                    seen += self.G
                layers[f"LFF_{t}_{d}"] = isr_conv(seen, self.G0)

        layers["post_blocks_conv"] = isr_conv(self.G0, self.G0)
        layers["PreShuffle"] = isr_conv(self.G0, 3 * self.x**2)
        layers["SR"] = isr_conv(3, 3)
        return layers

    def forward(self, x: "Tensor", w: Weights, ops: "Ops") -> "Tensor":
        """See `Generator`."""
        x = ops.enter(x)
        first = ops.conv(x, *w["Pre_blocks_conv"])

        x = first
        for t in range(1, self.T + 1):
            before = x
            for d in range(1, self.D + 1):
                convolutions = [w[f"F_{t}_{d}_{c}"] for c in range(1, self.C + 1)]
                convolutions.append(w[f"LFF_{t}_{d}"])
                x = ops.dense_block(x, convolutions, slope=0.0)
            x = before + BETA * x
        x = ops.conv(x, *w["post_blocks_conv"])
        x = ops.add(x, first)

        x = ops.conv(x, *w["PreShuffle"])
        x = ops.pixel_shuffle(x, self.x)
        x = ops.conv(ops.enter(x), *w["SR"])
        return ops.leave(x)

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`."""
        if "Pre_blocks_conv.weight" not in tensors:
            return None

        weights = [name for name in tensors if name.endswith(".weight")]
        in_first_part = sum(name.startswith("F_1_1_") for name in weights)
        in_first_block = sum(name.startswith("LFF_1_") for name in weights)
        blocks = sum(n.startswith("LFF_") and n.endswith("_1.weight") for n in weights)
        check_count(weights, in_first_part * in_first_block * blocks, source)
        return cls(
            C=in_first_part,
            D=in_first_block,
            G=conv_channels(tensors, "F_1_1_1.weight", source)[0],
            G0=conv_channels(tensors, "Pre_blocks_conv.weight", source)[0],
            T=blocks,
            x=isqrt(conv_channels(tensors, "PreShuffle.weight", source)[0] // 3),
        )
