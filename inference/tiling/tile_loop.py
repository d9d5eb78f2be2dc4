"""An image through the network, tile by tile: windows of it in, tiles of the result out."""

import hashlib
from collections.abc import Callable, Hashable

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.inference.runners.runner import CheckedRunner, TileCounts
from realesrgan_paddle.inference.tiles import Span
from realesrgan_paddle.inference.tiling.plan import ImageSize, TilePlanner
from realesrgan_paddle.inference.tiling.tile_writers import TileWriter
from realesrgan_paddle.utils.images import to_float


class MirroredImage:
    """An image, mirrored at its borders, of which windows are cut.

    Args:
        image: uint8 or uint16, (H, W) or (H, W, 3).
        pre_pad: pixels by which it is mirrored on every side.
        multiple: what height and width are filled up to a multiple of, by mirrored
            pixels at the bottom and on the right.

    Attributes:
        height: of the mirrored image [pixels].
        width: of the mirrored image [pixels].
        rows_within: the first row of the image itself, and that after its last.
        columns_within: the same for columns.
    """

    def __init__(self, image: np.ndarray, pre_pad: int, multiple: int) -> None:
        height, width = image.shape[:2]
        self._image = image
        self._rows = _mirrored(height, pre_pad, multiple)
        self._columns = _mirrored(width, pre_pad, multiple)

        self.height = len(self._rows)
        self.width = len(self._columns)
        self.rows_within = (pre_pad, pre_pad + height)
        self.columns_within = (pre_pad, pre_pad + width)

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a copy of a part of the mirrored image, with its dtype and channels."""
        rows_there = self._rows[rows]
        columns_there = self._columns[columns]
        band = self._image[rows_there]
        return np.take(band, columns_there, axis=1)


class TileLoop:
    """Upscales one image.

    Args:
        network: runs a tile.
        image: the network's input.
        writer: takes the tiles of the result.
        counts: are raised by the image's tiles.
        progress: show a progress bar of the tiles on stderr if that is a terminal.
        before_tile: is called before each tile; what it raises ends the image.
    """

    def __init__(
        self,
        network: CheckedRunner,
        image: MirroredImage,
        writer: TileWriter,
        counts: TileCounts,
        *,
        progress: bool,
        before_tile: Callable[[], None],
    ) -> None:
        self._network = network
        self._image = image
        self._writer = writer
        self._counts = counts
        self._progress = progress
        self._before_tile = before_tile

    def run(self, planner: TilePlanner, result_bytes: int) -> None:
        """Upscale the image; where memory is short, go on with smaller tiles.

        Args:
            planner: decides how images are cut.
            result_bytes: memory that the whole result takes [bytes].

        Raises:
            MemoryError: the smallest tiles do not fit.
        """
        image = self._image
        strip_bytes = self._writer.strip_bytes * self._network.scale**2
        size = ImageSize(image.height, image.width, result_bytes, strip_bytes)

        reached = 0
        while reached < image.height:
            reached = self._upscale_from(reached, planner, size)

    def _upscale_from(self, begin: int, planner: TilePlanner, size: ImageSize) -> int:
        """Upscale from the row `begin`; return the row reached, where memory was short."""
        plan = planner.plan(size)
        rows = plan.rows.spans(begin)
        columns = plan.columns.spans()
        with self._bar(len(rows) * len(columns)) as bar:
            for row in rows:
                try:
                    self._fill(row, columns, bar)
                except MemoryError:
                    if not planner.halve(plan, size):
                        raise
                    self._writer.forget()
                    return row.start
                self._writer.end_row()
        return size.height

    def _bar(self, tiles: int) -> "tqdm[None]":
        # None: shown if stderr is a terminal.
        hidden = None if self._progress and tiles > 1 else True
        return tqdm(total=tiles, unit="tile", leave=False, disable=hidden)

    def _fill(self, row: Span, columns: list[Span], bar: "tqdm[None]") -> None:
        """Upscale a row of tiles."""
        image = self._image
        row = row.within(*image.rows_within)
        height = row.stop - row.start
        self._writer.begin_row(height * self._network.scale)

        for column in columns:
            self._before_tile()
            column = column.within(*image.columns_within)
            width = column.stop - column.start
            if height and width:
                self._tile(row, column)
            bar.update()

    def _tile(self, row: Span, column: Span) -> None:
        """Upscale a tile, or copy what an identical one has become.

        The network sees a window and nothing else: also at the image's border, which it
        takes for zeros wherever the window ends. So equal windows have equal outputs, and
        what is kept of them is equal where the same part is.
        """
        image, scale = self._image, self._network.scale
        top, _ = image.rows_within
        left, _ = image.columns_within
        region = row.target(scale, top), column.target(scale, left)

        kept_rows = row.kept(scale)
        kept_columns = column.kept(scale)
        window = image.window(row.window(), column.window())
        key = _key(window, kept_rows, kept_columns)
        if self._writer.repeat(region, key):
            self._counts.repeated += 1
            return

        network_in = network_input(window)
        output = self._network(network_in, self._counts)
        tile = output[:, kept_rows, kept_columns]
        self._writer.write(tile, region, key)


def _key(window: np.ndarray, rows: slice, columns: slice) -> Hashable:
    """Return what two tiles have in common if they are identical, with their padding."""
    content = hashlib.blake2b(window.tobytes()).digest()
    kept_rows = (rows.start, rows.stop)
    kept_columns = (columns.start, columns.stop)
    return content, window.shape, kept_rows, kept_columns


def network_input(window: np.ndarray) -> np.ndarray:
    """Return a window of a `MirroredImage` as float32 RGB (1, 3, h, w) in [0, 1]."""
    levels = to_float(window)
    if levels.ndim == 2:
        return np.repeat(levels[None, None], 3, axis=1)
    channels_first = levels.transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first[None])


def _mirrored(length: int, pad: int, multiple: int) -> np.ndarray:
    """Return which pixel of an axis each one of the mirrored axis repeats."""
    padded = length + 2 * pad
    rest = -padded % multiple
    pixels = np.arange(length)
    return np.pad(pixels, (pad, pad + rest), "reflect")
