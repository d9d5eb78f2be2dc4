"""The discriminators' options, and the tensors by which the U-Net is recognized.

Like the generators' files this one does not import Paddle; the layers are in
`unet_discriminator.py` and `projected_discriminator.py`.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    Description,
    Shapes,
    Tensors,
    conv_channels,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.field_types import Count, Dimension, Options

# Of conv1 ... conv8: input and output channels as multiples of num_feat, kernel size
# (`realesrgan.archs.discriminator_arch.UNetDiscriminatorSN`).
UNET_CONVOLUTIONS = (
    (1, 2, 4),
    (2, 4, 4),
    (4, 8, 4),
    (8, 4, 3),
    (4, 2, 3),
    (2, 1, 3),
    (1, 1, 3),
    (1, 1, 3),
)


class UNetDiscriminatorSNOptions(Description):
    """Real-ESRGAN's discriminator, a U-Net with spectral norm; the choice for a GPU."""

    type: Literal["UNetDiscriminatorSN"] = Field(
        default="UNetDiscriminatorSN", description="The network."
    )
    num_in_ch: Dimension = Field(
        default=3, description="Input channels; 3 to train (RGB)."
    )
    num_feat: Dimension = Field(
        default=64,
        description="Channels of the first convolution. 64 fits the released weights; 32 "
        "takes a quarter of the time.",
    )
    skip_connection: bool = Field(
        default=True, description="Add the encoder's features to the decoder's."
    )

    def __str__(self) -> str:
        skips = "skip connections" if self.skip_connection else "no skip connections"
        return (
            f"UNetDiscriminatorSN, {self.num_feat} features, {skips}, "
            f"{self.num_in_ch} channels"
        )

    def tensor_shapes(self) -> Shapes:
        """See `Description`; the names are those of torch's spectral norm."""
        feat = self.num_feat
        shapes: Shapes = {
            "conv0.weight": (feat, self.num_in_ch, 3, 3),
            "conv0.bias": (feat,),
        }

        for i, (into, out, size) in enumerate(UNET_CONVOLUTIONS, start=1):
            shapes[f"conv{i}.weight_orig"] = (out * feat, into * feat, size, size)
            shapes[f"conv{i}.weight_u"] = (out * feat,)
            shapes[f"conv{i}.weight_v"] = (into * feat * size * size,)

        shapes["conv9.weight"] = (1, feat, 3, 3)
        shapes["conv9.bias"] = (1,)
        return shapes

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`. Skip connections leave no trace: BasicSR's default is assumed."""
        if "conv0.weight" not in tensors or "conv9.weight" not in tensors:
            return None
        if "conv1.weight" in tensors:
            raise UserError(
                f"{source}: a U-Net discriminator without spectral norm (conv1.weight, "
                "not conv1.weight_orig); UNetDiscriminatorSN cannot take its weights, so "
                "train a new one"
            )

        num_feat, num_in_ch = conv_channels(tensors, "conv0.weight", source)
        return cls(num_in_ch=num_in_ch, num_feat=num_feat)


class ProjectedDiscriminatorOptions(Options):
    """A discriminator on the features of a frozen VGG16 (DISTS's, downloaded once).

    It tells real from generated within minutes, also on a CPU (docs/soccer.md).
    """

    type: Literal["ProjectedDiscriminator"] = Field(
        default="ProjectedDiscriminator", description="The network."
    )
    num_feat: Dimension = Field(
        default=64, description="Channels between the convolutions of each head."
    )
    num_block: Annotated[Count, Field(le=4)] = Field(
        default=4,
        description="Blocks of VGG16 whose features are classified, from 1 to 4; each "
        "block sees twice as far as the one before.",
    )
