"""The options of one training run; every option model is imported from here."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.base import (
    Count,
    Natural,
    Options,
    Scale,
    Share,
    Text,
)
from realesrgan_paddle.options.schema.drift_alarm import (
    GENERAL,
    DomainLimits,
    DriftOptions,
    GeneralLimits,
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
from realesrgan_paddle.options.schema.synthesis import (
    BlurOptions,
    CodecName,
    DeinterlaceName,
    KernelOptions,
    LQConfig,
    PassOptions,
    SynthesisOptions,
)
from realesrgan_paddle.options.schema.training import (
    HELD_OUT,
    LPIPS_SMALLEST,
    ArtifactLossOptions,
    ColorLossOptions,
    DistillationLossOptions,
    GANLossOptions,
    LoggerOptions,
    MetricOptions,
    MetricType,
    PerceptualLossOptions,
    PixelLossOptions,
    TrainOptions,
    ValOptions,
)

__all__ = [
    "GENERAL",
    "HELD_OUT",
    "ArtifactLossOptions",
    "BlurOptions",
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
    "SchedulerOptions",
    "SynthesisOptions",
    "TrainDataset",
    "TrainOptions",
    "UNetDiscriminatorSNOptions",
    "ValDataset",
    "ValOptions",
]


def _folder_name(value: str) -> str:
    if value in (".", "..") or "/" in value or "\\" in value:
        raise ValueError("expected a plain folder name")
    return value


FolderName = Annotated[Text, AfterValidator(_folder_name)]


class IOBackend(Options):
    """Where images are read from."""

    type: Literal["disk"] = Field(default="disk", description="Plain files.")


class ImageOptions(Options):
    """How training images are read."""

    dataroot_gt: Text = Field(description="Folder of the ground-truth images.")
    meta_info: Text | None = Field(
        default=None,
        description="Text file with one image per line, relative to dataroot_gt (for pairs: `gt.png, lq.png`); "
        "none: every image of the folder.",
    )
    io_backend: IOBackend = Field(default=IOBackend(), description="Images are files.")
    use_hflip: bool = Field(
        default=True, description="Mirror images left to right at random."
    )
    use_rot: bool = Field(
        default=False, description="Flip and transpose images at random."
    )
    use_shuffle: bool = Field(
        default=True, description="Take the images in random order."
    )
    num_worker_per_gpu: Natural = Field(
        default=5,
        description="Processes that read images; 0: the training process itself.",
    )
    dataset_enlarge_ratio: Count = Field(
        default=1, description="How many times an epoch runs through the images."
    )


class TrainDataset(KernelOptions, ImageOptions):
    """The section `datasets.train`."""

    name: Text = Field(default="train", description="Name in the log.")
    type: Literal["RealESRGANDataset", "RealESRGANPairedDataset"] = Field(
        description="Synthesise low-quality images from the ground truth, or read pairs."
    )
    dataroot_lq: Text | None = Field(
        default=None,
        description="Folder of the low-quality images of RealESRGANPairedDataset.",
    )
    batch_size_per_gpu: Count = Field(default=12, description="Images in a batch.")
    accum_iter: Count = Field(
        default=1,
        description="Batches in an iteration: gradients are added up over so many, as if they were one batch.",
    )
    max_bad_images: Natural = Field(
        default=10,
        description="How many images may go bad during training and be replaced by the next one; the log names them. "
        "0: the first ends the run.",
    )


class TrainPairedDataset(ImageOptions):
    """Pairs of your own beside the synthesised ones of datasets.train: some of the batches are theirs."""

    name: Text = Field(default="pairs", description="Name in the log.")
    type: Literal["RealESRGANPairedDataset"] = Field(
        default="RealESRGANPairedDataset", description="Read pairs."
    )
    dataroot_lq: Text = Field(description="Folder of the low-quality images.")
    share: Share = Field(
        default=0.25,
        description="Share of the batches that are pairs, between 0 and 1: with 0.25 every fourth is. "
        "Pairs do not pass through the pool.",
    )
    num_worker_per_gpu: Natural = Field(
        default=1, description="As that of datasets.train, beside those."
    )


class ValDataset(Options):
    """A section `datasets.val`, `datasets.val_2`, ...: images to validate on."""

    name: FolderName = Field(
        default="validation",
        description="Name in the log, and of the folder of saved images.",
    )
    type: Literal["PairedImageDataset", "SingleImageDataset"] = Field(
        description="Pairs that the metrics compare, or low-quality images only."
    )
    dataroot_gt: Text | None = Field(
        default=None,
        description="Folder of the ground-truth images of PairedImageDataset.",
    )
    dataroot_lq: Text = Field(description="Folder of the low-quality images.")
    meta_info: Text | None = Field(
        default=None, description="Text file with one pair per line; none: every image."
    )
    io_backend: IOBackend = Field(default=IOBackend(), description="Images are files.")

    @model_validator(mode="after")
    def _ground_truth_for_pairs(self) -> Self:
        if (self.dataroot_gt is not None) != (self.type == "PairedImageDataset"):
            raise ValueError(
                "dataroot_gt belongs to PairedImageDataset, and only to it"
            )
        return self


class Datasets(Options):
    """The section `datasets`: `train`, perhaps `train_paired`, and any number of sets named `val` or `val_...`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ValDataset]

    train: TrainDataset = Field(description="Images to train on.")
    train_paired: TrainPairedDataset | None = Field(
        default=None,
        description="Pairs of your own, mixed in with what RealESRGANDataset synthesises.",
    )

    @model_validator(mode="before")
    @classmethod
    def _train_and_val_only(cls, sections: object) -> object:
        for key in sections if isinstance(sections, dict) else ():
            if key not in ("train", "train_paired") and key.split("_")[0] != "val":
                raise ValueError(
                    f"unknown key {key!r}, expected train, train_paired, val, val_2, ..."
                )
        return sections

    @property
    def validation(self) -> dict[str, ValDataset]:
        """The validation sets by their keys."""
        return self.__pydantic_extra__


