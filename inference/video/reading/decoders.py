"""Decoders: which packet a frame is from, which are damaged; the frames from any one on.

A seek begins two key frames early, and the packet found there is recognized by time and
size; where a file does not lead to the right one, it is read from its beginning. So a
frame is the same wherever decoding began.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from realesrgan_paddle.inference.video.reading.source import (
    VideoSource,
    open_container,
    read_packets,
)
from realesrgan_paddle.utils.errors import UserError, lacks_memory

NumberedFrame = tuple[int, Any]
"""The number of a packet, and the VideoFrame that it became."""

ERRORS = {"err_detect": "explode"}
"""libavcodec's option for errors in place of concealed damage."""

PREROLL_SECONDS = 1
"""Decoding begins at least this long before the first frame that is wanted."""

MAX_SEARCH = 1000
"""Packets after a seek among which a known key frame is looked for."""


class Decoder:
    """Decodes packets in several threads, up to the first damaged one.

    Args:
        stream: of a container that nothing has been decoded of.
        number: of the first packet.

    Raises:
        MemoryError: there is no room for its threads.
    """

    def __init__(self, stream: Any, number: int) -> None:
        self.number = number
        self._context = _prepared(stream)
        self._context.thread_type = "AUTO"
        self._context.options = ERRORS
        try:
            self._context.open(strict=False)
        except av.FFmpegError as error:
            if lacks_memory(error):
                raise MemoryError(str(error)) from error
            # Any other is told by the first packet.

    def decode(self, packet: Any) -> list[NumberedFrame]:
        """Return the frames that are ready.

        Args:
            packet: the next one; None: there are no more.

        Raises:
            av.FFmpegError: this packet, or one of those before, is damaged. What comes
                out afterwards may lack more frames than those of damaged packets.
        """
        if packet is not None:
            packet.opaque = _Number(self.number)
            self.number += 1
        return _numbered(self._context.decode(packet))


class CarefulDecoder:
    """Decodes packets and tells which are damaged, at half the speed of one thread.

    A decoder that stops at errors may also lose a frame that it still holds. So one
    decoder finds the errors, and another, which conceals them, gives the frames.

    Args:
        stream: of a container that nothing has been decoded of.
        same_stream: the same of another container.
        number: of the first packet.
    """

    def __init__(self, stream: Any, same_stream: Any, number: int) -> None:
        self.number = number
        self.damaged: set[int] = set()
        self._context = _prepared(stream)
        self._strict = _prepared(same_stream)
        self._strict.options = ERRORS
        # With threads an error is told later than its packet is given.
        for context in (self._context, self._strict):
            context.thread_count = 1

    def decode(self, packet: Any) -> list[NumberedFrame]:
        """Return the frames that are ready, those of damaged packets too.

        Args:
            packet: the next one; None: there are no more.
        """
        if packet is not None:
            packet.opaque = _Number(self.number)
            self.number += 1

        try:
            self._strict.decode(packet)
        except av.FFmpegError:
            self.damaged.add(self.number - 1)
        try:
            return _numbered(self._context.decode(packet))
        except av.FFmpegError:
            self.damaged.add(self.number - 1)
            return []


@contextmanager
def careful_decoder(
    path: Path, stream: Any, number: int = 0
) -> Iterator[CarefulDecoder]:
    """Make a careful decoder of a file's stream; a context manager."""
    with open_container(path) as container:
        same_stream = container.streams[stream.index]
        yield CarefulDecoder(stream, same_stream, number)


@dataclass(frozen=True)
class _Number:
    """The number of a packet, as PyAV hands it on to the packet's frame.

    PyAV knows such an object by its address, which small integers share with those of
    another decoder that runs at the same time: then the frame's would be lost.
    """

    value: int


def _prepared(stream: Any) -> Any:
    """Return the codec context of a stream, whose frames will tell their packets."""
    context = stream.codec_context
    context.copy_opaque = True
    return context


def _numbered(frames: list[Any]) -> list[NumberedFrame]:
    numbered = []
    for frame in frames:
        if frame.is_corrupt:
            continue
        numbered.append((frame.opaque.value, frame))
    return numbered


class _LostTrackError(Exception):
    """The packets are not those that were found when the file was opened."""


class _GapError(Exception):
    """A frame did not come: it is damaged, or lost beside a damaged one."""


@dataclass(frozen=True)
class _Entry:
    """Where decoding begins.

    Attributes:
        packets: decoding may begin at any key packet from the first of them to the
            second; None: it begins with the file.
        safe_packet: the first packet whose frame, and all that are shown after it,
            come out right.
        safe_frame: number of its frame.
    """

    packets: tuple[int, int] | None
    safe_packet: int
    safe_frame: int


BEGINNING = _Entry(None, 0, 0)


