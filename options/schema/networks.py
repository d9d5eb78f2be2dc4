"""The networks of an option file: `type` chooses one, the other keys are its constructor's arguments.

Training images are RGB, so the channels can only be 3; the keys are there because
BasicSR's files have them.
"""

from typing import Annotated, Literal

from pydantic import Field

from realesrgan_paddle.options.schema.base import Count, Options, Scale


class RRDBNetOptions(Options):
    """The large generator (RealESRGAN_x4plus has 23 blocks, RealESRGAN_x4plus_anime_6B has 6)."""

    type: Literal["RRDBNet"] = Field(description="Which network.")
    num_in_ch: Literal[3] = Field(default=3, description="Channels of the input image.")
    num_out_ch: Literal[3] = Field(
        default=3, description="Channels of the output image."
    )
    scale: Scale = Field(
        default=4, description="Enlargement: 1, 2 or 4; equal to the top-level scale."
    )
    num_feat: Count = Field(default=64, description="Channels between the blocks.")
    num_block: Count = Field(
        default=23, description="Residual-in-residual dense blocks."
    )
    num_grow_ch: Count = Field(
        default=32, description="Channels that each convolution of a dense block adds."
    )


class SRVGGNetCompactOptions(Options):
    """The small generator (realesr-animevideov3 has 16 convolutions, realesr-general-x4v3 has 32)."""

    type: Literal["SRVGGNetCompact"] = Field(description="Which network.")
    num_in_ch: Literal[3] = Field(default=3, description="Channels of the input image.")
    num_out_ch: Literal[3] = Field(
        default=3, description="Channels of the output image."
    )
    num_feat: Count = Field(default=64, description="Channels of each convolution.")
    num_conv: Count = Field(
        default=16, description="Convolutions between the first and the last."
    )
    upscale: Scale = Field(
        default=4, description="Enlargement: 1, 2 or 4; equal to the top-level scale."
    )
    act_type: Literal["prelu", "relu", "leakyrelu"] = Field(
        default="prelu", description="Activation after each convolution."
    )

    @property
    def scale(self) -> int:
        """The enlargement, under the name that every generator has."""
        return self.upscale


class UNetDiscriminatorSNOptions(Options):
    """Real-ESRGAN's discriminator."""

    type: Literal["UNetDiscriminatorSN"] = Field(description="Which network.")
    num_in_ch: Literal[3] = Field(default=3, description="Channels of the image.")
    num_feat: Count = Field(
        default=64, description="Channels of the first convolution."
    )
    skip_connection: bool = Field(
        default=True,
        description="Add the features on the way down to those on the way up.",
    )


class ProjectedDiscriminatorOptions(Options):
    """A discriminator on the features of a frozen VGG16 (those of DISTS, got from the package index once).

    It tells real from generated within minutes, also on a CPU (docs/soccer.md).
    """

    type: Literal["ProjectedDiscriminator"] = Field(description="Which network.")
    num_feat: Count = Field(
        default=64,
        description="Channels between the convolutions on each block's features.",
    )
    num_block: Annotated[Count, Field(le=4)] = Field(
        default=4,
        description="Blocks of VGG16 whose features are judged; each sees twice as far as the one before.",
    )


DiscriminatorOptions = Annotated[
    UNetDiscriminatorSNOptions | ProjectedDiscriminatorOptions,
    Field(discriminator="type"),
]
GeneratorOptions = Annotated[
    RRDBNetOptions | SRVGGNetCompactOptions, Field(discriminator="type")
]
