"""The drift alarm: the section `val.drift`.

The limits come from measurements on real footage: see "The drift alarm" in
docs/finetuning.md.
"""

from pydantic import Field

from realesrgan_paddle.utils.field_types import (
    FactorRange,
    NonNegative,
    Options,
    Positive,
    Text,
)

GENERAL = "general"
"""Name of the set of general images, which are the same for every run."""
LATTICE_LIMIT = 1.75
"""A grid shows if the lattice index is so many times what is usual.

Set on some pictures and networks, tested on others: docs/measurements.md.
"""


class GeneralLimits(Options):
    """Limits on the general images, beyond which the alarm warns; null: never."""

    delta_e: NonNegative | None = Field(
        default=1.0,
        description="Color: how much the CIEDE2000 distance from the ground truth may "
        "exceed the start network's. 1 is about what the eye can tell.",
    )
    sharpness: FactorRange | None = Field(
        default=(0.65, 1.25),
        description="Lowest and highest sharpness (mean gradient): factors on the "
        "softer and on the sharper of start network and ground truth.",
    )
    lpips: NonNegative | None = Field(
        default=0.08,
        description="How much LPIPS against the ground truth may exceed the start "
        "network's.",
    )
    lattice: Positive | None = Field(
        default=LATTICE_LIMIT,
        description="A regular grid: how many times the lattice index of the start "
        "network and of the ground truth the network's may be; both count as at "
        "least 1, which is no grid.",
    )


class DomainLimits(GeneralLimits):
    """Limits on the validation sets, which should improve; sets need a ground truth."""

    delta_e: NonNegative | None = Field(
        default=0.5,
        description="Color: as general.delta_e, and tighter, for on its domain the "
        "network should improve.",
    )
    lpips: NonNegative | None = Field(
        default=0.05,
        description="LPIPS: as general.lpips, and tighter, for on its domain the "
        "network should improve.",
    )


class DriftOptions(Options):
    """Each validation compares the network with path.pretrain_network_g, its start."""

    dataroot: Text | None = Field(
        default=None,
        description="Folder of sharp general images, of which six are used. null: six "
        "that come with scikit-image; give your own if another domain must stay good.",
    )
    general: GeneralLimits | None = Field(
        default=GeneralLimits(),
        description="Limits on the general images; null: do not measure them.",
    )
    domain: DomainLimits = Field(
        default=DomainLimits(), description="Limits on the validation sets."
    )
    stop: bool = Field(
        default=False,
        description="Stop the run at the first warning. Use it for unattended runs; "
        "the state is saved, so the run can be resumed.",
    )
