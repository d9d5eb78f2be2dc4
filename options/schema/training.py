"""The section `train`: the losses, beside what `optimization.py` has of it.

A loss is used when its section is there. Defaults are those of Real-ESRGAN's option
files.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.optimization import ScheduleOptions
from realesrgan_paddle.utils.field_types import (
    Accuracy,
    Count,
    Float,
    Natural,
    NonNegative,
    Options,
    Text,
)

_BLOCKS = (2, 2, 4, 4, 4)
"""Convolutions in each block of VGG19 (Simonyan and Zisserman 2015, table 1, E)."""


def _vgg19_numbers() -> dict[str, str]:
    """Return the index of each convolution in torchvision's `vgg19().features`."""
    numbers = {}
    index = 0
    for block, count in enumerate(_BLOCKS, start=1):
        for convolution in range(1, count + 1):
            numbers[f"conv{block}_{convolution}"] = str(index)
            index += 2  # the convolution and its ReLU
        index += 1  # the pooling after the block
    return numbers


VGG19_NUMBERS = _vgg19_numbers()
"""Layer name -> index in torchvision's and Paddle's `vgg19().features`, as text."""
VGG19_LAYERS = tuple(VGG19_NUMBERS)
LPIPS_SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}
"""[pixels] Smallest side that each LPIPS network can pool down to one pixel."""


def _known_layers(weights: dict[str, float]) -> dict[str, float]:
    if not weights:
        raise ValueError("expected at least one layer")
    for name in weights:
        if name not in VGG19_LAYERS:
            allowed = f"{VGG19_LAYERS[0]} to {VGG19_LAYERS[-1]}"
            raise ValueError(f"expected {allowed} as keys, found {name!r}")
    return weights


LayerWeights = Annotated[dict[str, NonNegative], AfterValidator(_known_layers)]
PixelLossType = Literal["L1Loss", "MSELoss", "CharbonnierLoss"]


class PixelLossOptions(Options):
    """Pixel-wise distance between output and ground truth."""

    type: PixelLossType = Field(
        default="L1Loss",
        description="Distance per pixel. L1Loss is Real-ESRGAN's; CharbonnierLoss is "
        "an L1 that is smooth at zero; MSELoss favors PSNR and gives smoother images.",
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the pixel loss. Keep 1 and balance the other losses "
        "against it; raise it if colors drift or a GAN invents texture.",
    )
    reduction: Literal["mean", "sum"] = Field(
        default="mean",
        description="Mean or sum over the batch's pixels. Keep mean: a sum grows with "
        "crop and batch size and needs a far smaller loss_weight.",
    )


class PerceptualLossOptions(Options):
    """Distance between VGG19 features (content) and their Gram matrices (style)."""

    type: Literal["PerceptualLoss"] = Field(
        default="PerceptualLoss", description="The only type."
    )
    vgg_path: Text = Field(
        default="weights/vgg19.pdparams",
        description="VGG19 weights file: torchvision's, Paddle's or Caffe's. If it is "
        "missing, the error says how to download it.",
    )
    layer_weights: LayerWeights = Field(
        default={
            "conv1_2": 0.1,
            "conv2_2": 0.1,
            "conv3_4": 1.0,
            "conv4_4": 1.0,
            "conv5_4": 1.0,
        },
        description="Weight of each VGG19 layer, taken before its ReLU. Early layers "
        "(conv1, conv2) compare edges and colors, late ones (conv5) content; the "
        "defaults are Real-ESRGAN's.",
    )
    vgg_type: Literal["vgg19"] = Field(
        default="vgg19", description="The feature network; vgg19 is the only one."
    )
    use_input_norm: bool = Field(
        default=True,
        description="Normalize images by ImageNet's mean and standard deviation, as "
        "VGG19 expects. Keep true.",
    )
    range_norm: bool = Field(
        default=False,
        description="Map images from [-1, 1] to [0, 1] first. Keep false: images here "
        "are in [0, 1].",
    )
    perceptual_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the content loss (Real-ESRGAN: 1). Raise it for more "
        "texture, lower it if regular patterns appear; 0 skips it.",
    )
    style_weight: NonNegative = Field(
        default=0.0,
        description="Weight of the style loss (Gram matrices). 0, as in Real-ESRGAN, "
        "skips it.",
    )
    criterion: Literal["l1", "l2", "fro"] = Field(
        default="l1",
        description="Distance between features: mean absolute (l1, Real-ESRGAN's), "
        "mean squared (l2) or Frobenius norm (fro, which grows with batch and crop "
        "size).",
    )
    reduction: Literal["mean"] = Field(
        default="mean", description="Mean over the features; the only choice."
    )


