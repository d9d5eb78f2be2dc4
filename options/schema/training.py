"""Losses, validation and reports, and how long training takes: the sections `train`, `val` and `logger`.

A loss is used when its section is there. Defaults are those of Real-ESRGAN's option
files.
"""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from realesrgan_paddle.options.schema.base import (
    Count,
    Decay,
    Float,
    Natural,
    NonNegative,
    Options,
    Text,
    WarmUp,
)
from realesrgan_paddle.options.schema.drift_alarm import DriftOptions
from realesrgan_paddle.options.schema.optimization import (
    CosineAnnealingRestartLROptions,
    MultiStepLROptions,
    OptimizerOptions,
    SchedulerOptions,
)

# The convolutions of VGG19: two blocks of two and three blocks of four (Simonyan and
# Zisserman 2015, table 1, E).
VGG19_LAYERS = tuple(
    f"conv{b}_{c}"
    for b, n in enumerate((2, 2, 4, 4, 4), start=1)
    for c in range(1, n + 1)
)
# Their places in torchvision's and Paddle's `vgg19().features`: a ReLU follows each,
# and a pooling each block.
VGG19_NUMBERS = {
    name: str(2 * i + int(name[4]) - 1) for i, name in enumerate(VGG19_LAYERS)
}
# Side of the smallest picture that LPIPS compares with each network: of a smaller one
# no pixel is left to pool.
LPIPS_SMALLEST = {"alex": 31, "vgg": 16}


def _vgg19_layers(value: dict[str, float]) -> dict[str, float]:
    unknown = next((name for name in value if name not in VGG19_LAYERS), None)
    if unknown is not None:
        raise ValueError(
            f"expected {VGG19_LAYERS[0]} to {VGG19_LAYERS[-1]} as keys, found {unknown!r}"
        )
    if not value:
        raise ValueError("expected at least one layer")
    return value


class PixelLossOptions(Options):
    """Distance of the pixels."""

    type: Literal["L1Loss", "MSELoss", "CharbonnierLoss"] = Field(
        default="L1Loss", description="Which distance."
    )
    loss_weight: NonNegative = Field(default=1.0, description="Factor on this loss.")
    reduction: Literal["mean", "sum"] = Field(
        default="mean", description="Over the pixels of a batch."
    )


class PerceptualLossOptions(Options):
    """Distance of VGG19 features (content), and of their Gram matrices (style)."""

    type: Literal["PerceptualLoss"] = Field(
        default="PerceptualLoss", description="Which loss."
    )
    vgg_path: Text = Field(
        default="weights/vgg19.pdparams",
        description="VGG19's weights, torchvision's, Paddle's or Caffe's; if missing, the error says how to get them.",
    )
    layer_weights: Annotated[dict[str, NonNegative], AfterValidator(_vgg19_layers)] = (
        Field(
            default={
                "conv1_2": 0.1,
                "conv2_2": 0.1,
                "conv3_4": 1.0,
                "conv4_4": 1.0,
                "conv5_4": 1.0,
            },
            description="Weight of each layer's features, taken before the ReLU.",
        )
    )
    vgg_type: Literal["vgg19"] = Field(default="vgg19", description="Which network.")
    use_input_norm: bool = Field(
        default=True,
        description="Subtract the mean and divide by the deviation that VGG expects.",
    )
    range_norm: bool = Field(
        default=False,
        description="Map images from [-1, 1] to [0, 1] first; images here are in [0, 1].",
    )
    perceptual_weight: NonNegative = Field(
        default=1.0, description="Factor on the content loss."
    )
    style_weight: NonNegative = Field(
        default=0.0, description="Factor on the style loss."
    )
    criterion: Literal["l1", "l2", "fro"] = Field(
        default="l1", description="Distance of the features."
    )
    reduction: Literal["mean"] = Field(
        default="mean", description="Over the features of a batch."
    )


class ArtifactLossOptions(Options):
    """Locally discriminative learning: penalises artifacts where the output differs from its moving average's."""

    type: Literal["LDLLoss"] = Field(default="LDLLoss", description="Which loss.")
    loss_weight: NonNegative = Field(default=1.0, description="Factor on this loss.")


class LPIPSLossOptions(Options):
    """LPIPS of the output and the unsharpened ground truth; its weights come from the package index, once."""

    type: Literal["LPIPSLoss"] = Field(default="LPIPSLoss", description="Which loss.")
    net: Literal["alex", "vgg"] = Field(
        default="alex",
        description="AlexNet, which costs little, or VGG16, which costs as much as DISTS.",
    )
    loss_weight: NonNegative = Field(
        default=1.0, description="Factor on this loss; 0.1 suits a pixel loss of 1."
    )


