"""How strongly a video is compressed, from its packets and headers: nothing is decoded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ffmpeg

from realesrgan_paddle.data.footage.passport.quantizer import Quantizer, quantizer
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, video_input
from realesrgan_paddle.utils.video.probe import VideoInfo

SPAN = 60
"""Seconds of a long video that are read at each of `POSITIONS`."""

POSITIONS = (0.02, 0.35, 0.7)
"""Shares of the duration."""

MAX_MINUTES = 2
"""Time limit for the packets of one span; a hostile file can be without end."""

MAX_PACKETS = 200_000
"""Packets that are counted; 60 seconds at 3000 frames a second."""

_CODEC = re.compile(r"#codec_id 0: *(\S+)")
_TIME_BASE = re.compile(r"#tb 0: *(\d+)/(\d+)")


@dataclass(frozen=True)
class Compression:
    """What the stream tells of a video's compression; None: it does not tell."""

    codec: str = "unknown"
    bits_per_pixel: float | None = None
    """Of all frames."""
    key_bits_per_pixel: float | None = None
    """Of key frames; those are what is trained on."""
    seconds_between_keys: float | None = None
    """Mean; None with fewer than two key frames in what was read."""
    quantizer: Quantizer | None = None
    """Of key frames."""


@dataclass
class _Packets:
    """The packets of a video, or of a few spans of it."""

    codec: str = "unknown"
    count: int = 0
    keys: int = 0
    size: int = 0
    key_size: int = 0
    gaps: int = 0
    """Pairs of key frames that follow each other in one span."""
    gap_seconds: float = 0.0
    """Seconds between them, together."""


def compression(path: Path, info: VideoInfo) -> Compression:
    """Return how strongly a video is compressed.

    Short videos are read as a whole, of long ones three minutes. A file that cannot be
    read has all figures unknown: extracting its frames will report the error.

    Args:
        path: a local file.
        info: what `probe` returned for it.
    """
    packets = _Packets()
    for start, seconds in _spans(info.seconds):
        _count_packets(path, packets, start, seconds)
    if not packets.count:
        return Compression()

    pixels = info.width * info.height
    per_key = None
    if packets.keys:
        per_key = round(8 * packets.key_size / packets.keys / pixels, 4)
    between = None
    if packets.gaps:
        between = round(packets.gap_seconds / packets.gaps, 3)
    return Compression(
        codec=packets.codec,
        bits_per_pixel=round(8 * packets.size / packets.count / pixels, 4),
        key_bits_per_pixel=per_key,
        seconds_between_keys=between,
        quantizer=quantizer(path, info.seconds, packets.codec),
    )


def _spans(seconds: float | None) -> Sequence[tuple[float | None, float]]:
    """Return start and length [s] of what is read of a video."""
    most = SPAN * len(POSITIONS)
    if seconds is None or seconds <= most:
        return [(None, most)]

    spans = []
    for share in POSITIONS:
        start = seconds * share
        spans.append((start, SPAN))
    return spans


def _count_packets(
    path: Path, packets: _Packets, start: float | None, seconds: float
) -> None:
    """Add the packets of a span."""
    # framecrc writes a line for each packet; the flags follow unless it is a key frame.
    output = ffmpeg.output(
        video_input(path, start=start), "pipe:1", format="framecrc", c="copy", t=seconds
    )
    tick = 0.0
    previous: float | None = None
    try:
        with FFmpegRun(output, path, _ignore, minutes=MAX_MINUTES) as run:
            for raw in run.stdout:
                line = raw.decode(errors="replace")
                if found := _CODEC.match(line):
                    packets.codec = found[1]
                if found := _TIME_BASE.match(line):
                    tick = int(found[1]) / max(1, int(found[2]))
                if line.startswith("#"):
                    continue

                _stream, _dts, pts, _duration, size, _crc, *flags = line.split(",")
                packets.count += 1
                packets.size += int(size)
                if not any("F=" in flag for flag in flags):
                    packets.keys += 1
                    packets.key_size += int(size)
                    time = int(pts) * tick
                    if previous is not None and time > previous:
                        packets.gaps += 1
                        packets.gap_seconds += time - previous
                    previous = time
                if packets.count >= MAX_PACKETS:
                    return
    except (UserError, ValueError):
        return


def _ignore(line: str) -> None:
    """Take no notice of what ffmpeg prints."""
