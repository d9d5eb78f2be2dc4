"""How `--recipe auto` trains, and why: crops, batches, rates, how long, what is kept."""

import math

from realesrgan_paddle.judging.comparison import counted
from realesrgan_paddle.judging.findings import FEWEST_IMAGES, HELPFUL
from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.models.networks.discriminators import (
    ProjectedDiscriminatorOptions,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.environment import Images, Machine, NetworkSize
from realesrgan_paddle.recipes.plan import MAX_ITERATIONS, MIN_ITERATIONS, Plan
from realesrgan_paddle.training.learning_rate import ema_decay_for
from realesrgan_paddle.training.memory import GIB_PER_CROP

CROP_MULTIPLE = 16
"""gt_size is a multiple of this where images limit it; the U-Net needs 8."""
MIN_GT_SIZE = 64
"""Smallest gt_size chosen; a rule of thumb."""

PASSES = 10
"""Times that the pixels of the training images are seen; a rule of thumb.

LPIPS still fell in docs/soccer.md, at 1; the quickstart gained nothing more at 22. Of
docs/domain_gain's networks one gained from 1.8 to 5.5, and one, judged on another camera,
lost from 1.2 to 3.7: held-out images tell, and the best network is kept.
"""
FULL_RATE = 100
"""Iterations from which the full learning rate is chosen.

With the loss on grid artifacts 100 iterations of it gain and leave little of a grid
(docs/measurements.md, "Few minutes"); without it fewer had left one.
"""
CHECKPOINT_MINUTES = 15
"""Most minutes between checkpoints of a run of some minutes; a rule of thumb."""
KEPT_CHECKPOINTS = 3
"""Checkpoints that a recipe keeps: one to resume from, and two to fall back on."""
FLOAT = 4
"""Bytes of a float32."""
COPIES_IN_STATE = 4
"""Of each weight of the generator: itself, its average, Adam's two moments."""


def choose_crops(
    plan: Plan, images: Images, generator: NetworkSize, machine: Machine
) -> None:
    """Choose the size of the training patches, no larger than the images allow."""
    if generator.small:
        size, reason = 160, "docs/soccer.md's"
    elif machine.gpu:
        size, reason = 256, "Real-ESRGAN's"
    else:
        size, reason = 128, "a rule of thumb for a CPU"

    # Synthesis degrades a crop of 400 for a patch of 256 (Real-ESRGAN's ratio).
    patch = 256 if plan.config.high_order_degradation else 400
    largest = images.short_side * patch // 400 // CROP_MULTIPLE * CROP_MULTIPLE
    if largest < size:
        size = max(MIN_GT_SIZE, largest)
        reason = f"the largest that fits into images of {images.short_side}"
    plan.choose("gt_size", size, reason)


def choose_batch(plan: Plan, generator: NetworkSize, machine: Machine) -> None:
    """Choose the batch size, split where memory requires it, and the workers."""
    of_clips = plan.config.datasets.train.num_frame > 1
    if of_clips:
        size, reason = 2, "clips; options/finetune_recurrent.yml's"
    elif machine.gpu:
        size, reason = 12, "Real-ESRGAN's on each GPU"
    elif generator.small:
        size, reason = 6, "docs/soccer.md's"
    else:
        size, reason = 4, "a rule of thumb"

    # Half of the memory, a rule of thumb.
    crops_of_256 = machine.memory / 2 / GIB_PER_CROP[generator.small]
    room = crops_of_256 / (plan.config.gt_size / 256) ** 2
    at_once = max(1, math.floor(min(size, room)))
    why_parts = f"because {size} crops at once may not fit into memory"
    if of_clips:
        at_once, why_parts = 1, "each clip is degraded in its own way"
    parts = math.ceil(size / at_once)

    plan.choose("datasets.train.batch_size_per_gpu", math.ceil(size / parts), reason)
    if parts > 1 and not plan.gives("datasets.train.batch_size_per_gpu"):
        plan.choose("datasets.train.accum_iter", parts, why_parts)

    workers = min(5, max(1, machine.cores - 2))
    plan.choose("datasets.train.num_worker_per_gpu", workers, "the other cores compute")


def choose_optimizers(plan: Plan) -> None:
    """Choose the generator's optimizer, and the warm-up of a new discriminator.

    Its learning rate without a GAN depends on the iterations: see `choose_rate`.
    """
    gan = plan.config.model_type == "RealESRGANModel"
    if isinstance(plan.config.network_d, ProjectedDiscriminatorOptions):
        plan.choose(
            "train.optim_g.lr", 5e-5, "docs/soccer.md's, after a training without a GAN"
        )
        plan.choose("train.optim_g.betas", [0.5, 0.99], "docs/soccer.md's")
    elif gan:
        plan.choose("train.optim_g.lr", 1e-4, "Real-ESRGAN's with a GAN")
    plan.choose(
        "train.optim_g.grad_clip",
        1.0,
        "docs/soccer.md's: limits the effect of one bad batch",
    )

    if gan and plan.config.path.pretrain_network_d is None:
        plan.choose(
            "train.net_d_init_until",
            0.8,
            "the new discriminator is trained alone until its accuracy is that",
        )
        plan.choose("train.net_d_init_iters", 1000, "at most; a rule of thumb")


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
            f"in proportion to the iterations, below {FULL_RATE:,}: less of a grid "
            "(docs/measurements.md)"
        )
    plan.choose("train.optim_g.lr", rate, reason)