def decodable_frames(source: VideoSource, first: int) -> Iterator[NumberedFrame]:
    """Yield the frames that can be decoded, each with its number, in order.

    They are the very frames of a decoder that began at the beginning of the file. Those
    before `first` that were decoded on the way come too.

    Raises:
        UserError: the file is not the one that was opened.
    """
    total = len(source.timeline.times)
    entry = _entry(source, first)
    due = entry.safe_frame
    decode = _decode_fast

    while True:
        try:
            for packet, frame in decode(source, entry):
                number = int(source.frames[packet])
                if number < due:
                    continue
                if number > due and decode is _decode_fast:
                    raise _GapError
                due = number + 1
                yield number, frame

            if due < total and decode is _decode_fast:
                raise _GapError
            return

        except _LostTrackError:
            if entry is BEGINNING:
                raise UserError(f"{source.path}: it changes while it is read") from None
            entry = BEGINNING

        except (av.FFmpegError, _GapError):
            decode = _decode_carefully
            entry = _entry(source, max(due, first))


def _entry(source: VideoSource, first: int) -> _Entry:
    """Return where decoding begins to come to a frame.

    Frames that follow a key frame in the file but are shown before it may need others
    from before it, and H.264 has key frames that are perfect only after a while. So
    decoding begins two key frames before the frame that is wanted, or earlier.
    """
    times = source.timeline.times
    frames = source.frames
    latest = times[first] - PREROLL_SECONDS / source.timeline.time_base

    keys = []
    for packet in np.flatnonzero(source.packets.keys).tolist():
        frame = int(frames[packet])
        if 0 <= frame <= first:
            keys.append((frame, packet))
    keys.sort()

    safe = len(keys) - 1
    while safe > 1 and times[keys[safe - 1][0]] > latest:
        safe -= 1
    if safe < 2:
        return BEGINNING

    # Some containers find a place only roughly, so they are asked for the one before.
    _, sought = keys[safe - 2]
    _, begin = keys[safe - 1]
    safe_frame, safe_packet = keys[safe]
    return _Entry((sought, begin), safe_packet, safe_frame)


def _decode_fast(source: VideoSource, entry: _Entry) -> Iterator[NumberedFrame]:
    """Yield the frames from an entry on; some before its safe one are missing or wrong.

    Raises:
        av.FFmpegError: some frame cannot be decoded.
    """
    with open_container(source.path) as container:
        picture = container.streams[source.stream]
        number, packets = _enter(source, container, picture, entry)
        decoder = Decoder(picture, number)

        for packet in chain(packets, [None]):
            _check(source, decoder.number, packet)
            try:
                frames = decoder.decode(packet)
            except av.FFmpegError:
                if decoder.number > entry.safe_packet:
                    raise
                continue
            yield from frames


def _decode_carefully(source: VideoSource, entry: _Entry) -> Iterator[NumberedFrame]:
    """Yield the frames that can be decoded, from an entry on."""
    with open_container(source.path) as container:
        picture = container.streams[source.stream]
        number, packets = _enter(source, container, picture, entry)

        with careful_decoder(source.path, picture, number) as decoder:
            for packet in chain(packets, [None]):
                _check(source, decoder.number, packet)
                for owner, frame in decoder.decode(packet):
                    if owner not in decoder.damaged:
                        yield owner, frame


def _enter(
    source: VideoSource, container: Any, picture: Any, entry: _Entry
) -> tuple[int, Iterator[Any]]:
    """Return the packets from an entry on, and the number of the first.

    Raises:
        _LostTrackError: the container led somewhere else.
    """
    if entry.packets is None:
        return 0, read_packets(container, picture)

    earliest, latest = entry.packets
    time = int(source.packets.times[earliest])
    try:
        container.seek(time, stream=picture)
    except av.FFmpegError as error:
        raise _LostTrackError from error

    packets = read_packets(container, picture)
    for packet in islice(packets, MAX_SEARCH):
        number = _number_of(source, packet)
        if number is not None and number <= latest:
            return number, chain([packet], packets)
    raise _LostTrackError


def _number_of(source: VideoSource, packet: Any) -> int | None:
    """Return which of the key packets it is; None: none, or it cannot be told."""
    if packet.pts is None or not packet.is_keyframe:
        return None
    keys = np.flatnonzero(source.packets.keys)
    is_it = source.packets.times[keys] == packet.pts
    is_it &= source.packets.sizes[keys] == packet.size
    found = keys[is_it]
    return int(found[0]) if len(found) == 1 else None


def _check(source: VideoSource, number: int, packet: Any) -> None:
    """Raise _LostTrackError if the packet is not the one of this number."""
    sizes = source.packets.sizes
    if packet is None:
        is_right = number == len(sizes)
    else:
        is_right = number < len(sizes) and packet.size == sizes[number]
    if not is_right:
        raise _LostTrackError