class PathOptions(Options):
    """The section `path`."""

    experiments_root: Text = Field(
        default="experiments", description="Folder that holds a folder for each run."
    )
    pretrain_network_g: Text | None = Field(
        default=None,
        description="Generator to start from: a weight file, or the name of a released model.",
    )
    param_key_g: Text | None = Field(
        default=None,
        description="Which weights of that file; none: params_ema, else params, else the only ones.",
    )
    strict_load_g: bool = Field(
        default=True,
        description="Every weight must fit; false: those that fit are taken.",
    )
    pretrain_network_d: Text | None = Field(
        default=None, description="Discriminator to start from, likewise."
    )
    param_key_d: Text | None = Field(default=None, description="As param_key_g.")
    strict_load_d: bool = Field(default=True, description="As strict_load_g.")
    resume_state: Text | None = Field(
        default=None, description="Training state to go on from."
    )


class Config(SynthesisOptions):
    """Options of train.py."""

    name: FolderName = Field(description="Name of the run and of its folder.")
    model_type: Literal["RealESRGANModel", "RealESRNetModel"] = Field(
        description="Train with a discriminator, or with the losses against the ground truth only."
    )
    scale: Scale = Field(default=4, description="Enlargement: 1, 2 or 4.")
    manual_seed: Natural = Field(default=0, description="Seed of every random draw.")
    auto_resume: bool = Field(
        default=False,
        description="Go on from the newest training state of this run, if there is one.",
    )

    cpu_ops: Literal["auto", "onednn", "onednn_bf16", "plain"] = Field(
        default="auto",
        description="Operators on a CPU: oneDNN's in float32, the same with convolutions in bfloat16, or Paddle's own; "
        "auto: onednn where the installed Paddle has it, else plain. The log says which and why.",
    )

    use_amp: bool = Field(
        default=False,
        description="Run networks in float16 on a GPU, with weights and losses in float32; not on a CPU.",
    )
    amp_bf16: bool = Field(
        default=False,
        description="With use_amp: bfloat16 instead, which needs no loss scale.",
    )

    l1_gt_usm: bool = Field(
        default=True, description="Sharpen the ground truth of the pixel loss."
    )
    percep_gt_usm: bool = Field(
        default=True, description="Sharpen the ground truth of the perceptual loss."
    )
    gan_gt_usm: bool = Field(
        default=False,
        description="Sharpen the ground truth that the discriminator sees.",
    )
    gt_usm: bool = Field(
        default=True, description="RealESRNetModel: sharpen the ground truth."
    )
    high_order_degradation: bool = Field(
        default=True,
        description="Synthesise the low-quality images; false for RealESRGANPairedDataset.",
    )

    datasets: Datasets = Field(description="Images.")
    network_g: GeneratorOptions = Field(description="The generator.")
    network_d: DiscriminatorOptions | None = Field(
        default=None, description="The discriminator."
    )
    path: PathOptions = Field(default=PathOptions(), description="Files and folders.")
    train: TrainOptions = Field(description="Optimizers, schedule, losses.")
    val: ValOptions | None = Field(
        default=ValOptions(), description="Validation; null: none."
    )
    logger: LoggerOptions = Field(
        default=LoggerOptions(), description="Reports and checkpoints."
    )

    ignored: dict[str, str] = Field(
        default={},
        exclude=True,
        description="Set by the loader: keys of the file that mean nothing here, with the reason.",
    )

    @property
    def images_per_iteration(self) -> int:
        """Ground truths that one update is made of."""
        return self.datasets.train.batch_size_per_gpu * self.datasets.train.accum_iter

    @property
    def hold_out(self) -> int:
        """How many training images are to be held out: none where `datasets.val` names others, or with `val: null`."""
        return self.val.hold_out if self.val and not self.datasets.validation else 0

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        problems = [
            *self._network_problems(),
            *self._loss_problems(),
            *self._dataset_problems(),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _network_problems(self) -> Iterator[str]:
        """Yield what does not fit between the model, the networks and the losses."""
        if self.network_g.scale != self.scale:
            yield f"scale is {self.scale} but network_g enlarges by {self.network_g.scale}; give both the same"
        adversarial = {
            "network_d": self.network_d,
            "train.gan_opt": self.train.gan_opt,
            "train.optim_d": self.train.optim_d,
        }
        if self.model_type == "RealESRGANModel":
            missing = [key for key, section in adversarial.items() if section is None]
            if missing:
                yield f"RealESRGANModel needs {' and '.join(missing)}; to train without them: RealESRNetModel"
            if (
                self.train.net_d_init_until is not None
                and not self.train.net_d_init_iters
            ):
                yield "train.net_d_init_until needs train.net_d_init_iters, the most iterations that it may take"
            if self.train.net_d_init_detail and isinstance(
                self.network_d, ProjectedDiscriminatorOptions
            ):
                yield "train.net_d_init_detail is for UNetDiscriminatorSN; a ProjectedDiscriminator sees detail already"
        else:
            extra = [key for key, section in adversarial.items() if section is not None]
            if extra:
                yield f"RealESRNetModel trains without {' and '.join(extra)}; to train with them: RealESRGANModel"
            if not (
                self.train.pixel_opt
                or self.train.perceptual_opt
                or self.train.distill_opt
            ):
                yield "RealESRNetModel needs train.pixel_opt, train.perceptual_opt or train.distill_opt"

    def _loss_problems(self) -> Iterator[str]:
        """Yield what does not fit between the losses and the rest."""
        lpips = self.train.lpips_opt
        if lpips is not None and self.gt_size < LPIPS_SMALLEST[lpips.net]:
            yield (
                f"train.lpips_opt with net: {lpips.net} needs a gt_size of at least {LPIPS_SMALLEST[lpips.net]}, "
                f"found {self.gt_size}"
            )

    def _dataset_problems(self) -> Iterator[str]:
        """Yield what does not fit between the data sets and the rest."""
        train = self.datasets.train
        paired = train.type == "RealESRGANPairedDataset"
        if paired == self.high_order_degradation:
            yield f"{train.type} goes with high_order_degradation: {str(not paired).lower()}"
        if paired and train.dataroot_lq is None:
            yield "RealESRGANPairedDataset needs datasets.train.dataroot_lq, the folder of low-quality images"
        if not paired and train.dataroot_lq is not None:
            yield (
                "datasets.train.dataroot_lq belongs to RealESRGANPairedDataset, and only to it; pairs beside "
                "synthesised images have a section of their own, datasets.train_paired"
            )
        if paired and self.datasets.train_paired is not None:
            yield "datasets.train_paired goes beside a datasets.train of type RealESRGANDataset; leave one of them out"
        if 0 < self.queue_size < train.batch_size_per_gpu and not paired:
            yield f"queue_size {self.queue_size} is less than one batch of {train.batch_size_per_gpu}; 0 means no pool"
        names = [dataset.name for dataset in self.datasets.validation.values()]
        if len(set(names)) < len(names):
            yield f"each set of datasets.val... needs a name of its own, found {', '.join(names)}"
        if names and self.val is None:
            yield "datasets.val names images to validate on, but val is null, which turns validation off"
        if self.val is not None:
            yield from self._val_problems(self.val)

    def _val_problems(self, val: ValOptions) -> Iterator[str]:
        """Yield what does not fit between the section val and the sets."""
        sets = self.datasets.validation.values()
        paired = (
            [each.name for each in sets if each.dataroot_gt is not None]
            if sets
            else [HELD_OUT] * bool(val.hold_out)
        )
        figures = [f"{name}/{metric}" for name in paired for metric in val.metrics]
        if val.best is not None and val.best not in figures:
            yield f"val.best: {val.best!r} is not measured; measured are: {', '.join(figures) or 'none'}"
        if val.stop_after is not None and not figures:
            yield "val.stop_after needs a figure: one of val.metrics, and a set of datasets.val with a ground truth"
        if val.drift is not None and GENERAL in (each.name for each in sets):
            yield f"datasets.val: {GENERAL} is what val.drift calls its own pictures; give the set another name"
