"""Whether a video is interlaced: told from its pictures, for what files say of themselves is often wrong."""

import re
from pathlib import Path

import ffmpeg

from realesrgan_paddle.data.footage.video import FieldOrder, VideoInfo
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input

INTERLACED_SHARE = 0.2
"""A video is interlaced if more of its frames are; of film that was turned into 60 fields a second, 2 of 5 are."""

FRAMES = 50
"""How many frames are looked at in each place."""

_COUNTS = re.compile(
    r"Multi frame detection: TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)"
)


def field_order(path: Path, info: VideoInfo) -> FieldOrder:
    """Return the order of a video's fields, or "progressive", as ffmpeg's idet filter tells from its frames.

    Of a video of more than 20 seconds three places are looked at, for its beginning may
    be of another kind. A still picture shows no fields and is taken for progressive.

    Args:
        path: a local file.
        info: what `probe` returned for it.
    """
    seconds = info.seconds or 0.0
    places = [None] if seconds <= 20 else [seconds * share for share in (0.1, 0.5, 0.8)]
    tff, bff, progressive = (
        sum(counts)
        for counts in zip(*(_count(path, start) for start in places), strict=True)
    )
    if tff + bff <= INTERLACED_SHARE * (tff + bff + progressive):
        return "progressive"
    return "tff" if tff >= bff else "bff"


def _count(path: Path, start: float | None) -> tuple[int, int, int]:
    """Return how many frames from a time on have the top field first, the bottom field first, are progressive."""
    lines: list[str] = []
    # idet's own threshold, 1.04, takes fine horizontal lines for fields.
    graph = video_input(path, start=start).filter("idet", intl_thres=1.1)
    output = ffmpeg.output(graph, "pipe:1", format="null", **{"frames:v": FRAMES})
    try:
        with FFmpegRun(output, path, lines.append, minutes=5) as run:
            run.finish()
    except UserError:
        return (
            0,
            0,
            0,
        )  # where a file is damaged there is nothing to tell; taking its frames will say so
    # ffmpeg may set up the filters twice; the last counts are those of the frames.
    found = [match for match in map(_COUNTS.search, lines) if match]
    tff, bff, progressive = map(int, found[-1].groups()) if found else (0, 0, 0)
    return tff, bff, progressive
