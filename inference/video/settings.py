"""How a video is upscaled and encoded: what a user may choose."""

import argparse
import importlib.util
import math
import re
from dataclasses import dataclass
from typing import Literal

from realesrgan_paddle.utils.cli import float_range, int_range, setting
from realesrgan_paddle.utils.errors import UserError

MOST_SIDE = 16384
"""The largest side that H.264, HEVC and AV1 encoders here take [pixels]."""

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")


def seconds_of(text: str) -> float:
    """Return the seconds of "SECONDS", "MINUTES:SECONDS" or "HOURS:MINUTES:SECONDS"."""
    match = _TIME.fullmatch(text)
    if match is None or len(text) > 32:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is not a time such as 90, 1:30 or 0:01:30.5"
        )
    hours, minutes, seconds = match.groups()
    for above, part in ((minutes, seconds), (hours, minutes)):
        if above is not None and float(part) >= 60:
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r} is not a time: {part} is 60 or more, after a colon"
            )
    total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    if not math.isfinite(total):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a time")
    return total


@dataclass(frozen=True)
class VideoSettings:
    """What a user may choose for videos; each field is a flag too."""

    codec: Literal["auto", "h264", "hevc", "av1", "vp9", "ffv1"] = setting(
        "auto",
        "codec of a video's result; auto: vp9 in webm, else hevc for more than 8 bits a "
        "sample and h264 for 8",
        rare=True,
        heading="videos",
    )
    crf: int | None = setting(
        None,
        "constant quality, lower is better and larger; if not given 17 for h264, 19 for "
        "hevc, 25 for av1 and vp9; ffv1 is lossless and has none",
        int_range(0, 63),
        rare=True,
    )
    preset: str | None = setting(
        None,
        "how hard the encoder tries: ultrafast to veryslow (h264, hevc), 0 (slow) to 13 "
        "(av1) or 8 (vp9)",
        str,
        rare=True,
    )
    pix_fmt: str | None = setting(
        None,
        "pixel format of a video's result; the source's if not given",
        str,
        rare=True,
    )
    width: int | None = setting(
        None,
        "width of a video's result; with --height alone, as the aspect ratio asks",
        int_range(2, MOST_SIDE),
        rare=True,
    )
    height: int | None = setting(
        None,
        "height of a video's result, such as 1080, instead of --outscale",
        int_range(2, MOST_SIDE),
        rare=True,
    )
    start: float | None = setting(
        None, "begin at the first frame from this time on (90, 1:30, ...)", seconds_of
    )
    end: float | None = setting(
        None, "end before the first frame from this time on", seconds_of
    )
    deinterlace: Literal["auto", "no", "frame", "field"] = setting(
        "auto",
        "interlaced videos: a frame of each frame, or of each field (twice the rate); "
        "auto: frame where fields are found",
        rare=True,
    )
    bad_frames: Literal["stop", "repeat"] = setting(
        "stop",
        "a frame that cannot be decoded ends the run, or shows the one before again",
        rare=True,
    )
    segment_seconds: float = setting(
        4.0,
        "a run that was killed goes on after the last whole segment; shorter ones lose "
        "less work and cost bits, for each begins with a key frame",
        float_range(0.1, 600),
        rare=True,
    )
    no_reuse: bool = setting(
        False,
        "compute frames and tiles again that are identical to those before",
        rare=True,
    )


DEFAULTS = VideoSettings()


def require_av() -> None:
    """Raise UserError if PyAV is not installed."""
    if importlib.util.find_spec("av") is None:
        raise UserError("videos need PyAV, which is not installed: pip install av")
