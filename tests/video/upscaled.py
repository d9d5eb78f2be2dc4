"""The one place where the tests of whole videos call what they test."""

from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo
from realesrgan_paddle.inference.video.settings import VideoSettings

SCALE = 2


def repeated(images: np.ndarray) -> np.ndarray:
    """A network that repeats pixels, so that colors can be compared exactly."""
    return images.repeat(SCALE, axis=2).repeat(SCALE, axis=3)


def upscale_clip(
    source: Path, target: Path, *, outscale: float | None = None, **settings: Any
) -> tuple[UpscaledVideo, list[str]]:
    """Upscale a video as a program does; return the outcome and what was said."""
    said: list[str] = []
    outcome = Upscaler(repeated, SCALE).video(
        source, target, VideoSettings(**settings), outscale=outscale, say=said.append
    )
    return outcome, said


def lossless(suffix: str) -> dict[str, str | int]:
    """Return the settings with which encoding changes no sample of 8 bits."""
    if suffix in (".mp4", ".mov"):
        return {"codec": "h264", "crf": 0, "preset": "ultrafast"}
    return {"codec": "ffv1"}
