"""The section `val`: when and how the network is validated, and the drift alarm.

The alarm's limits come from measurements on real footage: see "The drift alarm" in
docs/finetuning.md.
"""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from realesrgan_paddle.utils.field_types import (
    Count,
    FactorRange,
    Natural,
    NonNegative,
    Options,
    Positive,
    Text,
)

GENERAL = "general"
"""Name of the set of general images, which are the same for every run."""
REAL = "real_lq"
"""Name of the set of real low-quality images."""
GRID_LIMIT = 1.75
"""A grid shows if the grid index is so many times what is usual.

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
        default=GRID_LIMIT,
        description="A regular grid: how many times the grid index of the start "
        "network and of the ground truth the network's may be; both count as at "
        "least 1, which is no grid.",
    )


class DomainLimits(GeneralLimits):
    """Limits on the validation sets, which should improve."""

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


MetricType = Literal[
    "calculate_psnr",
    "calculate_ssim",
    "calculate_lpips",
    "calculate_dists",
    "calculate_niqe",
]
OF_LUMA = frozenset({"calculate_psnr", "calculate_ssim"})
"""The metrics that can compare luma alone."""
NO_REFERENCE = frozenset({"calculate_niqe"})
"""The metrics that need no ground truth."""
HELD_OUT = "held_out"
"""Name of the set of held-out training images in the log and in `visualization/`."""


class MetricOptions(Options):
    """One metric of the validation."""

    type: MetricType = Field(
        description="Metric. PSNR and SSIM (higher is better) reward blur; LPIPS "
        "(AlexNet) and DISTS (lower is better) agree better with the eye. DISTS is "
        "slow on a CPU. NIQE (lower is better) needs no ground truth: it sees noise "
        "and blur, not what is wrong."
    )
    crop_border: Natural = Field(
        default=4,
        description="Pixels to leave out at each border. Usually the scale, as in "
        "papers; 0 measures all of the image.",
    )
    test_y_channel: bool = Field(
        default=False,
        description="Compare luma only (Y of YCbCr, ITU-R BT.601), as papers do, "
        "instead of RGB. PSNR and SSIM only.",
    )
    convert_to: Literal["y", "gray"] = Field(
        default="y",
        description="What NIQE measures: y (luma in [16, 235], as MATLAB's, which "
        "papers report) or gray. NIQE only.",
    )

    @field_validator("test_y_channel")
    @classmethod
    def _check_luma(cls, value: bool, info: ValidationInfo) -> bool:
        metric = info.data.get("type")
        if value and metric in NO_REFERENCE:
            raise ValueError(f"expected false, because {metric} has convert_to instead")
        if value and metric not in OF_LUMA:
            raise ValueError(f"expected false, because {metric} compares RGB")
        return value

    @field_validator("convert_to")
    @classmethod
    def _check_gray(cls, value: str, info: ValidationInfo) -> str:
        metric = info.data.get("type")
        if value != "y" and metric not in NO_REFERENCE:
            raise ValueError(f"expected y, because {metric} converts nothing")
        return value


class ValOptions(Options):
    """The section `val`: how datasets.val, or held-out training images, is measured."""

    val_freq: Count = Field(
        default=5000,
        description="Iterations between validations; one more follows the last "
        "iteration. About six in a run show its course; more cost time.",
    )
    hold_out: Natural | None = Field(
        default=None,
        description="Without datasets.val: crops of training images to validate on, of "
        "as many moments of the clips as can be spared, or whole clips where there are "
        "many. null: 24 crops of up to 12 moments or clips, at most a third of the "
        "frames. 0 turns validation off.",
    )
    tile: Natural = Field(
        default=0,
        description="Longest side of the tiles that validation images are upscaled in "
        "[low-quality pixels]. 0: whole images; where memory is short, tiles are made "
        "and halved until they fit, and the log says so.",
    )
    save_img: bool = Field(
        default=True,
        description="Save every validation image at each validation. Set false if "
        "large sets fill the disk.",
    )
    save_sheet: bool = Field(
        default=True,
        description="Save one sheet per validation with crops of up to six images: "
        "input, start network, current network, ground truth.",
    )
    metrics: dict[str, MetricOptions] = Field(
        default={
            "psnr_y": MetricOptions(type="calculate_psnr", test_y_channel=True),
            "ssim_y": MetricOptions(type="calculate_ssim", test_y_channel=True),
            "lpips": MetricOptions(type="calculate_lpips"),
        },
        description="Metrics by the name they get in the log. By default PSNR and SSIM "
        "of luma (psnr_y, ssim_y), as tools/compare.py measures them, and LPIPS, which is "
        "left out, with a warning, if its weights cannot be downloaded.",
    )
    best: Text | None = Field(
        default=None,
        description="Metric that chooses net_g_best, as SET/METRIC of the log, such "
        "as held_out/lpips. null: the first of metrics on the first set that it "
        "measures. Prefer LPIPS or DISTS for a GAN.",
    )
    stop_after: Count | None = Field(
        default=None,
        description="Stop after this many validations in a row without a new best; 3 "
        "to 5 suit. null: never. Leave it null where the learning rate falls to the "
        "end.",
    )
    real_lq: Text | None = Field(
        default=None,
        description="Real low-quality images or videos: a folder or file. The verdict at "
        "the end of the run then says how sharp the network's results are on them; "
        "train.py --recipe auto --lq REAL sets it. null: none.",
    )
    drift: DriftOptions | None = Field(
        default=DriftOptions(),
        description="Drift alarm: warns when colors, sharpness or LPIPS move "
        "unusually far from the start network. null turns it off.",
    )
