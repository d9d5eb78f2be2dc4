"""How long a training is, its optimizers and learning rates: BasicSR's, torch's cosine."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.utils.field_types import (
    Count,
    Decay,
    Natural,
    NonNegative,
    Options,
    Positive,
    Text,
    WarmUp,
)


def _increasing(value: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= earlier for earlier, later in pairwise(value)):
        raise ValueError("expected increasing iterations")
    return value


Iterations = Annotated[tuple[Natural, ...], AfterValidator(_increasing)]


class OptimizerOptions(Options):
    """An optimizer; default betas are Real-ESRGAN's, not Adam's own (0.9, 0.999)."""

    type: Literal["Adam", "AdamW"] = Field(
        default="Adam",
        description="Adam is Real-ESRGAN's; AdamW decouples weight_decay from the "
        "gradient.",
    )
    lr: Positive = Field(
        description="Initial learning rate. Real-ESRGAN: 1e-4 with a GAN, 2e-4 "
        "without; small networks without a GAN 2e-4. Lower it if colors drift or "
        "losses jump."
    )
    weight_decay: NonNegative = Field(
        default=0.0,
        description="Weight decay: an L2 penalty for Adam, decoupled (lr * "
        "weight_decay of the weights per update) for AdamW. 0, as in Real-ESRGAN, "
        "suits finetuning.",
    )
    betas: tuple[Decay, Decay] = Field(
        default=(0.9, 0.99),
        description="Decay of the gradient's running mean and variance. [0.5, 0.99] "
        "suits a short GAN run (docs/soccer.md).",
    )
    grad_clip: Positive | None = Field(
        default=None,
        description="Largest gradient norm over all parameters; longer gradients are "
        "scaled down. 1.0 suits finetuning; choose by grad_norm_g and grad_norm_d of "
        "the log. null: none.",
    )


class MultiStepLROptions(Options):
    """The learning rate drops at milestones."""

    type: Literal["MultiStepLR"] = Field(
        default="MultiStepLR", description="The learning rate drops at milestones."
    )
    milestones: Iterations = Field(
        default=(),
        description="Iterations after which the learning rate is multiplied by gamma; "
        "empty: it stays constant, as in Real-ESRGAN.",
    )
    gamma: Positive = Field(
        default=0.5, description="Factor on the learning rate at each milestone."
    )


class MultiStepRestartLROptions(Options):
    """The learning rate drops at milestones and is reset at restarts."""

    type: Literal["MultiStepRestartLR"] = Field(
        description="The learning rate drops at milestones and is reset at restarts."
    )
    milestones: Iterations = Field(
        default=(),
        description="Iterations after which the learning rate is multiplied by gamma.",
    )
    gamma: Positive = Field(
        default=0.5, description="Factor on the learning rate at each milestone."
    )
    restarts: Iterations = Field(
        default=(0,),
        description="Iterations after which the learning rate starts anew; milestones "
        "before it no longer count.",
    )
    restart_weights: tuple[Positive, ...] = Field(
        default=(1.0,),
        description="Factor on the learning rate after each restart, one per restart; "
        "usually falling, such as [1, 0.5].",
    )

    @model_validator(mode="after")
    def _check_restart_weights(self) -> Self:
        restarts, weights = len(self.restarts), len(self.restart_weights)
        if restarts != weights:
            raise ValueError(f"{restarts} restarts and {weights} restart_weights")
        return self


class CosineAnnealingLROptions(Options):
    """The learning rate falls along half a cosine."""

    type: Literal["CosineAnnealingLR"] = Field(
        description="The learning rate falls along half a cosine; let such a run end, "
        "its last part is where it settles."
    )
    T_max: Count = Field(
        description="Iterations until eta_min; afterwards the rate rises again, as in "
        "torch. Set it to total_iter."
    )
    eta_min: NonNegative = Field(
        default=0.0,
        description="Lowest learning rate (not a factor), of both optimizers; a tenth "
        "or a twentieth of lr in docs/soccer.md.",
    )


class CosineAnnealingRestartLROptions(Options):
    """The learning rate falls along half a cosine in each period."""

    type: Literal["CosineAnnealingRestartLR"] = Field(
        description="The learning rate falls along half a cosine in each period."
    )
    periods: tuple[Count, ...] = Field(
        min_length=1,
        description="Iterations of each period; together at least total_iter.",
    )
    restart_weights: tuple[Positive, ...] = Field(
        default=(1.0,),
        description="Factor on the learning rate (above eta_min) in each period, one "
        "per period.",
    )
    eta_min: NonNegative = Field(
        default=0.0,
        description="Lowest learning rate (not a factor), of both optimizers, at the "
        "end of each period.",
    )

    @model_validator(mode="after")
    def _check_restart_weights(self) -> Self:
        periods, weights = len(self.periods), len(self.restart_weights)
        if periods != weights:
            raise ValueError(f"{periods} periods and {weights} restart_weights")
        return self


def _default_to_multistep(section: object) -> object:
    """Return the section with BasicSR's usual type where it names none."""
    return {"type": "MultiStepLR", **section} if isinstance(section, dict) else section


SchedulerOptions = Annotated[
    MultiStepLROptions
    | MultiStepRestartLROptions
    | CosineAnnealingLROptions
    | CosineAnnealingRestartLROptions,
    Field(discriminator="type"),
    BeforeValidator(_default_to_multistep),
]


class ScheduleOptions(Options):
    """The part of the section `train` that says what is updated, how long and how fast."""

    total_iter: Count = Field(
        description="Iterations (updates), each of batch_size_per_gpu * accum_iter "
        "crops. Finetuning small networks takes hundreds to thousands; Real-ESRGAN "
        "took 400,000."
    )
    minutes: Positive | None = Field(
        default=None,
        description="Minutes from the command to the verdict: iterations and schedule "
        "follow the clock, total_iter is the plan. --recipe auto --minutes sets it. "
        "null: no limit.",
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
