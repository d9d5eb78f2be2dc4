"""How an image is cut into overlapping tiles."""

from dataclasses import dataclass, replace


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

    def target(self, scale: int, first: int = 0) -> slice:
        """Return where the kept part belongs in the output, which begins at `first`."""
        start = self.start - first
        stop = self.stop - first
        return slice(start * scale, stop * scale)

    def within(self, first: int, last: int) -> "Span":
        """Return the tile with no more kept than what lies in [first, last)."""
        start = max(self.start, first)
        start = min(start, last)
        stop = min(self.stop, last)
        stop = max(stop, start)
        return replace(self, start=start, stop=stop)


@dataclass(frozen=True)
class Cut:
    """How one axis of a picture is cut into tiles; see `spans`."""

    length: int
    tile: int
    pad: int
    multiple: int

    @property
    def kept(self) -> int:
        """The most that is kept of a tile [pixels]."""
        return kept_length(self.length, self.tile)

    @property
    def window(self) -> int:
        """What the network gets of a tile [pixels]."""
        return window_length(self.length, self.kept, self.pad, self.multiple)

    @property
    def computed(self) -> int:
        """What the network gets of all tiles [pixels]."""
        tiles = -(-self.length // self.kept)
        return tiles * self.window

    def spans(self, begin: int = 0) -> list[Span]:
        """Return the tiles from the pixel `begin` on."""
        return spans(self.length, self.tile, self.pad, self.multiple, begin=begin)


def spans(
    length: int, tile: int, pad: int, multiple: int = 1, *, begin: int = 0
) -> list[Span]:
    """Return spans whose kept parts cover [begin, length) of an axis without overlap.

    All kept parts are at most `tile` long, and about equally long. All windows are
    equally long, so that a runtime that prepares itself for each new shape does so
    once. They reach at least `pad` pixels beyond the kept part, or to the image's edge:
    the network must see that the image ends there.

    Args:
        length: the axis.
        tile: the longest kept part; 0: one tile for the whole axis.
        pad: pixels read beyond the kept part, on either side.
        multiple: windows start at multiples of this; and they end at such if `length`
            is one.
        begin: where the first kept part starts.
    """
    kept = kept_length(length - begin, tile)
    window = window_length(length, kept, pad, multiple)

    found = []
    for start in range(begin, length, kept):
        stop = min(start + kept, length)

        first = max(start - pad, 0)
        first = min(first, length - window)
        first = first // multiple * multiple
        span = Span(start, stop, first, first + window)
        found.append(span)
    return found


def window_length(length: int, kept: int, pad: int, multiple: int) -> int:
    """Return the length of the windows of tiles of which `kept` pixels are kept.

    The last window begins at a multiple too, and ends where the axis of `length` pixels
    does.
    """
    needed = kept + 2 * pad + multiple - 1
    left_out = max(length - needed, 0)
    left_out -= left_out % multiple
    return length - left_out


def kept_length(length: int, tile: int) -> int:
    """Return the length of kept parts: about equal, at most `tile` (0: `length`)."""
    count = -(-length // tile) if tile else 1
    return -(-length // count)


def size_multiple(scale: int) -> int:
    """Return what the height and width of a network's input must be a multiple of.

    RRDBNet x2 and x1 pixel-unshuffle by 2 and 4 first; an exported graph does not tell
    whether it is one, and other networks of these scales take such sizes as well.
    """
    return {1: 4, 2: 2}.get(scale, 1)
