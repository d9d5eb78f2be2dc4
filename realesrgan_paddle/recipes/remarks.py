"""What `--recipe auto` chooses as degradation, warns of (time, footage) and expects."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realesrgan_paddle.data.lq.solve import solve_for
from realesrgan_paddle.models.networks.description import Description
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import KernelOptions, LQConfig
from realesrgan_paddle.recipes.environment import Images, NetworkSize
from realesrgan_paddle.recipes.plan import MIN_ITERATIONS, Plan
from realesrgan_paddle.utils.errors import UserError

FEWEST_IMAGES = 5
"""Frames of the smallest set that a network was measured to gain from: the quickstart's."""
KEPT_CHECKPOINTS = 3
"""Checkpoints that a recipe keeps: one to resume from, and two to fall back on."""
FLOAT = 4
"""Bytes of a float32."""
COPIES_IN_STATE = 4
"""Of each weight of the generator: itself, its average, Adam's two moments."""

MILD: Mapping[str, Any] = {
    "resize_prob": [0.1, 0.2, 0.7],
    "resize_range": [0.8, 1.2],
    "noise_range": [0, 3],
    "poisson_scale_range": [0.01, 0.2],
    "jpeg_range": [85, 99],
    "second_blur_prob": 0.3,
    "resize_prob2": [0.1, 0.1, 0.8],
    "resize_range2": [0.8, 1.1],
    "noise_range2": [0, 2],
    "poisson_scale_range2": [0.01, 0.1],
    "jpeg_range2": [75, 98],
    "jpeg_chroma_upsampling": "linear",
    "blur_sigma": [0.5, 2],
    "blur_sigma2": [0.2, 0.8],
    "sinc_prob": 0,
    "sinc_prob2": 0,
    "final_sinc_prob": 0,
}
"""The degradation of options/finetune_cpu.yml."""
WHY_MILD = (
    "degradation: the mild one of options/finetune_cpu.yml: of all option files the best "
    "for footage that was downscaled and encoded once, but the worst for noisy and "
    "blurred footage (docs/domain_gain/); solve for yours: --lq REAL"
)
"""Says what was chosen and why, by benchmarks/domain_gain/presets.py and hidden.py."""


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


def choose_degradation(plan: Plan, lq: Path | None) -> None:
    """Choose the degradation; what the user gave of it stays.

    The mild default is not mixed with a degradation that the user began to give.

    Args:
        plan: gets the options; it names the images and the scale already.
        lq: real low-quality images or videos to solve for; None: the mild default.

    Raises:
        UserError: as `solve_for`, or the training has pairs.
    """
    synthesizes = plan.config.high_order_degradation
    if lq is None:
        if synthesizes and not _given(plan):
            _choose(plan, MILD)
            plan.lines.append(WHY_MILD)
        return
    if not synthesizes:
        raise UserError(
            "--lq: the low-quality images of pairs are read, so there is no degradation "
            "to solve for; leave it out"
        )

    cfg = plan.config
    train = cfg.datasets.train
    options = LQConfig(
        scale=cfg.scale,
        manual_seed=cfg.manual_seed,
        dataroot_gt=train.dataroot_gt,
        meta_info=train.meta_info,
    )
    solved = solve_for(options, lq)
    _choose(plan, solved.options)
    if cfg.val is not None:
        plan.choose("val.real_lq", str(lq), "the verdict looks at results on them, too")
    before, after = solved.before["all"], solved.after["all"]
    plan.lines.append(
        f"degradation: solved for from {lq}: distance {after:.2f}, Real-ESRGAN's "
        f"{before:.2f}, halves of the real images {solved.null['all']:.2f}"
    )
    for finding in solved.findings:
        plan.lines.append(f"  {finding.name}: {finding.value} ({finding.interval})")
    plan.lines += [f"warning: {warning}" for warning in solved.warnings]


def _choose(plan: Plan, options: Mapping[str, Any]) -> None:
    """Set all options; one line is said for all of them."""
    said = len(plan.lines)
    for key, value in options.items():
        plan.choose(_dotted(key), value, "degradation")
    del plan.lines[said:]


def _given(plan: Plan) -> bool:
    return any(plan.gives(_dotted(key)) for key in MILD)


def _dotted(key: str) -> str:
    """Return where a training's option file has a key of the degradation."""
    if key in KernelOptions.model_fields:
        return f"datasets.train.{key}"
    return key
