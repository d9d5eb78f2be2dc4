"""The drift alarm: the section `val.drift`.

The limits come from measurements on real footage: see "The drift alarm" in
docs/finetuning.md.
"""

from pydantic import Field

from realesrgan_paddle.options.schema.base import (
    FactorRange,
    NonNegative,
    Options,
    Text,
)

GENERAL = "general"
"""The name of the set of general pictures."""


class GeneralLimits(Options):
    """What is usual on the general pictures: the warning comes beyond it; null: never."""

    delta_e: NonNegative | None = Field(
        default=1.0,
        description="Colour: CIEDE2000 further from the ground truth than the start network was.",
    )
    sharpness: FactorRange | None = Field(
        default=(0.65, 1.25),
        description="Lowest and highest mean gradient of the pictures: times the smaller, and times the larger, of the "
        "start network's and the ground truth's.",
    )
    lpips: NonNegative | None = Field(
        default=0.08,
        description="LPIPS further from the ground truth than the start network was.",
    )


class DomainLimits(GeneralLimits):
    """What is usual on the sets to validate on, where the network is to get better; without ground truth, anything."""

    delta_e: NonNegative | None = Field(default=0.5, description="As general.")
    lpips: NonNegative | None = Field(default=0.05, description="As general.")


class DriftOptions(Options):
    """How each validation compares the network with path.pretrain_network_g, from which the run started."""

    dataroot: Text | None = Field(
        default=None,
        description="Folder of general pictures of high quality, of which six are taken; none: six that scikit-image "
        "brings along.",
    )
    general: GeneralLimits | None = Field(
        default=GeneralLimits(),
        description="Limits on the general pictures; null: they are not looked at.",
    )
    domain: DomainLimits = Field(
        default=DomainLimits(), description="Limits on the images to validate on."
    )
    stop: bool = Field(default=False, description="Stop the run at the first warning.")
