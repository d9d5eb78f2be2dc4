"""How an image is cut into tiles that overlap."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels of the input.

    The network reads [window_start, window_stop); of what it makes, [start, stop) is
    kept.
    """

    start: int
    stop: int
    window_start: int
    window_stop: int


def spans(length: int, tile: int, pad: int, multiple: int = 1) -> list[Span]:
    """Return the spans that cover an axis of `length` pixels: the kept parts touch, the windows overlap.

    All kept parts are at most `tile` long and about equally long. All windows are
    equally long, so that a runtime that prepares itself for each new shape does so
    once; they reach `pad` pixels or more beyond the kept part, or to the image's edge,
    where the network must see the edge itself.

    Args:
        length: the axis, a multiple of `multiple`.
        tile: the longest kept part; 0 for one that is the whole axis.
        pad: pixels read beyond the kept part, on either side.
        multiple: windows start and end at multiples of this.
    """
    count = -(-length // tile) if tile else 1
    kept = -(-length // count)
    window = min(length, _round_up(kept + 2 * pad + multiple - 1, multiple))
    found = []
    for start in range(0, length, kept):
        first = min(max(start - pad, 0), length - window) // multiple * multiple
        found.append(Span(start, min(start + kept, length), first, first + window))
    return found


def size_multiple(scale: int) -> int:
    """Return the number whose multiples the height and width of a network's input must be.

    The networks of scale 2 and 1 pixel-unshuffle by 2 and 4 first (models/rrdbnet.py);
    those that do not need it are not hurt by it.
    """
    return {1: 4, 2: 2}.get(scale, 1)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
