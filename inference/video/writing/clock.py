"""What is added to a file's times where its clock has gone back."""

from bisect import bisect
from fractions import Fraction
from typing import Any

from realesrgan_paddle.inference.video.source import VideoSource


class Clock:
    """Follows the picture through the file, and tells the offset of other packets.

    Sound lies in the file near the picture that it is heard with. So of all offsets the
    one is right that brings its time nearest to the picture's.
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
