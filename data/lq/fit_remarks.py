"""Advice on which options to change when synthetic images differ from real ones."""

from typing import Literal

from realesrgan_paddle.options.schema.degradation import LQConfig

Verdict = Literal["alike", "higher", "lower", "wider", "narrower"]
"""How the synthetic values of a statistic differ from the real ones."""

NOISE = "noise_range, poisson_scale_range, noise_range2 and poisson_scale_range2"
BLUR = "blur_sigma and blur_sigma2"
DOWNSCALING = "the low ends of resize_range and resize_range2"
QUALITY_KEYS = {
    "h264": "h264_crf",
    "hevc": "hevc_crf",
    "mpeg2": "mpeg2_qscale",
    "vp9": "vp9_crf",
}


def remark(name: str, verdict: Verdict, options: LQConfig) -> str:
    """Return what a verdict on a statistic means, and which options to change."""
    if verdict == "alike":
        return "alike"
    if_higher, if_lower, keys = _remarks(options)[name]
    if verdict == "wider":
        return f"synthetic images vary more: narrow {keys}"
    if verdict == "narrower":
        return f"synthetic images vary less: widen {keys}"
    return f"synthetic images {if_higher if verdict == 'higher' else if_lower}"


def _remarks(options: LQConfig) -> dict[str, tuple[str, str, str]]:
    """Return, by statistic, the remark if higher, the remark if lower, and its keys."""
    better, worse, qualities = _compression(options)
    motion = ", motion_blur_prob" if options.motion_blur_prob else ""
    smoother_color = ""
    if options.jpeg_chroma_upsampling == "nearest":
        smoother_color = "set jpeg_chroma_upsampling to linear, "
    other_scenes = (
        "show other scenes or lighting, which no key changes: "
        "choose ground truth like the real images"
    )
    return {
        "sharpness": (
            f"are sharper: raise {BLUR}, or lower {DOWNSCALING}",
            f"are blurrier: lower {BLUR}{motion}, or raise {DOWNSCALING}",
            f"{BLUR}, resize_range, resize_range2",
        ),
        "noise": (
            f"are noisier: lower {NOISE}",
            f"have less noise: raise {NOISE}",
            NOISE,
        ),
        "blockiness": (
            f"show more blocks: {better}",
            f"show fewer blocks: {worse}",
            qualities,
        ),
        "spectral slope": (
            "have more of the finest detail or noise: "
            "raise blur_sigma2 or final_sinc_prob, or lower the noise",
            "have less of the finest detail: "
            f"lower {BLUR} or final_sinc_prob, or raise {DOWNSCALING}",
            f"{BLUR}, {NOISE}",
        ),
        "chroma detail": (
            "have finer color or more color noise: "
            f"{smoother_color}raise gray_noise_prob and gray_noise_prob2, or {worse}",
            "have coarser color: "
            f"lower the blur, gray_noise_prob and gray_noise_prob2, or {better}",
            "gray_noise_prob, gray_noise_prob2",
        ),
        "contrast": (
            other_scenes,
            other_scenes,
            "the choice of ground truth, which no key does",
        ),
    }


def _compression(options: LQConfig) -> tuple[str, str, str]:
    """Return how to compress less, how to compress more, and the keys for both."""
    keys = ["jpeg_range", "jpeg_range2"]
    better = "raise jpeg_range and jpeg_range2"
    worse = "lower jpeg_range and jpeg_range2"

    video_keys = []
    if options.video_prob:
        drawn = zip(options.codec_list, options.codec_prob, strict=True)
        video_keys = [QUALITY_KEYS[codec] for codec, share in drawn if share]
    if video_keys:
        # Higher CRFs and quantizers mean lower quality.
        better += f", lower {', '.join(video_keys)}"
        worse += f", raise {', '.join(video_keys)}"
    return better, worse, ", ".join([*keys, *video_keys])
