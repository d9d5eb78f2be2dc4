"""Short videos in many codecs and containers, and what another decoder says of them."""

import re
import subprocess
from pathlib import Path

import pytest
from clips import ffmpeg

from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

X264 = ("-c:v", "libx264", "-bf", 3, "-g", 12, "-x264-params", "open-gop=1")
X265 = ("-c:v", "libx265", "-g", 12, "-x265-params", "open-gop=1:log-level=none")
CODED = {
    "h264 open GOP": ("clip.mp4", X264),
    "h264 in a stream": ("clip.ts", X264),
    "h264 in avi, times guessed": ("clip.avi", X264),
    "hevc with RASL pictures": ("clip.ts", X265),
    "mpeg2 open GOP": ("clip.mpg", ("-c:v", "mpeg2video", "-bf", 2, "-g", 12)),
    "mpeg4 in avi": ("clip.avi", ("-c:v", "mpeg4", "-bf", 2, "-g", 12)),
    "vp9 with hidden frames": (
        "clip.webm",
        ("-c:v", "libvpx-vp9", "-auto-alt-ref", 1, "-lag-in-frames", 16, "-g", 12),
    ),
    "ffv1, variable rate": (
        "clip.mkv",
        ("-c:v", "ffv1", "-g", 5, "-vf", "select=not(mod(n\\,3)-1)"),
    ),
}
"""Name and options of ffmpeg; each has several key frames in its 4 seconds."""


def coded_clip(
    path: Path, *options: str | int, seconds: float = 4, size: str = "64x48"
) -> Path:
    """Make a moving pattern of 25 frames/s; skip the test without the encoder."""
    source = f"testsrc2=size={size}:rate=25:duration={seconds}"
    try:
        ffmpeg(
            *("-f", "lavfi", "-i", source, "-threads", 1),
            *options,
            *("-fps_mode", "passthrough", path),
        )
    except subprocess.CalledProcessError as error:
        if b"Unknown encoder" not in error.stderr:
            raise
        pytest.skip("this ffmpeg has no such encoder")
    return path


def times_by_ffmpeg(path: Path) -> list[int]:
    """Return the times of all frames that the ffmpeg program decodes [ticks]."""
    command = [find_ffmpeg(), "-hide_banner", "-copyts", "-i", f"file:{path}"]
    command += ["-vf", "showinfo=checksum=0", "-fps_mode", "passthrough"]
    command += ["-f", "null", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [int(time) for time in re.findall(r" n: *\d+ pts: *(-?\d+) ", done.stderr)]
