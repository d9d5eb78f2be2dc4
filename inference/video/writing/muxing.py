"""The new picture, and all that the source has besides its own, put into one file."""

import heapq
import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.format import Flags

from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
    read_whole,
)
from realesrgan_paddle.inference.video.reading.source import Timeline, VideoSource
from realesrgan_paddle.inference.video.writing.containers import (
    ATTACHMENTS,
    codec_name,
    is_cover,
    muxer_for,
    takes,
)
from realesrgan_paddle.inference.video.writing.copied_streams import (
    CopiedStream,
    Window,
    add_copy,
    file_metadata,
)
from realesrgan_paddle.inference.video.writing.picture_stream import PictureStream
from realesrgan_paddle.utils.errors import UserError

DISCARD_ALL = 48
"""libavcodec's AVDISCARD_ALL."""
EDIT_LISTS = {"mp4", "mov"}
"""Containers that tell a player to hide what comes before the first moment."""

MOST_TICKS = 2**31 - 1
"""In a second of an mp4; ffmpeg's limit."""

MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png", "bmp": "image/bmp"}
"""Decoder -> the media type of its pictures."""
SUFFIXES = {"mjpeg": ".jpg", "png": ".png", "bmp": ".bmp"}


def mux(
    source: VideoSource,
    timeline: Timeline,
    segments: Sequence[Path],
    target: Path,
    *,
    start: Fraction | None = None,
    end: Fraction | None = None,
    remark: Callable[[str], None],
) -> None:
    """Write the picture of the segments and everything else of the source to `target`.

    Nothing is coded anew but text subtitles, where the container has its own codec of
    them. The order of the streams is kept. `check_container` has been called before.

    Args:
        source: where sound, subtitles, chapters, ... come from.
        timeline: when each frame of the segments is shown, in the source's time.
        segments: NUT files in order; their packets have the times of `timeline`,
            counted from its first.
        target: the file to write. Its suffix chooses the container.
        start: begin of the part that is written, in the source's time [s]. It becomes 0.
            None: from the begin.
        end: its end, in the source's time [s]; None: to the end.
        remark: called with what a user should know, such as a stream left out.

    Raises:
        UserError: the segments are not the frames of `timeline`, or a packet cannot be
            written.
        OSError: the disk is full, ...
    """
    muxer = muxer_for(target)
    picture = PictureStream(source, timeline, segments)
    with open_container(source.path) as original:
        origin = _origin(source, original, start)
        window = Window(origin, start, end, hides=muxer in EDIT_LISTS)
        job = _Mux(original, picture, window, remark)

        metadata = file_metadata(original)
        output = av.open(
            f"file:{target}",
            "w",
            format=muxer,
            container_options=_muxer_options(muxer, timeline, original, metadata),
            metadata_errors="replace",
        )
        try:
            with output:
                output.metadata.update(metadata)
                output.set_chapters(window.chapters(original))
                job.write(output)
        except av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise UserError(
                f"{target}: cannot be written ({error.strerror})"
            ) from error


class _Mux:
    """Brings the streams of a source and a new picture into an output."""

    def __init__(
        self,
        original: Any,
        picture: PictureStream,
        window: Window,
        remark: Callable[[str], None],
    ) -> None:
        self._original = original
        self._picture = picture
        self._window = window
        self._remark = remark
        self._copies: dict[int, CopiedStream] = {}
        self._covers: list[Any] = []

    def write(self, output: Any) -> None:
        """Write all to an open output."""
        for stream in self._original.streams:
            self._add(output, stream)
        output.start_encoding()

        output.mux(self._covers)
        shown = self._picture.packets(self._window.origin)
        for packet in heapq.merge(shown, self._copied(), key=_decoding_time):
            try:
                output.mux(packet)
            except (av.InvalidDataError, av.PatchWelcomeError):
                # A damaged packet; the containers of AAC look into it.
                index = packet.stream.index
                names = [c.name for c in self._copies.values() if c.index == index]
                if not names:
                    raise
                self._remark(f"{names[0]}: damaged packets are left out")

    def _add(self, output: Any, stream: Any) -> None:
        source = self._picture.source
        if stream.index == source.stream:
            self._picture.add_to(output, stream)
            return
        if _is_made_anew(stream):
            return

        if is_cover(stream) and takes(output.format.name, stream):
            cover = _add_cover(output, stream, source.path)
            if cover is not None:
                self._covers.append(cover)
            return

        copy = add_copy(output, stream, self._window, self._remark)
        if copy is not None:
            self._copies[stream.index] = copy

    def _copied(self) -> Iterator[Any]:
        """Yield the packets of all copied streams, with the output's times."""
        source = self._picture.source
        clock = _Clock(source)
        wanted = [source.stream, *self._copies]
        streams = [self._original.streams[index] for index in wanted]
        for packet in read_whole(source.path, self._original, streams):
            copy = self._copies.get(packet.stream.index)
            if copy is None:
                clock.follow()
                continue
            placed = copy.place(packet, clock.offset(packet))
            if placed is not None:
                yield placed


