"""The learning rate as a pure function of the iteration, so that resuming needs no scheduler state."""

from collections.abc import Sequence


def multistep_factor(iteration: int, milestones: Sequence[int], gamma: float, warmup_iter: int) -> float:
    """Return what the base learning rate is multiplied by at `iteration` (the first is 1).

    It rises linearly from 1 / warmup_iter during the first `warmup_iter` iterations (at once where
    `warmup_iter` is not positive) and falls by `gamma` after each milestone, as BasicSR's MultiStepLR
    does: a milestone of 1000 first shows at iteration 1001.
    """
    if iteration < warmup_iter:
        return iteration / warmup_iter
    return gamma ** sum(iteration > milestone for milestone in milestones)
