"""RDN, the residual dense network, with the arguments and tensor names of idealo's ISR.

Zhang et al. 2018, "Residual Dense Network for Image Super-Resolution"; the form is that
of `ISR.models.rdn.RDN` (idealo/image-super-resolution), whose released weights are
psnr-large, psnr-small and noise-cancel.
"""

from math import isqrt
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    Constant,
    Generator,
    Layers,
    Parameter,
    Tensors,
    Uniform,
    Weights,
    check_count,
    conv_channels,
)
from realesrgan_paddle.utils.field_types import Dimension

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

INIT_BOUND = 0.05
"""ISR's `init_extreme_val`: weights start uniform in +-0.05, biases at 0 as Keras's."""


def isr_conv(in_ch: int, out_ch: int, kernel_size: int = 3) -> dict[str, Parameter]:
    """Return a convolution initialized as ISR's."""
    shape = (out_ch, in_ch, kernel_size, kernel_size)
    return {
        "weight": Parameter(shape, Uniform(INIT_BOUND)),
        "bias": Parameter((out_ch,), Constant(0.0)),
    }


class RDN(Generator):
    """Residual dense network of idealo's ISR: D dense blocks whose outputs are all fused."""

    type: Literal["RDN"] = Field(default="RDN", description="The network.")
    C: Dimension = Field(
        default=6, description="Convolutions in each dense block: 6 (psnr-large) or 3."
    )
    D: Dimension = Field(
        default=20, description="Dense blocks: 20 (psnr-large) or 10 (psnr-small)."
    )
    G: Dimension = Field(
        default=64, description="Channels that each convolution of a dense block adds."
    )
    G0: Dimension = Field(default=64, description="Channels between the dense blocks.")
    x: Dimension = Field(
        default=2, description="Upscaling: 1, 2 or 4; the same as the top-level scale."
    )
    upscaling: Literal["ups", "shuffle"] = Field(
        default="ups",
        description="How the image is upscaled: ups repeats pixels, as the released "
        "weights need; shuffle is a pixel-shuffle, the choice for a new network.",
    )

    num_in_ch: ClassVar[int] = 3
    num_out_ch: ClassVar[int] = 3

    def __str__(self) -> str:
        return (
            f"RDN x{self.x}, {self.D} blocks of {self.C} convolutions, "
            f"{self.G0} features, growth {self.G}, upscaling: {self.upscaling}"
        )

    @property
    def scale(self) -> int:
        """The upscaling factor."""
        return self.x

    def layers(self) -> Layers:
        """See `Generator`. The names are ISR's."""
        layers = {"F_m1": isr_conv(3, self.G0), "F_0": isr_conv(self.G0, self.G0)}

        for d in range(1, self.D + 1):
            seen = self.G0
            for c in range(1, self.C + 1):
                layers[f"F_{d}_{c}"] = isr_conv(seen, self.G)
                seen += self.G
            layers[f"LFF_{d}"] = isr_conv(seen, self.G0, kernel_size=1)

        layers["GFF_1"] = isr_conv(self.D * self.G0, self.G0, kernel_size=1)
        layers["GFF_2"] = isr_conv(self.G0, self.G0)

        subpixels = 3 * self.x**2
        layers["UPN1"] = isr_conv(self.G0, 64, kernel_size=5)
        layers["UPN2"] = isr_conv(64, 32)
        layers["UPN3"] = isr_conv(32, subpixels)
        layers["SR"] = isr_conv(3 if self.upscaling == "shuffle" else subpixels, 3)
        return layers

    def forward(self, x: "Tensor", w: Weights, ops: "Ops") -> "Tensor":
        """See `Generator`."""
        x = ops.enter(x)
        shallow = ops.conv(x, *w["F_m1"])
        x = ops.conv(shallow, *w["F_0"])

        blocks = []
        for d in range(1, self.D + 1):
            x = ops.add(self._dense_block(x, d, w, ops), x)
            blocks.append(x)

        # All blocks' outputs are fused, and the shallow features added.
        x = ops.concat(blocks)
        x = ops.conv(x, *w["GFF_1"], padding=0)
        x = ops.conv(x, *w["GFF_2"])
        x = ops.add(x, shallow)

        x = ops.conv(x, *w["UPN1"], padding=2, slope=0.0)
        x = ops.conv(x, *w["UPN2"], slope=0.0)
        x = ops.conv(x, *w["UPN3"])
        if self.upscaling == "shuffle":
            x = ops.pixel_shuffle(x, self.x)
        else:
            x = ops.nearest_upsample(ops.leave(x), self.x)
        x = ops.conv(ops.enter(x), *w["SR"])
        return ops.leave(x)

    def _dense_block(self, x: "Tensor", d: int, w: Weights, ops: "Ops") -> "Tensor":
        """Return the output of dense block `d`, before its input is added."""
        for c in range(1, self.C + 1):
            weight, bias = w[f"F_{d}_{c}"]
            grown = ops.conv(x, weight, bias, slope=0.0)
            x = ops.concat([x, grown])

        weight, bias = w[f"LFF_{d}"]
        return ops.conv(x, weight, bias, padding=0)

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`."""
        if "F_m1.weight" not in tensors or "UPN3.weight" not in tensors:
            return None

        before_upscaling, _ = conv_channels(tensors, "UPN3.weight", source)
        _, after_upscaling = conv_channels(tensors, "SR.weight", source)
        repeats = after_upscaling == before_upscaling
        weights = [name for name in tensors if name.endswith(".weight")]
        in_first_block = sum(name.startswith("F_1_") for name in weights)
        blocks = sum(name.startswith("LFF_") for name in weights)
        check_count(weights, in_first_block * blocks, source)
        return cls(
            C=in_first_block,
            D=blocks,
            G=conv_channels(tensors, "F_1_1.weight", source)[0],
            G0=conv_channels(tensors, "F_m1.weight", source)[0],
            x=isqrt(before_upscaling // 3),
            upscaling="ups" if repeats else "shuffle",
        )
