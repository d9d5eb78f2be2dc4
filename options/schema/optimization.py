"""Optimizers and learning-rate schedules: BasicSR's types and torch's cosine."""

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
