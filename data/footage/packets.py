"""Times and sizes of a video's packets, read without decoding."""

import re
from dataclasses import dataclass
from pathlib import Path

import ffmpeg
import numpy as np

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input

MAX_SECONDS = 1800
"""How much of a video is read; half an hour tells how it was encoded."""

MAX_MINUTES = 5
"""Time limit; a hostile file can keep a demuxer busy for ever."""

MAX_PACKETS = 200_000
"""Packets that are read: half an hour at 111 frames a second; 20 MB."""

_CODEC = re.compile(r"#codec_id 0: *(\S+)")


@dataclass(frozen=True)
class Packets:
    """The compressed frames of the first video stream, in the order of time."""

    seconds: np.ndarray
    """Presentation times, float64 (N,), sorted."""
    sizes: np.ndarray
    """Bytes, int64 (N,)."""
    are_keys: np.ndarray
    """Whether each is a key frame, bool (N,)."""
    codec: str = "unknown"
    """ffmpeg's name."""

    @property
    def key_times(self) -> np.ndarray:
        """Times of the key frames, float64 (K,), sorted."""
        return self.seconds[self.are_keys]

    @property
    def gaps(self) -> np.ndarray:
        """Seconds from each key frame to the next or to the end, float64 (K,)."""
        if not self.are_keys.any():
            return np.zeros(0)
        return np.diff(self.key_times, append=self.seconds[-1])

    @property
    def rate(self) -> float:
        """Mean frames per second; 0 where it is not known."""
        frames = len(self.seconds)
        if frames < 2:
            return 0.0
        first = self.seconds[0]
        last = self.seconds[-1]
        if last <= first:
            return 0.0
        return (frames - 1) / float(last - first)


NO_PACKETS = Packets(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, bool))
"""Of a file that cannot be read."""


def read_packets(path: Path) -> Packets:
    """Return the packets of a video's first `MAX_SECONDS`, from its first key frame on.

    None at all of a file that cannot be read: decoding it will report the error.
    """
    output = ffmpeg.output(
        video_input(path), "pipe:1", format="framecrc", vcodec="copy", t=MAX_SECONDS
    )
    rows: list[tuple[float, int, bool]] = []
    codec = "unknown"
    try:
        with FFmpegRun(output, path, minutes=MAX_MINUTES) as run:
            tick = 0.0
            for raw in run.stdout:
                line = raw.decode(errors="replace")
                if line.startswith("#tb 0:"):
                    tick = _tick(line)
                elif found := _CODEC.match(line):
                    codec = found[1]
                elif row := _row(line, tick):
                    rows.append(row)
                if len(rows) == MAX_PACKETS:
                    break
            else:
                run.finish()
    except (UserError, ValueError):
        rows = []

    rows.sort()
    return Packets(
        seconds=np.array([row[0] for row in rows], np.float64),
        sizes=np.array([row[1] for row in rows], np.int64),
        are_keys=np.array([row[2] for row in rows], bool),
        codec=codec,
    )


def _tick(line: str) -> float:
    """Return the seconds of a tick from a line such as "#tb 0: 1/12800"."""
    numerator, denominator = line.split(":")[1].split("/")
    return int(numerator) / int(denominator)


def _row(line: str, tick: float) -> tuple[float, int, bool] | None:
    """Return time, size and whether it is a key frame; None for another line.

    A line is "stream, dts, pts, duration, size, checksum", and ", F=0x..." follows with
    the flags of a packet that is not simply a key frame; bit 0 is that of key frames.
    """
    fields = [field.strip() for field in line.split(",")]
    if line.startswith("#") or len(fields) < 6:
        return None

    flags = 1
    for field in fields[6:]:
        if field.startswith("F=0x"):
            flags = int(field[4:], 16)
    return int(fields[2]) * tick, int(fields[4]), bool(flags & 1)
