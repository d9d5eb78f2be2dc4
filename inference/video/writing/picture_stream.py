"""The new picture: packets of all segments as one stream, with times for decoding."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
)
from realesrgan_paddle.inference.video.reading.source import (
    UNKNOWN,
    Timeline,
    VideoSource,
)
from realesrgan_paddle.inference.video.writing.copied_streams import describe
from realesrgan_paddle.utils.errors import UserError

RATE_PRECISION = 100_000
"""Largest denominator of a written rate; ffmpeg's limit for guessed rates is 60,060."""


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

    def packets(self, origin: Fraction) -> Iterator[Any]:
        """Yield the packets with the output's times.

        Args:
            origin: the source's time that becomes 0 [s].
        """
        unit = self._copy.time_base
        shown = self._shown(origin, unit)
        decoded = decoding_times(self._order, shown)
        end = round((self._timeline.end * self._timeline.time_base - origin) / unit)
        ends = [*shown[1:], max(end, shown[-1] + 1)]

        packets = zip(self._read(), self._order, decoded, strict=True)
        for packet, place, dts in packets:
            packet.time_base = unit
            packet.pts = shown[place]
            packet.dts = dts
            packet.duration = ends[place] - shown[place]
            packet.stream = self._copy
            yield packet

    def _shown(self, origin: Fraction, unit: Fraction) -> list[int]:
        """Return when each frame is shown [ticks of `unit`], strictly ascending.

        Frames less than a tick apart are a tick apart.
        """
        shown: list[int] = []
        for time in self._timeline.times:
            ticks = round((time * self._timeline.time_base - origin) / unit)
            if shown:
                ticks = max(ticks, shown[-1] + 1)
            shown.append(ticks)
        return shown

    def _describe(self, copy: Any, muxer: str) -> None:
        """Set what the coded picture may not tell itself."""
        context = copy.codec_context
        context.framerate = self._timeline.rate.limit_denominator(RATE_PRECISION)
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
        places = {time - times[0]: place for place, time in enumerate(times)}
        order: list[int] = []
        for packet in self._read():
            ticks = packet.pts * packet.time_base / self._timeline.time_base
            if ticks not in places:
                self._refuse(f"a frame at {float(ticks):g} ticks that is not expected")
            order.append(places.pop(ticks))

        if places:
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

    A packet is decoded when the frame is shown that lies as many places before it as
    any packet is late.

    Args:
        order: the place of each packet's frame in display order.
        shown: when the frames are shown, ascending.
    """
    delay = 0
    for number, place in enumerate(order):
        delay = max(delay, number - place)

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
