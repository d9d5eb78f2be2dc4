"""The options of one training run; other folders import all option models from here."""

from pydantic import model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.dataset_options import (
    Datasets,
    ImageOptions,
    TrainDataset,
    TrainPairedDataset,
    ValDataset,
)
from realesrgan_paddle.options.schema.drift_alarm import (
    GENERAL,
    DomainLimits,
    DriftOptions,
    GeneralLimits,
)
from realesrgan_paddle.options.schema.kernels import BlurOptions, KernelOptions
from realesrgan_paddle.options.schema.logger import LoggerOptions
from realesrgan_paddle.options.schema.losses import (
    ArtifactLossOptions,
    ColorLossOptions,
    DistillationLossOptions,
    GANLossOptions,
    PerceptualLossOptions,
    PixelLossOptions,
)
from realesrgan_paddle.options.schema.networks import (
    DiscriminatorOptions,
    GeneratorOptions,
    ProjectedDiscriminatorOptions,
    UNetDiscriminatorSNOptions,
)
from realesrgan_paddle.options.schema.optimization import (
    CosineAnnealingLROptions,
    CosineAnnealingRestartLROptions,
    MultiStepLROptions,
    MultiStepRestartLROptions,
    OptimizerOptions,
    SchedulerOptions,
)
from realesrgan_paddle.options.schema.paths import PathOptions
from realesrgan_paddle.options.schema.section_checks import section_problems
from realesrgan_paddle.options.schema.sections import Sections
from realesrgan_paddle.options.schema.synthesis import (
    RESIZE_MODES,
    ChromaUpsampling,
    CodecName,
    DeinterlaceName,
    LQConfig,
    PassOptions,
    ResizeMode,
    SynthesisOptions,
)
from realesrgan_paddle.options.schema.training import TrainOptions
from realesrgan_paddle.options.schema.validation import (
    HELD_OUT,
    NO_REFERENCE,
    MetricOptions,
    MetricType,
    ValOptions,
)

__all__ = [
    "GENERAL",
    "HELD_OUT",
    "NO_REFERENCE",
    "RESIZE_MODES",
    "ArtifactLossOptions",
    "BlurOptions",
    "ChromaUpsampling",
    "CodecName",
    "ColorLossOptions",
    "Config",
    "CosineAnnealingLROptions",
    "CosineAnnealingRestartLROptions",
    "Datasets",
    "DeinterlaceName",
    "DiscriminatorOptions",
    "DistillationLossOptions",
    "DomainLimits",
    "DriftOptions",
    "GANLossOptions",
    "GeneralLimits",
    "GeneratorOptions",
    "ImageOptions",
    "KernelOptions",
    "LQConfig",
    "LoggerOptions",
    "MetricOptions",
    "MetricType",
    "MultiStepLROptions",
    "MultiStepRestartLROptions",
    "OptimizerOptions",
    "PassOptions",
    "PathOptions",
    "PerceptualLossOptions",
    "PixelLossOptions",
    "ProjectedDiscriminatorOptions",
    "ResizeMode",
    "SchedulerOptions",
    "SynthesisOptions",
    "TrainDataset",
    "TrainOptions",
    "TrainPairedDataset",
    "UNetDiscriminatorSNOptions",
    "ValDataset",
    "ValOptions",
]


class Config(Sections):
    """Options of train.py."""

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        problems = list(section_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self
