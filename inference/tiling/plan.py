"""How large the tiles of a picture are: as few pixels computed as memory allows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from realesrgan_paddle.inference.runners.runner import Run
from realesrgan_paddle.inference.tiles import Cut
from realesrgan_paddle.utils.machine.memory import free_memory

Tile = int | Literal["auto"]

TILE_PAD = 80
"""Pixels that a tile sees beyond its border, where the network's radius is not known.

Measured on real images in 8 bits (docs/inference.md): with less than this a seam of
RealESRGAN_x4plus differs from the untiled image by more than one level. Real-ESRGAN's
10 leaves up to 100 levels.
"""
MOST_COMPUTED = 2.0
"""Tiles are exact if they compute no more than this many times the picture.

With RealESRGAN_x4plus, whose radius is about 350 pixels, small exact tiles would take
many times as long as tiles with `TILE_PAD`, which are within one level.
"""
SMALLEST_TILE = 32
"""Tiles are not made smaller [pixels]: with padding 80 that would save little."""
MEMORY_SHARE = 0.75
"""Of the free memory, what a picture may take; the rest is for writing its file.

The result is copied once, and encoded, when the tiles' memory is free again.
"""
MODEST_BYTES = 2**29
"""Memory of a window with which "auto" is content, if it costs little time [bytes].

With realesr-animevideov3, whose tiles need few pixels of padding, more saved 3 % of the time
(docs/inference.md).
"""
SMALL_PICTURE = 2**18
"""Pictures of so many pixels are not cut to save memory.

What a graph's window takes would have to be measured first, at 128x128 pixels.
"""
MOST_EXTRA = 1.25
"""What "auto" may compute for that, times the least that free memory would allow."""
UNKNOWN_BYTES = 52_000
"""Memory for each pixel of a window, where the runner does not say [bytes].

Measured with Paddle in dygraph mode on a CPU, which copies a convolution's input nine
times: RealESRGAN_x4plus_anime_6B takes 51,400 at 96x96 and 49,200 at 160x160,
realesr-animevideov3 3,800 and 2,900.
"""
GPU_PIXELS = 2**21
"""The most pixels of a window on a GPU, whose free memory is not known here.

