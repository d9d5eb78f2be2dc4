"""How an image is cut into overlapping tiles."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels.

    The network reads [window_start, window_stop); of its output, the part of
    [start, stop) is kept.
    """

    start: int
    stop: int
    window_start: int
    window_stop: int

    def window(self) -> slice:
        """Return what the network reads."""
        return slice(self.window_start, self.window_stop)

    def kept(self, scale: int) -> slice:
        """Return what is kept of the network's output for the window."""
        first = self.start - self.window_start
        last = self.stop - self.window_start
        return slice(first * scale, last * scale)

    def target(self, scale: int) -> slice:
        """Return where the kept part belongs in the whole output."""
        return slice(self.start * scale, self.stop * scale)


def spans(length: int, tile: int, pad: int, multiple: int = 1) -> list[Span]:
    """Return spans whose kept parts cover an axis of `length` pixels without overlap.

    All kept parts are at most `tile` long, and about equally long. All windows are
    equally long, so that a runtime that prepares itself for each new shape does so
    once. They reach at least `pad` pixels beyond the kept part, or to the image's edge:
    the network must see that the image ends there.

    Args:
        length: the axis, a multiple of `multiple`.
        tile: the longest kept part; 0: one tile for the whole axis.
        pad: pixels read beyond the kept part, on either side.
        multiple: windows start and end at multiples of this.
    """
    count = -(-length // tile) if tile else 1
    kept = -(-length // count)
    window = _round_up(kept + 2 * pad + multiple - 1, multiple)
    window = min(length, window)

    found = []
    for start in range(0, length, kept):
        stop = min(start + kept, length)

        first = max(start - pad, 0)
        first = min(first, length - window)
        first = first // multiple * multiple
        span = Span(start, stop, first, first + window)
        found.append(span)
    return found


def size_multiple(scale: int) -> int:
    """Return what the height and width of a network's input must be a multiple of.

    RRDBNet x2 and x1 pixel-unshuffle by 2 and 4 first; an exported graph does not tell
    whether it is one, and other networks of these scales take such sizes as well.
    """
    return {1: 4, 2: 2}.get(scale, 1)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
