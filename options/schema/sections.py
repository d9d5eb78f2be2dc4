"""The sections of a training run's options, as fields."""

from typing import Annotated, Literal

from pydantic import Field

from realesrgan_paddle.models.networks.discriminators import (
    ProjectedDiscriminatorOptions,
    UNetDiscriminatorSNOptions,
)
from realesrgan_paddle.models.networks.known import AnyGenerator
from realesrgan_paddle.options.schema.datasets import Datasets
from realesrgan_paddle.options.schema.degradation import SynthesisOptions
from realesrgan_paddle.options.schema.training import TrainOptions
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.utils.field_types import (
    Count,
    FolderName,
    Natural,
    Options,
    Scale,
    Text,
)


class LoggerOptions(Options):
    """The section `logger`."""

    print_freq: Count = Field(
        default=100,
        description="Iterations between log lines. Lower it for short runs, such as "
        "20 of 300 iterations.",
    )
    save_checkpoint_freq: Count = Field(
        default=5000,
        description="Iterations between checkpoints: the most that a crash can lose. A "
        "signal (Ctrl-C, SIGTERM, a closed terminal) saves one too.",
    )
    keep_checkpoints: Natural = Field(
        default=10,
        description="Number of checkpoints to keep, besides latest and best; 0 keeps "
        "all. One of RealESRGAN_x4plus takes about 0.5 GB.",
    )
    use_tb_logger: bool = Field(
        default=False,
        description="Also write metrics and sheets for VisualDL, to tb_logger/ of the "
        "run. Needs pip install visualdl.",
    )


class PathOptions(Options):
    """The section `path`."""

    experiments_root: Text = Field(
        default="experiments",
        description="Folder in which each run gets a folder of its name.",
    )
    pretrain_network_g: Text | None = Field(
        default=None,
        description="Generator to start from: a weight file or the name of a released "
        "model. To finetune, take a released or finetuned GAN network; null starts "
        "from scratch.",
    )
    param_key_g: Text | None = Field(
        default=None,
        description="Which weights of that file, if it holds several; null takes "
        "params_ema, else params, else the only ones.",
    )
    strict_load_g: bool = Field(
        default=True,
        description="Require every tensor to fit. false loads those that fit, such as "
        "x4 weights into an x2 network.",
    )
    pretrain_network_d: Text | None = Field(
        default=None,
        description="Discriminator to start from: a weight file or the name of a "
        "released one. null: a new one; then let it learn alone first "
        "(train.net_d_init_iters).",
    )
    param_key_d: Text | None = Field(
        default=None,
        description="Which weights of that file; as param_key_g.",
    )
    strict_load_d: bool = Field(
        default=True,
        description="Require every tensor of the discriminator to fit; as "
        "strict_load_g.",
    )
    resume_state: Text | None = Field(
        default=None,
        description="Training state (.state) to resume from. To resume from the "
        "newest one, use --auto_resume instead.",
    )


GeneratorOptions = Annotated[AnyGenerator, Field(discriminator="type")]
DiscriminatorOptions = Annotated[
    UNetDiscriminatorSNOptions | ProjectedDiscriminatorOptions,
    Field(discriminator="type"),
]


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
        """Number of ground-truth crops that one update is made of; of clips the frames."""
        train = self.datasets.train
        return train.batch_size_per_gpu * train.accum_iter * train.num_frame

    @property
    def hold_out(self) -> int | None:
        """Crops of held-out training images to validate on; None: as planned.

        0 with datasets.val or `val: null`.
        """
        if self.val is None or self.datasets.validation:
            return 0
        return self.val.hold_out
