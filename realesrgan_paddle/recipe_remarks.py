"""What `--recipe auto` warns of and expects: too little time or footage, disk space."""

import math

from realesrgan_paddle.environment import Images, NetworkSize
from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipe_plan import MIN_ITERATIONS, Plan

FEWEST_IMAGES = 5
"""Frames of the smallest set that a network was measured to gain from: the quickstart's."""
KEPT_CHECKPOINTS = 3
"""Checkpoints that a recipe keeps: one to resume from, and two to fall back on."""
FLOAT = 4
"""Bytes of a float32."""
COPIES_IN_STATE = 4
"""Of each weight of the generator: itself, its average, Adam's two moments."""


def remark_minimum(plan: Plan, images: Images) -> None:
    """Warn if there is less time or footage than any network was measured to gain from.

    docs/measurements.md, "Too short a run": with Real-ESRGAN's degradation a grid shows
    after 213 iterations on five frames; after the quickstart's 300 with a milder
    one there is none.
    """
    total = plan.config.train.total_iter
    if total < MIN_ITERATIONS:
        plan.lines.append(
            f"warning: too little time: {total:,} iterations, and the shortest run that "
            f"was measured to gain had {MIN_ITERATIONS} (the quickstart's); one of 213 "
            "left a visible grid in its images (docs/measurements.md); give more "
            "--minutes, and look at the images before you use the network"
        )
    if images.count < FEWEST_IMAGES:
        plan.lines.append(
            f"warning: too little footage: {images.count} images, and the smallest set "
            f"that was measured to gain anything had {FEWEST_IMAGES} frames (the "
            "quickstart's); add frames of other shots"
        )


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
