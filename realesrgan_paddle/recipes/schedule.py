"""What `--recipe auto` chooses by time: iterations, learning rate, schedule."""

from realesrgan_paddle.recipes.environment import (
    Images,
    NetworkSize,
    seconds_per_iteration,
)
from realesrgan_paddle.recipes.plan import MAX_ITERATIONS, MIN_ITERATIONS, Plan

PASSES = 10
"""Times that the pixels of the training images are seen; a rule of thumb.

LPIPS still fell in docs/soccer.md, at 1; the quickstart gained nothing more at 22. Of
docs/domain_gain's networks one gained from 1.8 to 5.5, and one, judged on another camera,
lost from 1.2 to 3.7: held-out images tell, and the best network is kept.
"""
VALIDATION_SHARE = 0.1
"""Share of `--minutes` left for validation; a rule of thumb."""
FULL_RATE = 1000
"""Iterations from which the full learning rate is chosen: a line through two measurements.

docs/soccer.md's 2,400 were trained with it; of 150 and 200, a fifth of it left less of a
grid and gained about as much (docs/measurements.md, "The lattice index").
"""


def choose_total(plan: Plan, images: Images) -> None:
    """Choose the number of iterations by the number of pixels in the images."""
    pixels_per_iteration = plan.config.images_per_iteration * plan.config.gt_size**2
    wanted = PASSES * images.pixels / pixels_per_iteration
    total = two_digits(min(MAX_ITERATIONS, max(MIN_ITERATIONS, wanted)))
    passes = pixels_per_iteration * total / images.pixels
    plan.choose(
        "train.total_iter",
        total,
        f"{passes:.2g} passes over the images' pixels, a rule of thumb: the network of "
        "docs/soccer.md still gained at 1, the quickstart's not at 22; the best is kept",
    )


def choose_total_by_time(plan: Plan, minutes: float) -> None:
    """Choose the number of iterations by their time, measured on this machine."""
    seconds = seconds_per_iteration(plan.config)
    total = max(1, int((1 - VALIDATION_SHARE) * 60 * minutes / seconds))
    plan.choose(
        "train.total_iter",
        total,
        f"what fits into {minutes:g} minutes: {seconds:.2g} s each, just measured, and a "
        "tenth for validation",
    )


def choose_rate(plan: Plan, generator: NetworkSize) -> None:
    """Choose the learning rate of a training without a GAN: lower in a short one."""
    if plan.config.model_type == "RealESRGANModel":
        return
    rate, reason = 2e-4, "docs/soccer.md's"
    if not generator.small:
        rate, reason = 1e-4, "half of the small network's, a rule of thumb"

    total = plan.config.train.total_iter
    if total < FULL_RATE:
        rate = float(f"{rate * total / FULL_RATE:.2g}")
        reason = (
            f"in proportion to the iterations, below {FULL_RATE:,}: less of a grid, for "
            "about as much gain (docs/measurements.md)"
        )
    plan.choose("train.optim_g.lr", rate, reason)


def choose_schedule(plan: Plan) -> None:
    """Choose what depends on the number of iterations."""
    total, rate = plan.config.train.total_iter, plan.config.train.optim_g.lr

    # 1 / (1 - decay) iterations count: a fifth of the run, from 100 to 1,000.
    decay = round(1 - min(0.01, max(0.001, 5 / total)), 3)
    plan.choose(
        "train.ema_decay",
        decay,
        "as docs/soccer.md's a mean over about a fifth of the run; 1,000 iterations at "
        "most",
    )
    cosine = {"type": "CosineAnnealingLR", "T_max": total, "eta_min": rate / 10}
    plan.choose(
        "train.scheduler", cosine, "falling to a tenth, similar to docs/soccer.md's"
    )

    interval = min(total, max(100, two_digits(total / 8)))
    if plan.config.val is not None:
        plan.choose(
            "val.val_freq", interval, "eight validations, at least 100 iterations apart"
        )
    plan.choose(
        "logger.save_checkpoint_freq", interval, "a checkpoint with each validation"
    )
    plan.choose(
        "logger.print_freq", max(1, min(100, total // 20)), "at least twenty reports"
    )


def two_digits(number: float) -> int:
    """Return the number rounded to two significant digits; more would be pretended."""
    return int(float(f"{number:.2g}"))
