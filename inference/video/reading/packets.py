"""The packets of a video's picture stream, read without decoding them."""

import errno
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from realesrgan_paddle.inference.video.reading.source import NO_TIME
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import CONTAINERS, MAX_STREAMS
from realesrgan_paddle.utils.files import check_regular, check_utf8

OPENING = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "file",
    "max_streams": str(MAX_STREAMS),
}
"""libavformat's options: no network, and no playlists, which open other files."""

NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails
"""Streams of cover art and previews, which are not the video."""

MAX_REPEATED = 8
"""How often a file's bytes may be read as packets.

An edit list may show a scene again; a hostile index makes a file of any length.
"""


@dataclass(frozen=True)
class PacketScan:
    """What the packets of a picture stream tell, in the file's order.

    Attributes:
        times: int64, when each is shown [ticks]; `NO_TIME`: not known.
        decoding_times: int64, when each is decoded [ticks], or `NO_TIME`.
        durations: int64 [ticks]; 0: not known.
        sizes: int64 [bytes].
        keys: bool, whether it holds a key frame.
        discarded: bool, whether it is not to be shown: an edit list says so, or it is
            the last one and cut.
        cut: the last one is cut: the file ends within it.
    """

    times: np.ndarray
    decoding_times: np.ndarray
    durations: np.ndarray
    sizes: np.ndarray
    keys: np.ndarray
    discarded: np.ndarray
    cut: bool


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a video; a context manager that closes it.

    Yields:
        PyAV's InputContainer.

    Raises:
        UserError: the file is none that may be opened.
    """
    check_utf8(path)
    check_regular(path)
    # "file:" keeps a name with a colon from being read as a protocol.
    name = f"file:{path}"
    try:
        container = av.open(name, options=OPENING, metadata_errors="replace")
    except av.FFmpegError as error:
        reason = error.strerror
        if error.errno == errno.ENOMEM:
            # All that libavformat says of it, other than a line on stderr.
            reason += f", or more than {MAX_STREAMS} streams"
        raise UserError(f"{path}: not a readable video ({reason})") from error
    with container:
        yield container


def picture_streams(container: Any) -> list[Any]:
    """Return the video streams that are no cover art."""
    streams = container.streams.video
    return [stream for stream in streams if not stream.disposition & NO_PICTURE]


def read_packets(container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets with data, to the end or to where the file cannot be read on.

    AVI has packets without data where the frame before is shown longer.
    """
    packets = container.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def read_whole(path: Path, container: Any, streams: Any) -> Iterator[Any]:
    """Yield the packets as `read_packets`, but not without end.

    Args:
        path: of the file.
        container: the file, open.
        streams: one of its streams, or several.

    Raises:
        UserError: the file is made to keep its reader busy.
    """
    limit = MAX_REPEATED * path.stat().st_size
    total = 0
    for packet in read_packets(container, streams):
        total += packet.size
        if total > limit:
            raise UserError(
                f"{path}: damaged: its index reads the same bytes over and over"
            )
        yield packet


def why_undecodable(path: Path) -> str | None:
    """Return why a video has no frame that can be decoded; None: its packets look well.

    None too for a file that cannot be opened or has no picture stream.
    """
    try:
        with open_container(path) as container:
            stream = picture_streams(container)[0]
            packet = next(read_packets(container, stream), None)
            if packet is None:
                return "there is no frame in it"
            if packet.has_sidedata("encryption_info"):
                return "encrypted; only videos without copy protection can be upscaled"
    except (UserError, IndexError):
        pass
    return None


def scan_packets(path: Path, stream: int) -> PacketScan:
    """Return what the packets of a stream tell; the file is read once, whole.

    Raises:
        UserError: the file is none that may be opened, or it is made to keep its
            reader busy.
    """
    columns = [array("q") for _ in range(6)]
    is_cut = False
    with open_container(path) as container:
        picture = container.streams[stream]
        for packet in read_whole(path, container, picture):
            for column, value in zip(columns, _values(packet), strict=True):
                column.append(value)
            is_cut = packet.is_corrupt

    times, decoding_times, durations, sizes, *flags = map(np.array, columns)
    keys, discarded = (flag.astype(bool) for flag in flags)
    found = PacketScan(
        times, decoding_times, durations, sizes, keys, discarded, cut=False
    )
    return without_last(found) if is_cut else found


def without_last(found: PacketScan) -> PacketScan:
    """Return a scan whose last packet is cut, so that it is not shown."""
    discarded = found.discarded.copy()
    discarded[-1] = True
    return replace(found, discarded=discarded, cut=True)


def _values(packet: Any) -> tuple[int, ...]:
    return (
        NO_TIME if packet.pts is None else packet.pts,
        NO_TIME if packet.dts is None else packet.dts,
        packet.duration or 0,
        packet.size,
        packet.is_keyframe,
        packet.is_discard,
    )