class DISTSLossOptions(Options):
    """DISTS of the output and the unsharpened ground truth; its weights come from the package index, once."""

    type: Literal["DISTSLoss"] = Field(default="DISTSLoss", description="Which loss.")
    loss_weight: NonNegative = Field(
        default=1.0, description="Factor on this loss; 0.1 suits a pixel loss of 1."
    )


class ColorLossOptions(Options):
    """Keeps the colours of areas as they are in the unsharpened ground truth, and leaves texture free."""

    type: Literal["ColorLoss"] = Field(default="ColorLoss", description="Which loss.")
    loss_weight: NonNegative = Field(default=1.0, description="Factor on this loss.")
    criterion: Literal["l1"] = Field(
        default="l1", description="Distance of the mean colours."
    )
    brightness: NonNegative = Field(
        default=1.0,
        description="Weight of the luma (Y) beside the colour differences (Cb, Cr); ITU-R BT.601.",
    )
    cell: Count = Field(
        default=16,
        description="Side of the squares whose mean colours are compared, in pixels.",
    )


class DistillationLossOptions(Options):
    """Distance of the output from what another network, the teacher, makes of the same input."""

    type: Literal["L1Loss", "MSELoss", "CharbonnierLoss"] = Field(
        default="L1Loss", description="Which distance."
    )
    teacher: Text = Field(
        description="A weight file or the name of a released model, of any architecture and of the same scale."
    )
    param_key: Text | None = Field(
        default=None,
        description="Which weights of that file; none: params_ema, else params, else the only ones.",
    )
    loss_weight: NonNegative = Field(default=1.0, description="Factor on this loss.")


class GANLossOptions(Options):
    """The adversarial loss of both networks."""

    type: Literal["GANLoss"] = Field(default="GANLoss", description="Which loss.")
    gan_type: Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"] = Field(
        default="vanilla", description="Which adversarial loss."
    )
    real_label_val: Float = Field(
        default=1.0, description="What the discriminator should answer to a real image."
    )
    fake_label_val: Float = Field(
        default=0.0,
        description="What the discriminator should answer to a generated image.",
    )
    loss_weight: NonNegative = Field(
        default=0.1, description="Factor on the generator's adversarial loss."
    )
    relativistic: bool = Field(
        default=False,
        description="Let the discriminator say which of two is the real one, a picture or what was generated of it, at "
        "each of its pixels, rather than whether one is real; with vanilla, hinge, wgan or wgan_softplus.",
    )

    @model_validator(mode="after")
    def _differences_have_no_label(self) -> Self:
        if self.relativistic and self.gan_type == "lsgan":
            raise ValueError(
                "relativistic goes with vanilla, hinge, wgan or wgan_softplus, not with gan_type: lsgan"
            )
        return self


class TrainOptions(Options):
    """The section `train`."""

    total_iter: Count = Field(
        description="Iterations (updates); one takes batch_size_per_gpu * accum_iter images."
    )
    warmup_iter: WarmUp = Field(
        default=-1,
        description="Iterations over which the learning rate rises from 0; -1 or 0: none.",
    )
    ema_decay: Decay = Field(
        default=0.999,
        description="Decay of the moving average of the generator's weights, params_ema.",
    )
    freeze: tuple[Text, ...] = Field(
        default=(),
        description="Parts of the generator that stay as they are: patterns of parameter names, such as `body.0.*`.",
    )
    optim_g: OptimizerOptions = Field(description="The generator's optimizer.")
    optim_d: OptimizerOptions | None = Field(
        default=None, description="The discriminator's optimizer."
    )
    scheduler: SchedulerOptions = Field(
        default=MultiStepLROptions(),
        description="How the learning rates of both optimizers change.",
    )
    pixel_opt: PixelLossOptions | None = Field(default=None, description="Pixel loss.")
    perceptual_opt: PerceptualLossOptions | None = Field(
        default=None, description="Perceptual loss."
    )
    artifact_opt: ArtifactLossOptions | None = Field(
        default=None, description="Artifact loss (LDL)."
    )
    lpips_opt: LPIPSLossOptions | None = Field(
        default=None, description="LPIPS as a loss."
    )
    dists_opt: DISTSLossOptions | None = Field(
        default=None, description="DISTS as a loss."
    )
    color_opt: ColorLossOptions | None = Field(
        default=None, description="Colour consistency."
    )
    distill_opt: DistillationLossOptions | None = Field(
        default=None, description="Distillation: another network teaches the generator."
    )
    gan_opt: GANLossOptions | None = Field(
        default=None, description="Adversarial loss."
    )
    net_d_iters: Count = Field(
        default=1, description="The generator is updated once in so many iterations."
    )
    net_d_init_iters: Natural = Field(
        default=0,
        description="For so many iterations at first, which count in total_iter and in the schedule, only the "
        "discriminator is updated.",
    )
    net_d_init_until: Annotated[Float, Field(gt=0.5, lt=1)] | None = Field(
        default=None,
        description="End that stage as soon as the discriminator's answers are right so often (0.8: four in five; 0.5 "
        "is chance), in the mean over about 50 iterations; net_d_init_iters is then the longest it may take. The log "
        "says when it ended.",
    )
    net_d_init_detail: bool = Field(
        default=False,
        description="Let a discriminator without pretrain_network_d begin with a first layer that sees fine detail and "
        "no flat colour: it separates within a hundred iterations, not thousands.",
    )
    max_nonfinite: Count = Field(
        default=10,
        description="An update whose loss or gradient is not finite is skipped; after so many in a row the weights go "
        "back to the last good checkpoint, once, and the next time training stops.",
    )

    @model_validator(mode="after")
    def _periods_last_to_the_end(self) -> Self:
        schedule = self.scheduler
        if (
            isinstance(schedule, CosineAnnealingRestartLROptions)
            and sum(schedule.periods) < self.total_iter
        ):
            raise ValueError(
                f"scheduler.periods end at iteration {sum(schedule.periods):,} of total_iter: {self.total_iter:,}; "
                "make them longer or give more"
            )
        return self


