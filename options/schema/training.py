"""The section `train`: number of iterations, optimizers, losses."""

from pydantic import Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.losses import (
    ArtifactLossOptions,
    ColorLossOptions,
    DistillationLossOptions,
    DISTSLossOptions,
    GANLossOptions,
    LPIPSLossOptions,
    PerceptualLossOptions,
    PixelLossOptions,
)
from realesrgan_paddle.options.schema.optimization import (
    CosineAnnealingRestartLROptions,
    MultiStepLROptions,
    OptimizerOptions,
    SchedulerOptions,
)
from realesrgan_paddle.utils.field_types import (
    Accuracy,
    Count,
    Decay,
    Natural,
    Options,
    Text,
    WarmUp,
)


class TrainOptions(Options):
    """The section `train`."""

    total_iter: Count = Field(
        description="Iterations (updates), each of batch_size_per_gpu * accum_iter "
        "crops. Finetuning small networks takes hundreds to thousands; Real-ESRGAN "
        "took 400,000."
    )
    warmup_iter: WarmUp = Field(
        default=-1,
        description="Iterations over which the learning rate rises linearly from 0; "
        "-1 or 0: none. Some hundreds help if losses are not finite at the start.",
    )
    ema_decay: Decay = Field(
        default=0.999,
        description="Decay of the generator's moving average (params_ema), which "
        "spans about 1 / (1 - decay) iterations. 0.999 for long runs, 0.99 to 0.998 "
        "for short ones.",
    )
    freeze: tuple[Text, ...] = Field(
        default=(),
        description="Generator parameters to leave as they are: name patterns such as "
        "`body.0.*`. Freezing early layers makes updates cheaper.",
    )
    optim_g: OptimizerOptions = Field(description="The generator's optimizer.")
    optim_d: OptimizerOptions | None = Field(
        default=None,
        description="The discriminator's optimizer; RealESRGANModel needs it.",
    )
    scheduler: SchedulerOptions = Field(
        default=MultiStepLROptions(),
        description="How the learning rates of both optimizers change over the "
        "iterations.",
    )
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
        description="Color loss: holds mean colors, which drift under a GAN.",
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

    @model_validator(mode="after")
    def _check_periods(self) -> Self:
        schedule = self.scheduler
        if not isinstance(schedule, CosineAnnealingRestartLROptions):
            return self
        end = sum(schedule.periods)
        if end < self.total_iter:
            raise ValueError(
                f"scheduler.periods end at iteration {end:,} of total_iter: "
                f"{self.total_iter:,}; make them longer or give more"
            )
        return self
