"""Tiny videos, made by ffmpeg with encoders that every build of it has."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg


def ffmpeg(*arguments: str | int | Path) -> None:
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def moving_clip(
    path: Path,
    key_times: str = "0,0.48,1.28",
    *,
    size: str = "96x64",
    options: tuple[str, ...] = (),
) -> Path:
    """Make 2 s of a moving pattern, 25 frames/s, with key frames at `key_times` [s]."""
    keys = ("-g", "1000", "-sc_threshold", "1000000000", "-force_key_frames", key_times)
    source = f"testsrc2=size={size}:rate=25:duration=2"
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        source,
        "-c:v",
        "mpeg4",
        "-q:v",
        "2",
        *keys,
        *options,
        f"file:{path}",
    )
    return path


def flat_clip(
    path: Path,
    color: str,
    *,
    size: str = "64x48",
    matrix: str = "bt709",
    color_range: str = "tv",
    pix_fmt: str = "yuv420p",
    tagged: str = "unknown",
    transfer: str = "unknown",
) -> Path:
    """Make one lossless frame of one color.

    It is converted with `matrix` and `color_range`, and its header says `tagged`.
    """
    scale = (
        f"scale=out_color_matrix={matrix}:out_range={color_range}:flags=accurate_rnd"
    )
    tags = (
        f"setparams=colorspace={tagged}:color_trc={transfer}"
        f":range={color_range}:color_primaries=unknown"
    )
    source = f"color=c={color}:size={size}:rate=10:duration=0.1"
    also = ("-colorspace", tagged, "-color_trc", transfer, "-color_range", color_range)
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        source,
        "-vf",
        f"format=gbrp,{scale},format={pix_fmt},{tags}",
        "-c:v",
        "ffv1",
        *also,
        f"file:{path}",
    )
    return path


def picture_clip(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    rate: int = 25,
    options: tuple[str | int, ...] = (),
) -> Path:
    """Make a video of the given images, uint8 RGB of one size.

    Lossless, with only key frames, unless `options` say otherwise.
    """
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    raw = (
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{height}",
        "-r",
        rate,
        "-i",
        "pipe:0",
    )
    codec = options or ("-c:v", "ffv1", "-g", 1)
    command = [
        find_ffmpeg(),
        "-v",
        "error",
        "-y",
        *map(str, (*raw, *codec)),
        f"file:{path}",
    ]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        input=b"".join(map(np.ndarray.tobytes, pictures)),
    )
    return path
