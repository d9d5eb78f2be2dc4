"""Which degradation `--recipe auto` trains with: a mild one, or that of real images."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from realesrgan_paddle.data.lq.search import TooLittleTimeError
from realesrgan_paddle.data.lq.solve import solve_for
from realesrgan_paddle.data.lq.windows import stream_codec
from realesrgan_paddle.options.schema.degradation import (
    KernelOptions,
    LQConfig,
    SynthesisOptions,
)
from realesrgan_paddle.recipes.plan import Plan
from realesrgan_paddle.utils.errors import UserError

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
MILD_CLIPS: Mapping[str, Any] = {
    **{key: value for key, value in MILD.items() if not key.startswith("jpeg")},
    "jpeg_prob": 0,
    "jpeg_prob2": 0,
    "video_prob": 1,
    "codec_list": ["h264"],
    "codec_prob": [1],
    "h264_crf": [22, 34],
}
"""The degradation of options/finetune_recurrent.yml: H.264 in the place of JPEG.

With another codec, of real videos, it has the schema's qualities of that.
"""
DEGRADATION = {*SynthesisOptions.model_fields, *KernelOptions.model_fields} - {
    "gt_size",
    "queue_size",
}
"""Keys of which a user who gives one is left to give the others."""
WHY_MILD_CLIPS = (
    "degradation: the mild one of options/finetune_recurrent.yml, each clip one H.264 "
    "video; solve for yours: --lq REAL"
)
WHY_MILD = (
    "degradation: the mild one of options/finetune_cpu.yml: of all option files the best "
    "for footage that was downscaled and encoded once, but the worst for noisy and "
    "blurred footage (docs/domain_gain/); solve for yours: --lq REAL"
)
"""Says what was chosen and why, by benchmarks/domain_gain/presets.py and hidden.py."""


def choose_mild_degradation(plan: Plan, lq: Path | None) -> None:
    """Choose the mild degradation, unless the user gives some, or real images.

    It is not mixed with a degradation that the user began to give. Real images are judged
    at the end.

    Raises:
        UserError: there are real images to solve for, and the training has pairs.
    """
    synthesizes = plan.config.high_order_degradation
    if lq is None:
        if synthesizes and not _given(plan):
            mild = _mild(plan)
            _choose(plan, mild)
            plan.lines.append(WHY_MILD if mild is MILD else WHY_MILD_CLIPS)
        return
    if not synthesizes:
        raise UserError(
            "--lq: the low-quality images of pairs are read, so there is no degradation "
            "to solve for; leave it out"
        )
    if plan.config.val is not None:
        plan.choose("val.real_lq", str(lq), "the verdict looks at results on them, too")


def solve_degradation(plan: Plan, lq: Path | None, seconds: float) -> None:
    """Choose the degradation of real images; what the user gave of it stays.

    Args:
        plan: gets the options; it names the images and the scale already.
        lq: real low-quality images or videos to solve for; None: nothing is solved.
        seconds: that it may take; if they do not suffice, the degradation is the mild one,
            with the codec of real videos.

    Raises:
        UserError: as `solve_for`.
    """
    if lq is None:
        return
    cfg = plan.config
    train = cfg.datasets.train
    options = LQConfig(
        scale=cfg.scale,
        manual_seed=cfg.manual_seed,
        dataroot_gt=train.dataroot_gt,
        meta_info=train.meta_info,
    )
    reason = "for lack of time"
    solved = None
    if seconds:
        try:
            solved = solve_for(options, lq, seconds=seconds)
        except TooLittleTimeError as error:
            reason = str(error)
    if solved is None:
        codec = stream_codec(lq) if find_spec("av") else None
        if not _given(plan):
            _choose(plan, _mild(plan, codec))
        which = f", with the {codec} of the videos" if codec else ""
        plan.lines.append(
            f"warning: the degradation is not solved for: {reason}; it is the mild one"
            f"{which}; give more --minutes, or an option file of make_lq_data.py --fit"
        )
        return

    _choose(plan, solved.options)
    before, after = solved.before["all"], solved.after["all"]
    plan.lines.append(
        f"degradation: solved for from {lq}: distance {after:.2f}, Real-ESRGAN's "
        f"{before:.2f}, halves of the real images {solved.null['all']:.2f}"
    )
    plan.lines += [f"  {note}" for note in solved.notes]
    for finding in solved.findings:
        plan.lines.append(f"  {finding.name}: {finding.value} ({finding.interval})")
    plan.lines += [f"warning: {warning}" for warning in solved.warnings]


def _choose(plan: Plan, options: Mapping[str, Any]) -> None:
    """Set all options; one line is said for all of them."""
    lines = plan.lines
    for key, value in options.items():
        plan.choose(_dotted(key), value, "degradation")
    plan.lines = lines


def _mild(plan: Plan, codec: str | None = None) -> Mapping[str, Any]:
    """Return the mild degradation, with a codec that real videos have."""
    if codec not in (None, "h264"):
        other = {**MILD_CLIPS, "codec_list": [codec]}
        return {key: value for key, value in other.items() if key != "h264_crf"}
    is_clips = plan.config.datasets.train.num_frame > 1
    return MILD_CLIPS if codec or is_clips else MILD


def _given(plan: Plan) -> bool:
    return any(plan.gives(_dotted(key)) for key in DEGRADATION)


def _dotted(key: str) -> str:
    """Return where a training's option file has a key of the degradation."""
    if key in KernelOptions.model_fields:
        return f"datasets.train.{key}"
    return key
