"""The sections of a training run's options, as fields."""

from typing import Literal

from pydantic import Field

from realesrgan_paddle.options.schema.dataset_options import Datasets
from realesrgan_paddle.options.schema.logger import LoggerOptions
from realesrgan_paddle.options.schema.networks import (
    DiscriminatorOptions,
    GeneratorOptions,
)
from realesrgan_paddle.options.schema.paths import PathOptions
from realesrgan_paddle.options.schema.synthesis import SynthesisOptions
from realesrgan_paddle.options.schema.training import TrainOptions
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.utils.field_types import FolderName, Natural, Scale


class Sections(SynthesisOptions):
    """Every option of train.py, each checked by itself."""

    name: FolderName = Field(description="Name of the run and of its folder.")
    model_type: Literal["RealESRGANModel", "RealESRNetModel"] = Field(
        description="RealESRNetModel trains without a discriminator: start there. "
        "RealESRGANModel adds one, and texture."
    )
    scale: Scale = Field(
        default=4,
        description="Upscaling factor: 1, 2 or 4. The same as network_g's; take the "
        "pretrained network's.",
    )
    manual_seed: Natural = Field(
        default=0,
        description="Seed of every random draw. The same seed gives the same run, bit "
        "for bit on a CPU; change it to see how much a result depends on chance.",
    )
    auto_resume: bool = Field(
        default=False,
        description="Resume from this run's newest training state, if there is one. "
        "Usually given as --auto_resume.",
    )

    cpu_ops: Literal["auto", "onednn", "onednn_bf16", "plain"] = Field(
        default="auto",
        description="Operators on a CPU. auto: oneDNN if the installed Paddle has it, "
        "a trial at the start succeeds and it is faster there, in bfloat16 if the CPU "
        "multiplies in it; else plain (Paddle's own, usually 3 to 10 times slower).",
    )

    use_amp: bool = Field(
        default=False,
        description="Mixed precision on a GPU: networks in float16, weights and "
        "losses in float32. Saves memory and time; no effect on a CPU (see cpu_ops).",
    )
    amp_bf16: bool = Field(
        default=False,
        description="With use_amp, compute in bfloat16, which needs no loss scaling. "
        "Prefer it on Ampere or later GPUs.",
    )

    l1_gt_usm: bool = Field(
        default=True,
        description="RealESRGANModel: sharpen (USM) the pixel loss's ground truth, as "
        "Real-ESRGAN does. false if results show halos; false to finetune on clean "
        "footage.",
    )
    percep_gt_usm: bool = Field(
        default=True,
        description="RealESRGANModel: sharpen the perceptual loss's ground truth. "
        "false if results show halos or over-sharp edges.",
    )
    gan_gt_usm: bool = Field(
        default=False,
        description="RealESRGANModel: sharpen the ground truth that the discriminator "
        "sees. Keep false, or it asks for halos.",
    )
    gt_usm: bool = Field(
        default=True,
        description="RealESRNetModel: sharpen the ground truth of all losses. true for "
        "Real-ESRGAN's first stage, false to finetune: sharpened targets teach halos.",
    )
    high_order_degradation: bool = Field(
        default=True,
        description="Synthesize the low-quality images from the ground truth. false "
        "for RealESRGANPairedDataset, which reads them.",
    )

    datasets: Datasets = Field(description="Images to train and to validate on.")
    network_g: GeneratorOptions = Field(
        description="The generator. It must be the network of path.pretrain_network_g."
    )
    network_d: DiscriminatorOptions | None = Field(
        default=None,
        description="The discriminator; RealESRGANModel only. UNetDiscriminatorSN for "
        "a GPU and hours, ProjectedDiscriminator for minutes or a CPU.",
    )
    path: PathOptions = Field(
        default=PathOptions(), description="Start weights and output folder."
    )
    train: TrainOptions = Field(description="Optimizers, schedule and losses.")
    val: ValOptions | None = Field(
        default=ValOptions(), description="Validation; null turns it off."
    )
    logger: LoggerOptions = Field(
        default=LoggerOptions(), description="Log lines and checkpoints."
    )

    ignored: dict[str, str] = Field(
        default={},
        exclude=True,
        description="Set by the loader: keys of the file that have no effect, with "
        "reasons.",
    )

    @property
    def images_per_iteration(self) -> int:
        """Number of ground-truth crops that one update is made of."""
        train = self.datasets.train
        return train.batch_size_per_gpu * train.accum_iter

    @property
    def hold_out(self) -> int:
        """Number of training images to hold out; 0 with datasets.val or `val: null`."""
        if self.val is None or self.datasets.validation:
            return 0
        return self.val.hold_out
