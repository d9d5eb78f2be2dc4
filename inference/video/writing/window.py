"""Which part of a video is written, and what its chapters are then."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Window:
    """Which part of the source goes into the output, and where its zero is.

    Attributes:
        origin: the source's time that becomes 0 [s].
        start: begin of the part in the source's time [s]; None: all from the begin.
        end: its end [s]; None: up to the end.
        hides: the container can hide what a sound has before its begin.
    """

    origin: Fraction
    start: Fraction | None
    end: Fraction | None
    hides: bool

    def holds(self, begin: Fraction, length: Fraction) -> bool:
        """Return whether a packet at `begin` that lasts `length` [s] is in the part.

        A frame of sound overlaps with the one before, which is kept where it is hidden.
        """
        if self.end is not None and begin >= self.end:
            return False
        if self.start is None or begin >= self.start:
            return True
        return self.hides and begin + 2 * length > self.start

    def clip(self, begin: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
        """Return what is in the part of something that may begin before it [s].

        The end is not after the begin if nothing is in it.
        """
        if self.start is not None:
            begin = max(begin, self.start)
        if self.end is not None:
            end = min(end, self.end)
        return begin, end

    def chapters(self, original: Any) -> list[dict[str, Any]]:
        """Return the chapters of the part of a container, in the output's time."""
        kept = []
        for chapter in original.chapters():
            unit = chapter["time_base"]
            start, end = self.clip(chapter["start"] * unit, chapter["end"] * unit)
            if start >= end:
                continue

            first = round((start - self.origin) / unit)
            last = round((end - self.origin) / unit)
            kept.append(chapter | {"start": max(0, first), "end": last})
        return kept
