"""What ffmpeg tells of a video and its first frame."""

import re
from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input
from realesrgan_paddle.utils.files import failed_download, open_regular

HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""Transfer characteristics of HDR video, as ffmpeg spells them."""

MAX_PIXELS = 1 << 26
"""Of a frame; twice as many as 8K has. A tiny file may declare any size."""

PROBE_MINUTES = 5
"""Time limit for decoding the first frame; a hostile file can keep a decoder busy."""

HD_WIDTH, HD_HEIGHT = 1280, 576
"""A video from this width on, or higher than this, is HD; 576 lines are PAL."""

# Lines printed by ffmpeg's showinfo filter and its demuxers.
_DURATION = re.compile(r" Duration: (\d+):(\d+):(\d+\.\d+)")
_SIZE = re.compile(r"n: *\d+ pts: .* s:(\d+)x(\d+) ")
_CHROMA_LOCATION = re.compile(r" cl:(left|center|topleft|top|bottomleft|bottom) ")
_MATRIX = re.compile(r"color_space:([a-z0-9]+)")
_TRANSFER = re.compile(r"color_trc:([a-z0-9-]+)")


@dataclass(frozen=True)
class VideoInfo:
    """What ffmpeg reports about a video and its first frame."""

    seconds: float | None
    """Duration; None where the container does not tell."""
    width: int
    """Samples per line, after rotation, before the sample aspect ratio is applied."""
    height: int
    matrix: str
    """YCbCr matrix as ffmpeg spells it ("bt709", "smpte170m", ...), or "unknown"."""
    transfer: str
    """Transfer characteristics ("bt709", "smpte2084", ...), or "unknown"."""
    chroma_location: str
    """Place of the chroma samples among the luma samples: "left", "center", ...

    "left" if the video does not tell, as H.264 and HEVC prescribe.
    """


def probe(path: Path) -> VideoInfo:
    """Return the properties of a video, after its first frame has been decoded.

    Raises:
        UserError: the file is no video that may be opened, or no frame of it can be
            decoded.
    """
    video = video_input(path)
    with open_regular(path) as file:
        if found := failed_download(file.read(512)):
            raise UserError(f"{path}: not a readable video ({found})")

    lines: list[str] = []
    video = video.filter("showinfo")
    output = ffmpeg.output(video, "pipe:1", format="null", **{"frames:v": 1})
    with FFmpegRun(output, path, lines.append, minutes=PROBE_MINUTES) as run:
        run.finish()

    text = "\n".join(lines)
    size = _SIZE.search(text)
    if size is None:
        raise UserError(f"{path}: no frame of it can be decoded ({first_error(run)})")
    return VideoInfo(
        seconds=_parse_duration(text),
        width=int(size[1]),
        height=int(size[2]),
        matrix=_first_group(_MATRIX, text, "unknown"),
        transfer=_first_group(_TRANSFER, text, "unknown"),
        chroma_location=_first_group(_CHROMA_LOCATION, text, "left"),
    )


def _parse_duration(text: str) -> float | None:
    match = _DURATION.search(text)
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _first_group(pattern: re.Pattern[str], text: str, default: str) -> str:
    match = pattern.search(text)
    return match[1] if match else default


def is_hd(width: int, height: int) -> bool:
    """Return whether a video that does not tell its matrix is taken for BT.709.

    Others are taken for BT.601, as players such as mpv guess.
    """
    return width >= HD_WIDTH or height > HD_HEIGHT


def first_error(run: FFmpegRun) -> str:
    """Return why a run of ffmpeg gave no frame."""
    return run.errors[0] if run.errors else "it holds none"
