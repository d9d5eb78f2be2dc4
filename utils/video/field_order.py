"""Interlacing, detected from the frames, because the flags in files are often wrong."""

import re
from pathlib import Path
from typing import Literal

import ffmpeg

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input

FieldOrder = Literal["progressive", "tff", "bff"]
"""Which field of an interlaced video is shown first: the top or the bottom one."""

MIN_INTERLACED_SHARE = 0.2
"""Share of interlaced frames above which a video is interlaced.

Half of what telecined film has: of 24 frames a second turned into 60 fields, 2 of 5
frames are woven of two.
"""

IDET_THRESHOLD = 1.1
"""Of ffmpeg's idet filter; its default, 1.04, takes fine horizontal lines for fields.

Chosen on the clips of tests/footage/test_sampling.py.
"""

FRAMES = 50
"""Frames that are decoded at each sampled position; 2 seconds of 25 a second."""

LONG_SECONDS = 20
"""Longer videos are sampled at `POSITIONS`, shorter ones at the start only."""

POSITIONS = (0.1, 0.5, 0.8)
"""Shares of the duration: the beginning may be an intro with other field order."""

MAX_MINUTES = 5
"""Time limit of one position; a hostile file can keep a decoder busy for ever."""

_COUNTS = re.compile(
    r"Multi frame detection: TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)"
)


def field_order(path: Path, seconds: float | None) -> FieldOrder:
    """Return the field order of a video, or "progressive", as ffmpeg's idet detects it.

    A still image shows no fields and counts as progressive, and so does a file that
    cannot be decoded: extracting its frames will report the error.

    Args:
        path: a local file.
        seconds: its duration; None: not known.
    """
    starts: list[float | None] = [None]
    if seconds is not None and seconds > LONG_SECONDS:
        starts = [seconds * share for share in POSITIONS]

    tff = bff = progressive = 0
    for start in starts:
        counts = _count_frames(path, start)
        tff += counts[0]
        bff += counts[1]
        progressive += counts[2]

    if tff + bff <= MIN_INTERLACED_SHARE * (tff + bff + progressive):
        return "progressive"
    return "tff" if tff >= bff else "bff"


def _count_frames(path: Path, start: float | None) -> tuple[int, int, int]:
    """Return how many frames are top field first, bottom field first, progressive."""
    video = video_input(path, start=start).filter("idet", intl_thres=IDET_THRESHOLD)
    output = ffmpeg.output(video, "pipe:1", format="null", **{"frames:v": FRAMES})
    lines: list[str] = []
    try:
        with FFmpegRun(output, path, lines.append, minutes=MAX_MINUTES) as run:
            run.finish()
    except UserError:
        return 0, 0, 0

    # ffmpeg may set up its filters twice; the last counts are those of the frames.
    matches = [match for line in lines if (match := _COUNTS.search(line))]
    if not matches:
        return 0, 0, 0
    tff, bff, progressive = map(int, matches[-1].groups())
    return tff, bff, progressive