64 channels at four times this size are 2^31 values. What does not fit is refused in
good order there, and tiles become smaller.
"""


@dataclass(frozen=True)
class ImageSize:
    """A picture, as the network sees it, and what its result takes.

    Attributes:
        height: [pixels], with what is mirrored at its borders.
        width: [pixels], the same.
        result: memory of the result [bytes].
        strip: memory, for each pixel of a row of tiles, where one is put together [bytes].
    """

    height: int
    width: int
    result: int
    strip: int


@dataclass(frozen=True)
class TilePlan:
    """How a picture is cut.

    Attributes:
        rows: its rows of tiles.
        columns: its columns of tiles.
    """

    rows: Cut
    columns: Cut

    @property
    def window(self) -> int:
        """What the network gets at once [pixels]."""
        return self.rows.window * self.columns.window

    @property
    def computed(self) -> int:
        """What the network gets in all [pixels]."""
        return self.rows.computed * self.columns.computed

    def fits(self, size: ImageSize) -> bool:
        """Return whether this is how to cut a picture of this size."""
        is_as_high = self.rows.length == size.height
        is_as_wide = self.columns.length == size.width
        return is_as_high and is_as_wide


class TilePlanner:
    """Decides how pictures are cut, and remembers where memory was short.

    Args:
        run: the network's runner, see runner.py.
        scale: its upscaling factor.
        multiple: what the network's input must be a multiple of.
        tile: the longest side of what is kept of a tile [pixels]; 0: the whole picture;
            "auto": the smallest tiles that compute little more than any that fit into memory.
        tile_pad: what a tile sees beyond that [pixels]; None: the runner's radius, or
            `TILE_PAD` if it does not say or exact tiles compute too much.

    Attributes:
        fixed: how pictures of its size are cut, until memory is short; None: as above.
    """

    def __init__(
        self, run: Run, scale: int, multiple: int, tile: Tile, tile_pad: int | None
    ) -> None:
        self.tile = tile
        self.fixed: TilePlan | None = None
        self._multiple = math.lcm(multiple, getattr(run, "multiple", 1))
        self._pads = _pads(tile_pad, getattr(run, "radius", None))

        self._run = run
        # The window as float32, twice, and the network's output.
        self._own_bytes = 24 + 12 * scale**2
        self._on_gpu = getattr(run, "device", "").startswith("gpu")
        self._free: float | None = None
        self._most_pixels: float = GPU_PIXELS if self._on_gpu else math.inf
        self._halved = False

    def __str__(self) -> str:
        """Return how large tiles are, for messages."""
        if self.tile != "auto":
            return f"{self.tile} pixels" if self.tile else "whole"
        return f"at most {self._most_pixels:,} pixels" if self._halved else "auto"

    def plan(self, size: ImageSize) -> TilePlan:
        """Return how to cut a picture: exactly, unless that computes too much."""
        if self.fixed is not None and self.fixed.fits(size):
            return self.fixed
        for pad in self._pads:
            plan = self._plan_with(pad, size)
            if plan.computed <= MOST_COMPUTED * size.height * size.width:
                break
        return plan

    def halve(self, plan: TilePlan, size: ImageSize) -> bool:
        """Make tiles smaller for good, because `plan` did not fit; return whether one can."""
        self.fixed = None
        if self.tile == "auto":
            self._most_pixels = plan.window // 2
            self._halved = True
            return self.plan(size).window < plan.window

        longest = max(size.height, size.width)
        halved = min(self.tile or longest, longest) // 2
        if halved < SMALLEST_TILE:
            return False
        self.tile = halved
        return True

    def _plan_with(self, pad: int, size: ImageSize) -> TilePlan:
        if self.tile != "auto":
            return self._cut(self.tile, self.tile, pad, size)

        room = self._room(size)
        least = self._least_computed(pad, size, room)
        if size.height * size.width <= SMALL_PICTURE:
            return least

        modest = MODEST_BYTES
        while modest < room < math.inf:
            plan = self._least_computed(pad, size, modest)
            if plan.computed <= MOST_EXTRA * least.computed:
                return plan
            modest *= 2
        return least

    def _least_computed(self, pad: int, size: ImageSize, room: float) -> TilePlan:
        """Return the plan that computes fewest pixels within `room` bytes."""
        smallest = self._cut(SMALLEST_TILE, SMALLEST_TILE, pad, size)
        fitting = self._fitting(pad, size, room)
        by_cost = attrgetter("computed")
        return min(fitting, key=by_cost, default=smallest)

    def _cut(
        self, tile_height: int, tile_width: int, pad: int, size: ImageSize
    ) -> TilePlan:
        rows = Cut(size.height, tile_height, pad, self._multiple)
        columns = Cut(size.width, tile_width, pad, self._multiple)
        return TilePlan(rows, columns)

    def _fitting(self, pad: int, size: ImageSize, room: float) -> Iterator[TilePlan]:
        """Yield the plans that fit into `room`, those with fewer columns first."""
        costs = self._costs(size, room)
        strip_bytes = size.width * size.strip
        margin = 2 * (pad + self._multiple - 1)

        most_columns = -(-size.width // SMALLEST_TILE)
        for count in range(1, most_columns + 1):
            tile_width = -(-size.width // count)
            columns = Cut(size.width, tile_width, pad, self._multiple)

            by_memory = [
                _tallest(
                    size.height,
                    room - fixed,
                    columns.window * pixel_bytes,
                    strip_bytes,
                    margin,
                )
                for fixed, pixel_bytes in costs
            ]
            tile_height = min(
                max(by_memory),
                _tallest(size.height, self._most_pixels, columns.window, 0, margin),
            )
            if tile_height >= min(SMALLEST_TILE, size.height):
                yield self._cut(tile_height, tile_width, pad, size)

    def _room(self, size: ImageSize) -> float:
        """Return the memory for a window and what goes with it [bytes].

        The free memory is read for the first picture. Later a runner may hold what it
        will use again.
        """
        if self._on_gpu:
            return math.inf
        if self._free is None:
            self._free = free_memory()
        return MEMORY_SHARE * self._free - size.result

    def _costs(self, size: ImageSize, room: float) -> list[tuple[float, float]]:
        """Return what any window takes, and what each of its pixels [bytes].

        The least of them counts. The runner is asked only if that matters: it may have to
        find out.
        """
        most = UNKNOWN_BYTES + self._own_bytes
        if size.height * size.width * (most + size.strip) <= room:
            return [(0, most)]

        costs = [(0, getattr(self._run, "bytes_per_pixel", UNKNOWN_BYTES))]
        if hasattr(self._run, "bytes_in_bands"):
            costs.append(self._run.bytes_in_bands)
        return [(fixed, said + self._own_bytes) for fixed, said in costs]


def _tallest(
    height: int, limit: float, window_row: float, strip_row: float, margin: int
) -> int:
    """Return of how many rows a tile may be, where each of them takes so much."""
    row = window_row + strip_row
    if height * row <= limit:
        return height
    return int((limit - margin * window_row) // row)


def _pads(tile_pad: int | None, radius: int | None) -> tuple[int, ...]:
    """Return the paddings to choose from, the better first."""
    if tile_pad is not None:
        return (tile_pad,)
    if radius is None:
        return (TILE_PAD,)
    return (radius,) if radius <= TILE_PAD else (radius, TILE_PAD)
