"""A picture through the network, tile by tile, onto a canvas."""

import hashlib
from collections.abc import Hashable

import numpy as np
from tqdm import tqdm

from realesrgan_paddle.inference.runners.runner import CheckedRunner, TileCounts
from realesrgan_paddle.inference.tiles import Span
from realesrgan_paddle.inference.tiling.canvas import Canvas
from realesrgan_paddle.inference.tiling.plan import Size, TilePlanner
from realesrgan_paddle.inference.tiling.windows import Picture, network_input


class TileLoop:
    """Upscales one picture.

    Args:
        network: runs a tile.
        picture: the network's input.
        canvas: where the result goes.
        counts: are raised by the picture's tiles.
        progress: show a progress bar of the tiles on stderr if that is a terminal.
    """

    def __init__(
        self,
        network: CheckedRunner,
        picture: Picture,
        canvas: Canvas,
        counts: TileCounts,
        *,
        progress: bool,
    ) -> None:
        self._network = network
        self._picture = picture
        self._canvas = canvas
        self._counts = counts
        self._progress = progress

    def run(self, planner: TilePlanner, result_bytes: int) -> None:
        """Upscale the picture; where memory is short, go on with smaller tiles.

        Args:
            planner: decides how pictures are cut.
            result_bytes: memory that the whole result takes [bytes].

        Raises:
            MemoryError: the smallest tiles do not fit.
        """
        picture = self._picture
        strip_bytes = self._canvas.strip_bytes * self._network.scale**2
        size = Size(picture.height, picture.width, result_bytes, strip_bytes)

        reached = 0
        while reached < picture.height:
            reached = self._upscale_from(reached, planner, size)

    def _upscale_from(self, begin: int, planner: TilePlanner, size: Size) -> int:
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
                    self._canvas.forget()
                    return row.start
                self._canvas.end_row()
        return size.height

    def _bar(self, tiles: int) -> "tqdm[None]":
        # None: shown if stderr is a terminal.
        hidden = None if self._progress and tiles > 1 else True
        return tqdm(total=tiles, unit="tile", leave=False, disable=hidden)

    def _fill(self, row: Span, columns: list[Span], bar: "tqdm[None]") -> None:
        """Upscale a row of tiles."""
        picture = self._picture
        row = row.within(*picture.rows_within)
        height = row.stop - row.start
        self._canvas.begin_row(height * self._network.scale)

        for column in columns:
            column = column.within(*picture.columns_within)
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
        picture, scale = self._picture, self._network.scale
        top, _ = picture.rows_within
        left, _ = picture.columns_within
        place = row.target(scale, top), column.target(scale, left)

        kept_rows = row.kept(scale)
        kept_columns = column.kept(scale)
        window = picture.window(row.window(), column.window())
        key = _key(window, kept_rows, kept_columns)
        if self._canvas.repeat(place, key):
            self._counts.repeated += 1
            return

        images = network_input(window)
        output = self._network(images, self._counts)
        tile = output[:, kept_rows, kept_columns]
        self._canvas.write(tile, place, key)


def _key(window: np.ndarray, rows: slice, columns: slice) -> Hashable:
    """Return what two tiles have in common if they are identical, with their padding."""
    content = hashlib.blake2b(window.tobytes()).digest()
    kept_rows = (rows.start, rows.stop)
    kept_columns = (columns.start, columns.stop)
    return content, window.shape, kept_rows, kept_columns