MetricType = Literal[
    "calculate_psnr", "calculate_ssim", "calculate_lpips", "calculate_dists"
]
LOWER_IS_BETTER = frozenset({"calculate_lpips", "calculate_dists"})
"""The types of `MetricOptions` that measure a distance; the others measure likeness."""


class MetricOptions(Options):
    """One figure of the validation."""

    type: MetricType = Field(
        description="Which figure; of LPIPS (AlexNet) and DISTS lower is better, of PSNR and SSIM higher."
    )
    crop_border: Natural = Field(
        default=4, description="Pixels at each border that do not count."
    )
    test_y_channel: bool = Field(
        default=False,
        description="Compare the luma (Y of YCbCr, ITU-R BT.601) instead of RGB; not of LPIPS and DISTS.",
    )

    @field_validator("test_y_channel")
    @classmethod
    def _networks_see_rgb(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("type") in LOWER_IS_BETTER:
            raise ValueError(
                f"expected false, because {info.data['type']} compares RGB"
            )
        return value


HELD_OUT = "held_out"
"""What the log and the folder of saved images call the set of images that were held out."""


class ValOptions(Options):
    """The section `val`: how the sets of datasets.val, or the images held out, are measured."""

    val_freq: Count = Field(
        default=5000,
        description="Iterations between two validations; the last iteration has one too.",
    )
    hold_out: Natural = Field(
        default=8,
        description="Without datasets.val, so many images of datasets.train (at most a tenth; none of fewer than ten) "
        "are not trained on but validated on, whole sources where that can be; 0: no validation.",
    )
    save_img: bool = Field(
        default=True, description="Keep the images of each validation."
    )
    save_sheet: bool = Field(
        default=True,
        description="Keep a sheet of each validation: pieces of up to six images as input, start network, now, and "
        "ground truth.",
    )
    metrics: dict[str, MetricOptions] = Field(
        default={
            "psnr": MetricOptions(type="calculate_psnr"),
            "ssim": MetricOptions(type="calculate_ssim"),
            "lpips": MetricOptions(type="calculate_lpips"),
        },
        description="Figures by the name that the log gives them. LPIPS is left out where its weights cannot be had, "
        "unless the file names it.",
    )
    best: Text | None = Field(
        default=None,
        description="The figure by which net_g_best is kept, as the log names it: SET/METRIC; none: the first of the "
        "metrics on the first set that has a ground truth.",
    )
    stop_after: Count | None = Field(
        default=None,
        description="Stop the run after so many validations in a row without a new best; none: never.",
    )
    drift: DriftOptions | None = Field(
        default=DriftOptions(),
        description="Drift alarm: warns when the network leaves the one it started from in a way that is not usual; "
        "null: none.",
    )

    @property
    def best_is_lowest(self) -> bool:
        """Whether the figure by which the best network is kept is better the lower it is."""
        name = (
            self.best.rpartition("/")[2]
            if self.best
            else next(iter(self.metrics), None)
        )
        return name in self.metrics and self.metrics[name].type in LOWER_IS_BETTER


class LoggerOptions(Options):
    """The section `logger`."""

    print_freq: Count = Field(
        default=100, description="Iterations between two reports."
    )
    save_checkpoint_freq: Count = Field(
        default=5000, description="Iterations between two checkpoints."
    )
    keep_checkpoints: Natural = Field(
        default=10,
        description="How many checkpoints stay (networks and states), beside latest and best; 0: all. "
        "One of x4plus takes about 0.5 GB.",
    )
    use_tb_logger: bool = Field(
        default=False,
        description="Write numbers and sheets for VisualDL, into tb_logger of the run, where VisualDL is installed.",
    )