class ArtifactLossOptions(Options):
    """Locally discriminative learning (LDL): penalizes artifacts that EMA avoids."""

    type: Literal["LDLLoss"] = Field(default="LDLLoss", description="The only type.")
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the artifact loss. Use it with a GAN and raise it if "
        "small artifacts appear; it costs one forward pass of the EMA network.",
    )


class LPIPSLossOptions(Options):
    """LPIPS against the unsharpened ground truth; its weights are downloaded once."""

    type: Literal["LPIPSLoss"] = Field(
        default="LPIPSLoss", description="The only type."
    )
    net: Literal["alex", "vgg"] = Field(
        default="alex",
        description="Feature network. alex (AlexNet) is cheap enough for a CPU; vgg "
        "(VGG16) takes over 20 times its time there.",
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of LPIPS. 0.1 suits a pixel loss of weight 1 (measured in "
        "docs/soccer.md); 0.2 changes little and costs PSNR.",
    )


class DISTSLossOptions(Options):
    """DISTS against the unsharpened ground truth; its weights are downloaded once."""

    type: Literal["DISTSLoss"] = Field(
        default="DISTSLoss", description="The only type."
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of DISTS; 0.1 suits a pixel loss of weight 1. It runs "
        "VGG16, so on a CPU prefer lpips_opt with net: alex.",
    )


class ColorLossOptions(Options):
    """Mean color of image areas against the unsharpened ground truth, not texture."""

    type: Literal["ColorLoss"] = Field(
        default="ColorLoss", description="The only type."
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the color loss. Use it with a GAN; raise it if the "
        "drift alarm reports that colors moved.",
    )
    criterion: Literal["l1"] = Field(
        default="l1", description="Distance between mean colors; l1 is the only one."
    )
    brightness: NonNegative = Field(
        default=1.0,
        description="Weight of luma (Y) relative to the color differences Cb and Cr "
        "(ITU-R BT.601). 0 ignores brightness.",
    )
    cell: Count = Field(
        default=16,
        description="Side in pixels of the squares whose mean colors are compared. "
        "Smaller cells constrain texture too; larger ones only whole areas.",
    )


class GridLossOptions(Options):
    """Grid artifacts: the part of the error that repeats every `scale` pixels, and stairs."""

    type: Literal["GridLoss"] = Field(default="GridLoss", description="The only type.")
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the grid loss. 1 suits a pixel loss of weight 1 "
        "(docs/measurements.md); raise it if the drift alarm says that a regular grid "
        "shows.",
    )


class TemporalLossOptions(Options):
    """Error of what changes from a frame of a clip to the next: flicker."""

    type: Literal["TemporalLoss"] = Field(
        default="TemporalLoss", description="The only type."
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the temporal loss. Raise it if results flicker, lower it "
        "if they are soft: what does not change does not flicker.",
    )


class DistillationLossOptions(Options):
    """Distance between the output and a teacher network's output for the same input."""

    type: PixelLossType = Field(
        default="L1Loss",
        description="Distance per pixel from the teacher's output; as pixel_opt.type.",
    )
    teacher: Text = Field(
        description="Teacher: a weight file or the name of a released model, of any "
        "architecture but of the same scale. Best: a large network finetuned on the "
        "same footage."
    )
    param_key: Text | None = Field(
        default=None,
        description="Which weights of that file; null takes params_ema, else params, "
        "else the only ones.",
    )
    loss_weight: NonNegative = Field(
        default=1.0,
        description="Weight of the distillation loss. 1 where it is the only loss; "
        "lower it to let the ground truth of pixel_opt count more.",
    )


