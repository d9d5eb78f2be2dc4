"""The learning rate as a function of the iteration, without a scheduler state."""

import math

from realesrgan_paddle.options.schema.optimization import (
    CosineAnnealingLROptions,
    CosineAnnealingRestartLROptions,
    MultiStepLROptions,
    MultiStepRestartLROptions,
    SchedulerOptions,
)


def learning_rate(
    scheduler: SchedulerOptions, warmup_iter: int, iteration: float, base: float
) -> float:
    """Return the learning rate at `iteration` (the first is 1).

    During the first `warmup_iter` iterations it rises linearly from base / warmup_iter
    to `base`, while the schedule advances unseen. Then it is what BasicSR's scheduler
    of this type gives after iteration - 1 steps, for CosineAnnealingLR torch's. (Some
    of theirs compute each rate from the one before and so start from the warm-up's.)

    Args:
        scheduler: the section `train.scheduler`.
        warmup_iter: length of the warm-up; none if it is not positive.
        iteration: which iteration; of a run whose length changes (`Course.scheduled`)
            one of its plan, or between two.
        base: the optimizer's own learning rate.
    """
    if iteration < warmup_iter:
        return base * iteration / warmup_iter

    steps = iteration - 1
    match scheduler:
        case MultiStepLROptions():
            passed = sum(milestone <= steps for milestone in scheduler.milestones)
            return base * scheduler.gamma**passed
        case MultiStepRestartLROptions():
            return base * multistep_restart_factor(steps, scheduler)
        case CosineAnnealingLROptions():
            height = base - scheduler.eta_min
            return scheduler.eta_min + height * half_cosine(steps / scheduler.T_max)
        case CosineAnnealingRestartLROptions():
            return cosine_restart_rate(steps, scheduler, base)


def multistep_restart_factor(
    steps: float, scheduler: MultiStepRestartLROptions
) -> float:
    """Return the last restart's weight (or 1) times gamma per milestone since."""
    restarted, weight = -1, 1.0
    for restart, restart_weight in zip(
        scheduler.restarts, scheduler.restart_weights, strict=True
    ):
        if restart <= steps:
            restarted, weight = restart, restart_weight

    passed = sum(restarted < milestone <= steps for milestone in scheduler.milestones)
    return weight * scheduler.gamma**passed


def cosine_restart_rate(
    steps: float, scheduler: CosineAnnealingRestartLROptions, base: float
) -> float:
    """Return the learning rate at `steps`; a period includes its last step."""
    begin = 0
    for period, weight in zip(
        scheduler.periods, scheduler.restart_weights, strict=True
    ):
        if steps <= begin + period:
            height = weight * (base - scheduler.eta_min)
            return scheduler.eta_min + height * half_cosine((steps - begin) / period)
        begin += period
    raise ValueError(
        f"iteration {steps + 1} is after the last of the periods, which end at {begin}"
    )


def half_cosine(progress: float) -> float:
    """Return a value that falls from 1 at 0 to 0 at 1, along half a cosine."""
    cosine = math.cos(math.pi * progress)
    return (1 + cosine) / 2


def ema_decay_for(total_iter: int) -> float:
    """Return the EMA's decay whose mean is over a fifth of a run, up to 1,000 iterations.

    1 / (1 - decay) iterations count. More of a short run would be its start: after 20
    iterations at 0.99 it still is by 82 %. A fifth is that of docs/soccer.md.
    """
    return round(1 - min(0.5, max(0.001, 5 / total_iter)), 3)