def choose_schedule(plan: Plan) -> None:
    """Choose what depends on the number of iterations."""
    total, rate = plan.config.train.total_iter, plan.config.train.optim_g.lr

    plan.choose(
        "train.ema_decay",
        ema_decay_for(total),
        "as docs/soccer.md's a mean over about a fifth of the run; 1,000 iterations at "
        "most",
    )
    cosine = {"type": "CosineAnnealingLR", "T_max": total, "eta_min": rate / 10}
    plan.choose(
        "train.scheduler", cosine, "falling to a tenth, similar to docs/soccer.md's"
    )

    interval = min(total, max(100, two_digits(total / 8)))
    if plan.config.val is not None:
        if plan.config.train.minutes:
            interval = plan.config.val.val_freq
        else:
            reason = "eight validations, at least 100 iterations apart"
            plan.choose("val.val_freq", interval, reason)
    reason = "a checkpoint with each validation"
    minutes = plan.config.train.minutes or 0.0
    if minutes * interval / total > CHECKPOINT_MINUTES:
        interval = math.ceil(total * CHECKPOINT_MINUTES / minutes)
        reason = (
            f"every {CHECKPOINT_MINUTES} minutes: a run that is killed loses no more"
        )
    plan.choose("logger.save_checkpoint_freq", interval, reason)
    plan.choose(
        "logger.print_freq", max(1, min(100, total // 20)), "at least twenty reports"
    )


def two_digits(number: float) -> int:
    """Return the number rounded to two significant digits; more would be pretended."""
    return int(float(f"{number:.2g}"))


def choose_checkpoints(plan: Plan, generator: NetworkSize) -> None:
    """Choose how many checkpoints are kept; say how much disk space they will take."""
    plan.choose(
        "logger.keep_checkpoints",
        KEPT_CHECKPOINTS,
        "besides latest and best, so that short runs stay small",
    )
    megabytes = disk_use(plan.config, generator) / 1e6
    plan.lines.append(
        f"disk: up to {megabytes:,.0f} MB  (weights and states; validation images come "
        "on top; only checkpoints that this run wrote are removed)"
    )


def disk_use(cfg: Config, generator: NetworkSize) -> float:
    """Return the bytes of all weights and states that a run keeps at a time.

    One more checkpoint than is kept is there while an old one is removed. Without the
    heads of a ProjectedDiscriminator.
    """
    weights = FLOAT * generator.parameters
    state = COPIES_IN_STATE * weights + pool_size(cfg)
    file_g, file_d = 2 * weights, 0

    if isinstance(cfg.network_d, Description):
        shapes = cfg.network_d.tensor_shapes().values()
        file_d = FLOAT * sum(math.prod(shape) for shape in shapes)
        state += 3 * file_d

    total = cfg.train.total_iter
    written = math.ceil(total / cfg.logger.save_checkpoint_freq)
    keep = cfg.logger.keep_checkpoints
    kept = min(written, keep + 1) if keep else written
    latest_and_best = 2 * file_g + file_d
    return kept * (state + file_g + file_d) + latest_and_best


def pool_size(cfg: Config) -> int:
    """Return the bytes of the full pair pool in a state: 8 bits, sharpened gt floats."""
    if not cfg.high_order_degradation:
        return 0
    sharpened = cfg.model_type == "RealESRNetModel" and cfg.gt_usm
    gt = 3 * cfg.gt_size**2 * (FLOAT if sharpened else 1)
    lq = 3 * (cfg.gt_size // cfg.scale) ** 2
    return cfg.queue_size * (gt + lq)


def remark_minimum(plan: Plan, images: Images) -> None:
    """Warn if there is less time or footage than any network was measured to gain from.

    docs/measurements.md, "Few minutes". A run of some minutes was warned of before.
    """
    train = plan.config.train
    if train.total_iter < HELPFUL and train.minutes is None:
        plan.lines.append(
            f"warning: too little time: {train.total_iter:,} iterations; the shortest run "
            f"that was measured to gain had {HELPFUL}; raise train.total_iter"
        )
    if images.frames < FEWEST_IMAGES:
        plan.lines.append(
            f"warning: too little footage: {counted(images.frames, 'frame')}, and the "
            f"smallest set that was measured to gain anything had {FEWEST_IMAGES} (the "
            "quickstart's); add frames of other shots"
        )
