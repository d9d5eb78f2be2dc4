"""The result, into which tiles are written as they come: rounded, gray, resized.

Both writers remember what they hold, so that a tile identical to one of these is copied.
Regions are slices of the network's output without what was mirrored at the borders.
"""

from collections.abc import Hashable
from typing import Protocol

import cv2
import numpy as np

from realesrgan_paddle.inference.tiling.resize import LANCZOS, RowResizer

Region = tuple[slice, slice]

BAND = 64
"""So many rows of a strip are made gray, resized and rounded at once."""


class TileWriter(Protocol):
    """Takes the tiles of a picture, from top to bottom."""

    strip_bytes: int
    """Memory for each pixel of a row of tiles [bytes of an output pixel]."""

    def begin_row(self, height: int) -> None:
        """Prepare for a row of tiles `height` high; one that was begun is begun anew."""

    def write(self, tile: np.ndarray, region: Region, key: Hashable) -> None:
        """Take float32 (3, h, w), not clipped, and remember it as `key`."""

    def repeat(self, region: Region, key: Hashable) -> bool:
        """Copy what was written as `key`; return whether it is still there."""

    def end_row(self) -> None:
        """Finish what the row of tiles completes."""

    def forget(self) -> None:
        """Forget the keys, and give memory back."""


class DirectWriter:
    """Rounds tiles into the result.

    Args:
        out: the result, uint8 or uint16 (scale * H, scale * W, 3); may be a view.
        before: of the image before, such as the frame before in a video.
    """

    strip_bytes = 0

    def __init__(self, out: np.ndarray, before: "DirectWriter | None") -> None:
        self._out = out
        self._regions: dict[Hashable, Region] = {}
        self._before = before

    def begin_row(self, height: int) -> None:
        """See `TileWriter`."""

    def write(self, tile: np.ndarray, region: Region, key: Hashable) -> None:
        """See `TileWriter`."""
        dtype = self._out.dtype
        target = np.moveaxis(self._out[region], 2, 0)
        for plane, plane_of_target in zip(tile, target, strict=True):
            plane_of_target[...] = _rounded(plane, dtype)
        self._regions[key] = region

    def repeat(self, region: Region, key: Hashable) -> bool:
        """See `TileWriter`."""
        source = self if key in self._regions else self._before
        if source is None or key not in source._regions:
            return False
        self._out[region] = source._out[source._regions[key]]
        self._regions.setdefault(key, region)
        return True

    def end_row(self) -> None:
        """See `TileWriter`."""

    def forget(self) -> None:
        """See `TileWriter`."""
        self._regions.clear()
        self._before = None

    def finish(self) -> None:
        """Give back what is left of the image before."""
        self._before = None


class StripWriter:
    """Puts each row of tiles together as float32, and then turns it into rows of the result.

    The strip keeps its content until the next row of tiles is written over it.

    Args:
        rows: takes the rows of the network's output.
        width: of the network's output [pixels].
        is_gray: whether the luma of the network's output is wanted.
    """

    strip_bytes = 12

    def __init__(self, rows: "RowWriter", width: int, *, is_gray: bool) -> None:
        self._rows = rows
        self._width = width
        self._is_gray = is_gray
        self._strip = np.empty((0, width, 3), np.float32)
        self._height = 0
        self._keys: dict[int, Hashable] = {}

    def begin_row(self, height: int) -> None:
        """See `TileWriter`."""
        self._height = height
        if height > len(self._strip):
            self.forget()
            self._strip = np.empty((height, self._width, 3), np.float32)

    def write(self, tile: np.ndarray, region: Region, key: Hashable) -> None:
        """See `TileWriter`."""
        _, columns = region
        channels_last = tile.transpose(1, 2, 0)
        target = self._strip[: self._height, columns]
        np.clip(channels_last, 0, 1, out=target)
        self._keys[columns.start] = key

    def repeat(self, region: Region, key: Hashable) -> bool:
        """See `TileWriter`."""
        _, columns = region
        found = (start for start, written in self._keys.items() if written == key)
        start = next(found, None)
        if start is None:
            return False

        width = columns.stop - columns.start
        strip = self._strip[: self._height]
        strip[:, columns] = strip[:, start : start + width]
        self._keys[columns.start] = key
        return True

    def end_row(self) -> None:
        """See `TileWriter`."""
        for top in range(0, self._height, BAND):
            band = self._strip[top : min(top + BAND, self._height)]
            if self._is_gray:
                band = cv2.cvtColor(band, cv2.COLOR_RGB2GRAY)
            self._rows.add(band)

    def forget(self) -> None:
        """See `TileWriter`."""
        self._strip = np.empty((0, self._width, 3), np.float32)
        self._keys.clear()


class RowWriter:
    """Rounds the rows of an image into the result, resized where that has another size.

    Resized before they are rounded: Real-ESRGAN resizes what is already rounded to 8 bits.

    Args:
        out: the result, uint8 or uint16, (H, W) or (H, W, C); may be a view.
        size: (width, height) of the image.
    """

    def __init__(self, out: np.ndarray, size: tuple[int, int]) -> None:
        self._out = out
        self._top = 0
        new_size = (out.shape[1], out.shape[0])
        self._resizer = (
            None if new_size == size else RowResizer(size, new_size, LANCZOS)
        )

    def add(self, rows: np.ndarray) -> None:
        """Take the next rows, float32, from top to bottom; they are not changed."""
        if self._resizer is not None:
            rows = self._resizer.add(rows)
        bottom = self._top + len(rows)
        self._out[self._top : bottom] = _rounded(rows, self._out.dtype)
        self._top = bottom


def _rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return float32 in [0, 1], clipped, as `dtype`."""
    levels = np.clip(values, 0, 1)
    levels *= np.iinfo(dtype).max
    np.rint(levels, out=levels)
    return levels.astype(dtype)