def _is_made_anew(stream: Any) -> bool:
    """Return whether a stream of an mp4 or mov is made from what else is copied.

    The time code also stands in the picture's metadata. Names and pictures of chapters
    are discarded by libavformat, which PyAV 17 does not tell.
    """
    if stream.type == "data" and "timecode" in stream.metadata:
        return True
    return getattr(stream, "discard", None) == DISCARD_ALL


def _decoding_time(packet: Any) -> Fraction:
    return packet.dts * packet.time_base


def _origin(source: VideoSource, original: Any, start: Fraction | None) -> Fraction:
    """Return the source's time that becomes 0 [s].

    The clock of a broadcast has run since long before the file begins.
    """
    if start is not None:
        return start
    has_own_clock = bool(Flags(original.format.flags) & Flags.ts_discont)
    return source.start if has_own_clock else Fraction(0)


def _muxer_options(
    muxer: str, timeline: Timeline, original: Any, metadata: dict[str, str]
) -> dict[str, str]:
    if muxer not in EDIT_LISTS:
        return {}

    # When a stream begins stands in ticks of the whole file, which are milliseconds if
    # nothing else is said.
    rates = [stream.sample_rate for stream in original.streams.audio]
    ticks = math.lcm(timeline.time_base.denominator, *filter(None, rates))
    if ticks > MOST_TICKS:
        ticks = timeline.time_base.denominator

    # Keys such as com.apple.quicktime.make are written in another place than titles.
    has_domains = any("." in key for key in metadata)
    flags = "+faststart+use_metadata_tags" if has_domains else "+faststart"
    return {"movflags": flags, "movie_timescale": str(ticks)}


class _Clock:
    """Tells what is added to the times of other packets where a file's clock went back.

    It follows the picture through the file. Sound lies in the file near the picture that
    it is heard with. So of all offsets the one is right that brings its time nearest to
    the picture's.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._unit = source.timeline.time_base
        self._offsets = sorted({0, *(jump.shift for jump in source.jumps)})
        self._packets = 0
        self._shown = source.timeline.times[0]

    def follow(self) -> None:
        """Go on by a packet of the picture."""
        frame = self._source.packets.frames[self._packets]
        self._packets += 1
        if frame >= 0:
            self._shown = self._source.timeline.times[frame]

    def offset(self, packet: Any) -> Fraction:
        """Return what is added to the time of a packet of another stream [s]."""
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is None or len(self._offsets) == 1:
            return Fraction(0)

        time = ticks * packet.time_base
        wanted = self._shown - time / self._unit
        place = bisect(self._offsets, wanted)
        first = max(0, place - 1)
        around = self._offsets[first : place + 1]

        def distance(offset: int) -> Fraction:
            """Return how far an offset is from the wanted one [ticks]."""
            return abs(offset - wanted)

        nearest = min(around, key=distance)
        return nearest * self._unit


def _add_cover(output: Any, stream: Any, path: Path) -> Any | None:
    """Add a cover to the output; return the packet that is still to be written.

    It is a stream with one packet in mp4, an attached file in Matroska.

    Args:
        output: its container takes covers.
        stream: the cover of the source.
        path: of the source.
    """
    packet = _first_packet(path, stream.index)
    if packet is None:
        return None

    if output.format.name in ATTACHMENTS:
        codec = codec_name(stream)
        name = f"cover{SUFFIXES.get(codec, '')}"
        kind = MIME_TYPES.get(codec, "image/jpeg")
        attachment = output.add_attachment(name, kind, bytes(packet))
        attachment.metadata.update(stream.metadata)  # its own name and kind, if it has
        return None

    copy = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition.value
    packet.stream = copy
    packet.pts = packet.dts = 0
    return packet


def _first_packet(path: Path, index: int) -> Any | None:
    """Return the first packet of a stream."""
    with open_container(path) as original:
        cover = original.streams[index]
        packets = read_packets(original, cover)
        return next(packets, None)
