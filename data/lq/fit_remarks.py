"""What to change in an option file when synthetic low-quality images are not like real ones."""

from typing import Literal

from realesrgan_paddle.options.schema.config import LQConfig

Verdict = Literal["alike", "higher", "lower", "wider", "narrower"]

NOISE = "noise_range, poisson_scale_range, noise_range2 and poisson_scale_range2"
BLUR = "blur_sigma and blur_sigma2"
SHRINKING = "the low ends of resize_range and resize_range2"


def remark(name: str, verdict: Verdict, options: LQConfig) -> str:
    """Return what a verdict on a statistic (of `lq_statistics`) means: what differs, which keys to change.

    The verdict is on the synthetic images: "higher" than the real ones, and so on.
    """
    if verdict == "alike":
        return "alike"
    higher, lower, keys = _remarks(options)[name]
    if verdict in ("wider", "narrower"):
        differ, change = ("more", "narrow") if verdict == "wider" else ("less", "widen")
        return f"synthetic images differ {differ} among themselves: {change} {keys}"
    return f"synthetic images {higher if verdict == 'higher' else lower}"


def _remarks(options: LQConfig) -> dict[str, tuple[str, str, str]]:
    """Return, for each statistic, what it means if it is higher, if it is lower, and which keys set how it varies."""
    better, worse, qualities = _compression(options)
    motion = ", motion_blur_prob" if options.motion_blur_prob else ""
    scene = "show other things or other light, which no key changes: choose ground truth that is like the real images"
    return {
        "sharpness": (
            f"are sharper: raise {BLUR}, or lower {SHRINKING}",
            f"are blurrier: lower {BLUR}{motion}, or raise {SHRINKING}",
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
            "have more of the finest detail or noise: raise blur_sigma2 or final_sinc_prob, or lower the noise",
            f"have less of the finest detail: lower {BLUR} or final_sinc_prob, or raise {SHRINKING}",
            f"{BLUR}, {NOISE}",
        ),
        "chroma detail": (
            f"have finer colour or more coloured noise: raise gray_noise_prob and gray_noise_prob2, or {worse}",
            f"have coarser colour: lower the blur, gray_noise_prob and gray_noise_prob2, or {better}",
            "gray_noise_prob, gray_noise_prob2",
        ),
        "contrast": (scene, scene, "the choice of ground truth, which no key does"),
    }


def _compression(options: LQConfig) -> tuple[str, str, str]:
    """Return how to compress less, how to compress more, and the keys that say how much."""
    codecs = {
        "h264": "h264_crf",
        "hevc": "hevc_crf",
        "mpeg2": "mpeg2_qscale",
        "vp9": "vp9_crf",
    }
    drawn = (
        zip(options.codec_list, options.codec_prob, strict=True)
        if options.video_prob
        else []
    )
    named = [codecs[codec] for codec, probability in drawn if probability]
    videos = ", ".join(named)
    better = "raise jpeg_range and jpeg_range2" + (f", lower {videos}" if named else "")
    worse = "lower jpeg_range and jpeg_range2" + (f", raise {videos}" if named else "")
    return better, worse, ", ".join(["jpeg_range", "jpeg_range2", *named])