class GANLossOptions(Options):
    """The adversarial loss of generator and discriminator."""

    type: Literal["GANLoss"] = Field(default="GANLoss", description="The only type.")
    gan_type: Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"] = Field(
        default="vanilla",
        description="Formula: vanilla (cross entropy, Real-ESRGAN's), lsgan (squared "
        "error), wgan, wgan_softplus (StyleGAN2's logistic loss) or hinge. Keep "
        "vanilla unless you compare.",
    )
    real_label_val: Float = Field(
        default=1.0,
        description="Target for real images, used by vanilla and lsgan. Keep 1; 0.9 is "
        "one-sided label smoothing.",
    )
    fake_label_val: Float = Field(
        default=0.0,
        description="Target for generated images, used by vanilla and lsgan. Keep 0.",
    )
    loss_weight: NonNegative = Field(
        default=0.1,
        description="Weight of the generator's adversarial loss. 0.1 is "
        "Real-ESRGAN's; 0.03 suits a small network (docs/soccer.md). Lower it if "
        "texture is invented, raise it if images are too smooth.",
    )
    relativistic: bool = Field(
        default=False,
        description="Relativistic loss: compare real and generated image pixel by "
        "pixel instead of judging each alone. Gains more from the same iterations "
        "(docs/soccer.md); not with lsgan.",
    )

    @model_validator(mode="after")
    def _check_relativistic(self) -> Self:
        if self.relativistic and self.gan_type == "lsgan":
            raise ValueError(
                "relativistic goes with vanilla, hinge, wgan or wgan_softplus, "
                "not with gan_type: lsgan"
            )
        return self


class TrainOptions(ScheduleOptions):
    """The section `train`."""

    pixel_opt: PixelLossOptions | None = Field(
        default=None,
        description="Pixel loss: keeps colors and structure. Use it in nearly every "
        "run.",
    )
    perceptual_opt: PerceptualLossOptions | None = Field(
        default=None,
        description="VGG19 loss: Real-ESRGAN's companion of a GAN. Slow on a CPU and "
        "needs weights of 550 MB; lpips_opt is the cheap alternative.",
    )
    artifact_opt: ArtifactLossOptions | None = Field(
        default=None,
        description="LDL loss: against small artifacts of a GAN.",
    )
    lpips_opt: LPIPSLossOptions | None = Field(
        default=None,
        description="LPIPS as a loss: texture without a discriminator, affordable on "
        "a CPU.",
    )
    dists_opt: DISTSLossOptions | None = Field(
        default=None,
        description="DISTS as a loss: tolerates other texture of the same kind; slow "
        "on a CPU.",
    )
    color_opt: ColorLossOptions | None = Field(
        default=None,
        description="Color loss: holds mean colors, which drift under a GAN; with cell 1 "
        "and brightness 0 against colored specks.",
    )
    grid_opt: GridLossOptions | None = Field(
        default=None,
        description="Grid loss: against the regular grid and the stairs that short "
        "trainings leave.",
    )
    temporal_opt: TemporalLossOptions | None = Field(
        default=None,
        description="Temporal loss: against flicker; needs datasets.train.num_frame "
        "above 1.",
    )
    warmup_frames: Natural = Field(
        default=0,
        description="Frames at the begin of each clip that only fill the state: no "
        "gradients, no loss, and nothing kept for the backward pass. Needs a network "
        "with a state, and must be below datasets.train.num_frame.",
    )
    distill_opt: DistillationLossOptions | None = Field(
        default=None,
        description="Distillation: a large teacher network teaches a small generator.",
    )
    gan_opt: GANLossOptions | None = Field(
        default=None,
        description="Adversarial loss; RealESRGANModel needs it. Train without a GAN "
        "first.",
    )
    net_d_iters: Count = Field(
        default=1,
        description="Update the generator only every this many iterations. Keep 1; "
        "raise it if the discriminator cannot keep up.",
    )
    net_d_init_iters: Natural = Field(
        default=0,
        description="Number of initial discriminator-only iterations, part of "
        "total_iter. 0 for a trained discriminator; 100 for a new "
        "ProjectedDiscriminator, 2000 for a new U-Net.",
    )
    net_d_init_until: Accuracy | None = Field(
        default=None,
        description="End that stage early, when the discriminator's accuracy (mean of "
        "about 50 iterations; 0.5 is chance) reaches this, such as 0.8; "
        "net_d_init_iters is then the longest.",
    )
    net_d_init_detail: bool = Field(
        default=False,
        description="Start a new U-Net discriminator with zero-mean first filters, "
        "which see fine detail: it separates within about 100 iterations, but taught "
        "the generator no more.",
    )
    max_nonfinite: Count = Field(
        default=10,
        description="After this many skipped updates in a row (loss or gradient not "
        "finite) return to the last good checkpoint; the second time the run stops.",
    )
