"""The new picture, and all that the source has besides its own, put into one file."""

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.format import Flags

from realesrgan_paddle.inference.video.reading.packet_times import FileClock
from realesrgan_paddle.inference.video.reading.source import (
    UNKNOWN,
    Timeline,
    VideoSource,
    open_container,
    read_packets,
    read_whole,
)
from realesrgan_paddle.inference.video.writing.containers import (
    WRITES_RATES,
    add_cover,
    is_cover,
    muxer_for,
    takes,
)
from realesrgan_paddle.inference.video.writing.copied_streams import (
    CopiedStream,
    Window,
    add_copy,
    describe,
    file_metadata,
)
from realesrgan_paddle.utils.errors import UserError

DISCARD_ALL = 48
"""libavcodec's AVDISCARD_ALL."""
EDIT_LISTS = {"mp4", "mov"}
"""Containers that tell a player to hide what comes before the first moment."""

MOST_TICKS = 2**31 - 1
"""In a second of an mp4; ffmpeg's limit."""


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
        picture: "PictureStream",
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
        shown = self._picture.packets(self._window.origin, self._remark)
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
            if "timecode" in stream.metadata and not WRITES_RATES:
                self._remark(
                    f"the time code is left out: PyAV {av.__version__} does not write it, "
                    "PyAV 18 does (from Python 3.11 on)"
                )
            return

        if is_cover(stream) and takes(output.format.name, stream):
            cover = add_cover(output, stream, source.path)
            if cover is not None:
                self._covers.append(cover)
            return

        copy = add_copy(output, stream, self._window, self._remark)
        if copy is not None:
            self._copies[stream.index] = copy

    def _copied(self) -> Iterator[Any]:
        """Yield the packets of all copied streams, with the output's times."""
        source = self._picture.source
        clock = FileClock(source)
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
    # A stream that no decoder knows has no rate.
    rates = [getattr(stream, "sample_rate", 0) for stream in original.streams.audio]
    ticks = math.lcm(timeline.time_base.denominator, *filter(None, rates))
    if ticks > MOST_TICKS:
        ticks = timeline.time_base.denominator

    # Keys such as com.apple.quicktime.make are written in another place than titles.
    has_domains = any("." in key for key in metadata)
    flags = "+faststart+use_metadata_tags" if has_domains else "+faststart"
    return {"movflags": flags, "movie_timescale": str(ticks)}


class PictureStream:
    """The stream that the segments make together.

    Args:
        source: the video; its picture is replaced.
        timeline: when each frame is shown.
        segments: NUT files in order; their times count from the first frame on.

    Raises:
        UserError: they hold other frames than those of the time line.
    """

    def __init__(
        self, source: VideoSource, timeline: Timeline, segments: Sequence[Path]
    ) -> None:
        self.source = source
        self._timeline = timeline
        self._segments = segments
        self._order = self._display_order()
        self._copy: Any = None

    def add_to(self, output: Any, origin: Any) -> None:
        """Add the stream to an output; its texts and dispositions are the source's."""
        with open_container(self._segments[0]) as segment:
            template = segment.streams[0]
            copy = output.add_stream_from_template(template, opaque=True)

        describe(copy, origin, coded_anew=True)
        copy.time_base = self._timeline.time_base
        self._describe(copy, output.format.name)
        self._copy = copy

    def packets(self, origin: Fraction, remark: Callable[[str], None]) -> Iterator[Any]:
        """Yield the packets with the output's times.

        Args:
            origin: the source's time that becomes 0 [s].
            remark: is told if the output's ticks are too long for some times.
        """
        unit = self._copy.time_base
        shown, moved = self._shown(origin, unit)
        if moved:
            remark(
                f"{moved:,} frames follow others within the shortest time that this "
                f"container knows, {float(unit) * 1e3:g} ms, and are shown that much later"
            )
        decoded = decoding_times(self._order, shown)
        end = round((self._timeline.end * self._timeline.time_base - origin) / unit)
        ends = [*shown[1:], max(end, shown[-1] + 1)]

        packets = zip(self._read(), self._order, decoded, strict=True)
        for packet, position, dts in packets:
            packet.time_base = unit
            packet.pts = shown[position]
            packet.dts = dts
            packet.duration = ends[position] - shown[position]
            packet.stream = self._copy
            yield packet

    def _shown(self, origin: Fraction, unit: Fraction) -> tuple[list[int], int]:
        """Return when each frame is shown [ticks of `unit`], strictly ascending.

        Frames less than a tick apart are a tick apart; how many is the second value.
        """
        shown: list[int] = []
        moved = 0
        for time in self._timeline.times:
            ticks = round((time * self._timeline.time_base - origin) / unit)
            if shown and ticks <= shown[-1]:
                ticks = shown[-1] + 1
                moved += 1
            shown.append(ticks)
        return shown, moved

    def _describe(self, copy: Any, muxer: str) -> None:
        """Set what the coded picture may not tell itself."""
        context = copy.codec_context
        context.framerate = self._timeline.written_rate
        if context.name == "hevc" and muxer in {"mp4", "mov"}:
            context.codec_tag = "hvc1"  # the only one that Apple's players take

        colors = self.source.colors
        if context.color_primaries == UNKNOWN:
            context.color_primaries = colors.primaries
        if context.color_trc == UNKNOWN:
            context.color_trc = colors.transfer
        if context.colorspace == UNKNOWN:
            context.colorspace = colors.matrix
        if not context.color_range:
            context.color_range = colors.range
        if context.sample_aspect_ratio is None:
            context.sample_aspect_ratio = self.source.aspect

        matrix = self.source.display_matrix
        if matrix is not None:
            copy.set_display_matrix(without_shift(matrix))

    def _display_order(self) -> list[int]:
        """Return which frame each packet holds, in the order of decoding."""
        times = self._timeline.times
        positions = {time - times[0]: index for index, time in enumerate(times)}
        order: list[int] = []
        for packet in self._read():
            ticks = packet.pts * packet.time_base / self._timeline.time_base
            if ticks not in positions:
                self._refuse(f"a frame at {float(ticks):g} ticks that is not expected")
            order.append(positions.pop(ticks))

        if positions:
            self._refuse(f"{len(order)} of {len(self._timeline.times)} frames")
        return order

    def _read(self) -> Iterator[Any]:
        for path in self._segments:
            with open_container(path) as segment:
                yield from read_packets(segment, segment.streams[0])

    def _refuse(self, found: str) -> None:
        folder = self._segments[0].parent
        raise UserError(
            f"{folder}: its segments hold {found}; remove this folder and start again"
        )


def decoding_times(order: Sequence[int], shown: Sequence[int]) -> list[int]:
    """Return when each packet is decoded: ascending, and not after it is shown.

    A packet is decoded when the frame is shown that comes as many frames before its own
    as any packet is late.

    Args:
        order: the position of each packet's frame in display order.
        shown: when the frames are shown, ascending.
    """
    delay = 0
    for number, position in enumerate(order):
        delay = max(delay, number - position)

    step = 1
    if len(shown) > 1:
        step = min(np.diff(shown).tolist())

    first = shown[0] - delay * step
    before = range(first, shown[0], step)
    decoded = [*before, *shown]
    return decoded[: len(shown)]


def without_shift(matrix: Sequence[int]) -> list[int]:
    """Return a display matrix that turns only: a shift counts the old picture's pixels."""
    turned = list(matrix)
    turned[6] = 0  # to the right
    turned[7] = 0  # down
    return turned
