"""Small frames of a stretch of a video, to see what changes there."""

import queue
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import ffmpeg
import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input
from realesrgan_paddle.utils.likeness import SMALL_SIZE

MIN_SPACING = 0.03
"""Seconds from a small frame to the next, at least; of 50 a second, every other."""

MAX_MINUTES = 2
"""Time limit for a stretch; a hostile file can keep a decoder busy for ever."""

_TIME = re.compile(r"n: *\d+ pts: *\S+ pts_time: *(\S+) ")


class SmallFrame(NamedTuple):
    """A small frame."""

    seconds: float
    image: np.ndarray
    """uint8 RGB (54, 96, 3)."""


def small_frames(path: Path, start: float, end: float) -> Iterator[SmallFrame]:
    """Yield small frames of a video from `start` to `end` [s], while ffmpeg decodes.

    Fewer, or none, where it cannot be decoded. ffmpeg is stopped when the caller stops.
    """
    # Half a millisecond later, because the time of a key frame may be rounded up, and
    # the key frame before it may be far.
    begin = max(0.0, start) + 0.0005
    video = video_input(path, start=begin, rough=True)
    in_time = f"gte(t,-0.001)*lte(t,{end - begin:.6f})"
    spaced = f"isnan(prev_selected_t)+gte(t-prev_selected_t,{MIN_SPACING})"
    small = (
        video.filter("trim", end=end - begin + 0.001)
        .filter("select", f"{in_time}*({spaced})")
        .filter("showinfo", checksum=0)
        .filter("settb", 1000)
        .filter("setpts", "N")
        .filter("scale", *SMALL_SIZE, flags="area")
    )
    times: queue.SimpleQueue[float] = queue.SimpleQueue()

    def watch(line: str) -> None:
        """Note the time of each frame."""
        if match := _TIME.search(line):
            times.put(float(match[1]))

    output = _raw_output(small)
    try:
        with FFmpegRun(output, path, watch, minutes=MAX_MINUTES) as run:
            for image in _read_raw(run.stdout):
                yield SmallFrame(begin + times.get(timeout=60), image)
    except (UserError, ValueError, queue.Empty):
        return


def _raw_output(video: Any) -> Any:
    """Return the ffmpeg graph that writes raw RGB frames to standard output."""
    return ffmpeg.output(
        video, "pipe:1", format="rawvideo", pix_fmt="rgb24", r="1/1000", threads=1
    )


def _read_raw(stream: IO[bytes]) -> Iterator[np.ndarray]:
    """Yield the images, uint8 RGB (54, 96, 3), of a stream of raw frames."""
    width, height = SMALL_SIZE
    size = width * height * 3
    while len(data := stream.read(size)) == size:
        samples = np.frombuffer(data, np.uint8)
        yield samples.reshape(height, width, 3)
