"""How weights are changed: optimizers, and learning rates over time (BasicSR's types and keys, and torch's cosine)."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import Self

from realesrgan_paddle.options.schema.base import (
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
    """An optimizer; the betas are Real-ESRGAN's, not Adam's own (0.9, 0.999)."""

    type: Literal["Adam", "AdamW"] = Field(
        default="Adam", description="Which optimizer."
    )
    lr: Positive = Field(description="Learning rate before the scheduler changes it.")
    weight_decay: NonNegative = Field(
        default=0.0,
        description="Adam: an L2 penalty, whose gradient is scaled as the loss's is; AdamW: each update takes this "
        "part of the weights away, times the learning rate.",
    )
    betas: tuple[Decay, Decay] = Field(
        default=(0.9, 0.99),
        description="Decay of the running mean and of the running variance of the gradient.",
    )
    grad_clip: Positive | None = Field(
        default=None,
        description="Largest norm of the whole gradient: a longer one is shortened. The log gives the norm before.",
    )


class MultiStepLROptions(Options):
    """The learning rate falls at milestones."""

    type: Literal["MultiStepLR"] = Field(
        default="MultiStepLR", description="Which schedule."
    )
    milestones: Iterations = Field(
        default=(),
        description="Iterations after which the learning rate is multiplied by gamma; none: it stays.",
    )
    gamma: Positive = Field(
        default=0.5, description="Factor on the learning rate at each milestone."
    )


class MultiStepRestartLROptions(Options):
    """The learning rate falls at milestones, and begins again at restarts."""

    type: Literal["MultiStepRestartLR"] = Field(description="Which schedule.")
    milestones: Iterations = Field(
        default=(),
        description="Iterations after which the learning rate is multiplied by gamma.",
    )
    gamma: Positive = Field(
        default=0.5, description="Factor on the learning rate at each milestone."
    )
    restarts: Iterations = Field(
        default=(0,),
        description="Iterations after which it begins again; earlier milestones no longer count.",
    )
    restart_weights: tuple[Positive, ...] = Field(
        default=(1.0,), description="Factor on the learning rate from each restart on."
    )

    @model_validator(mode="after")
    def _a_weight_for_each(self) -> Self:
        if len(self.restarts) != len(self.restart_weights):
            raise ValueError(
                f"{len(self.restarts)} restarts and {len(self.restart_weights)} restart_weights"
            )
        return self


class CosineAnnealingLROptions(Options):
    """The learning rate falls along half a cosine."""

    type: Literal["CosineAnnealingLR"] = Field(description="Which schedule.")
    T_max: Count = Field(
        description="Iterations until eta_min; then it rises again, as torch's. Usually total_iter."
    )
    eta_min: NonNegative = Field(
        default=0.0, description="The lowest learning rate, of both optimizers."
    )


class CosineAnnealingRestartLROptions(Options):
    """The learning rate falls along half a cosine in each period."""

    type: Literal["CosineAnnealingRestartLR"] = Field(description="Which schedule.")
    periods: tuple[Count, ...] = Field(
        min_length=1,
        description="Iterations of each period; together at least total_iter.",
    )
    restart_weights: tuple[Positive, ...] = Field(
        default=(1.0,),
        description="Factor on the learning rate (above eta_min) in each period.",
    )
    eta_min: NonNegative = Field(
        default=0.0,
        description="The lowest learning rate, of both optimizers, at the end of each period.",
    )

    @model_validator(mode="after")
    def _a_weight_for_each(self) -> Self:
        if len(self.periods) != len(self.restart_weights):
            raise ValueError(
                f"{len(self.periods)} periods and {len(self.restart_weights)} restart_weights"
            )
        return self


def _multistep_unless_named(section: object) -> object:
    return {"type": "MultiStepLR", **section} if isinstance(section, dict) else section


SchedulerOptions = Annotated[
    MultiStepLROptions
    | MultiStepRestartLROptions
    | CosineAnnealingLROptions
    | CosineAnnealingRestartLROptions,
    Field(discriminator="type"),
    BeforeValidator(_multistep_unless_named),
]
