"""The learning rate as a pure function of the iteration, so that resuming needs no scheduler state."""

import math

from realesrgan_paddle.options.schema.config import (
    CosineAnnealingLROptions,
    CosineAnnealingRestartLROptions,
    MultiStepLROptions,
    MultiStepRestartLROptions,
    SchedulerOptions,
)


def learning_rate(
    scheduler: SchedulerOptions, warmup_iter: int, iteration: int, base: float
) -> float:
    """Return the learning rate at `iteration` (the first is 1) of an optimizer whose own is `base`.

    It rises linearly from base / warmup_iter during the first `warmup_iter` iterations
    (at once where `warmup_iter` is not positive), while the schedule goes on unseen.
    Then it is what BasicSR's scheduler of this type gives after iteration - 1 steps,
    and for CosineAnnealingLR torch's. (Those of them that are computed from the rate
    before begin where the warm-up stands; here none does.)
    """
    if iteration < warmup_iter:
        return base * iteration / warmup_iter
    steps = iteration - 1
    match scheduler:
        case MultiStepLROptions():
            return base * scheduler.gamma ** sum(
                milestone <= steps for milestone in scheduler.milestones
            )
        case MultiStepRestartLROptions():
            return base * multistep_restart_factor(steps, scheduler)
        case CosineAnnealingLROptions():
            return scheduler.eta_min + (base - scheduler.eta_min) * falling(
                steps / scheduler.T_max
            )
        case CosineAnnealingRestartLROptions():
            return cosine_restart_rate(steps, scheduler, base)


def multistep_restart_factor(steps: int, scheduler: MultiStepRestartLROptions) -> float:
    """Return the last restart's weight (before any: 1), times gamma for each milestone since."""
    begun, weight = -1, 1.0
    for restart, restart_weight in zip(
        scheduler.restarts, scheduler.restart_weights, strict=True
    ):
        if restart <= steps:
            begun, weight = restart, restart_weight
    return weight * scheduler.gamma ** sum(
        begun < milestone <= steps for milestone in scheduler.milestones
    )


def cosine_restart_rate(
    steps: int, scheduler: CosineAnnealingRestartLROptions, base: float
) -> float:
    """Return the rate in the period that `steps` lies in; a period's end is still its own."""
    begun = 0
    for period, weight in zip(
        scheduler.periods, scheduler.restart_weights, strict=True
    ):
        if steps <= begun + period:
            return scheduler.eta_min + weight * (base - scheduler.eta_min) * falling(
                (steps - begun) / period
            )
        begun += period
    raise ValueError(
        f"iteration {steps + 1} lies behind the last of the periods, which end at {begun}"
    )


def falling(part: float) -> float:
    """Return 1 at 0, 0 at 1, and half a cosine between."""
    return (1 + math.cos(math.pi * part)) / 2
