"""Images of any kind into the arrays of their results: gray, RGB, alpha; resized or not."""

import numpy as np

from realesrgan_paddle.inference.runners.runner import CheckedRunner, Run, TileCounts
from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.inference.tiling.canvas import (
    BAND,
    Canvas,
    DirectCanvas,
    RowWriter,
    StripCanvas,
)
from realesrgan_paddle.inference.tiling.plan import Plan, Size, TilePlanner
from realesrgan_paddle.inference.tiling.resize import BICUBIC, RowResizer
from realesrgan_paddle.inference.tiling.tile_loop import TileLoop
from realesrgan_paddle.inference.tiling.windows import Picture, to_float


class Painter:
    """Upscales images into arrays that are there.

    Args:
        run: the network.
        scale: its upscaling factor.
        planner: decides on tiles.
        pre_pad: see `Upscaler`.
        alpha_upsampler: see `Upscaler`.
        progress: see `Upscaler`.

    Attributes:
        counts: what became of the tiles of the last image.
    """

    def __init__(
        self,
        run: Run,
        scale: int,
        planner: TilePlanner,
        *,
        pre_pad: int,
        alpha_upsampler: str,
        progress: bool,
    ) -> None:
        self.counts = TileCounts()
        self._network = CheckedRunner(run, scale)
        self._scale = scale
        self._planner = planner
        self._pre_pad = pre_pad
        self._alpha_upsampler = alpha_upsampler
        self._progress = progress
        self._before: DirectCanvas | None = None

    def paint(self, image: np.ndarray, out: np.ndarray, *, after: bool = False) -> None:
        """Upscale `image` into `out`, which has its dtype and channels.

        Args:
            image: uint8 or uint16, (H, W), (H, W, 3) or (H, W, 4).
            out: the result, of any size.
            after: copy tiles that are identical to one of the image before, if that was
                painted so too, and neither is resized. Its result is as it was.

        Raises:
            MemoryError: even the smallest tiles do not fit.
        """
        self.counts = TileCounts()
        before = self._before if after else None
        self._before = None
        if image.shape[2:] == (4,):
            canvas = self._through_network(image[..., :3], out[..., :3], before)
            self._paint_alpha(image[..., 3], out[..., 3])
        else:
            canvas = self._through_network(image, out, before)

        if after and isinstance(canvas, DirectCanvas):
            canvas.finish()
            self._before = canvas

    def plan(self, image: np.ndarray, size: tuple[int, int]) -> Plan:
        """Return how an RGB(A) image is cut, upscaled to `size` (width, height)."""
        height, width = image.shape[:2]
        picture = self._picture(image)
        is_resized = size != (width * self._scale, height * self._scale)
        strip = StripCanvas.strip_bytes if is_resized else DirectCanvas.strip_bytes
        result = size[0] * size[1] * image.itemsize * image.shape[2]
        needed = Size(picture.height, picture.width, result, strip * self._scale**2)
        return self._planner.plan(needed)

    def _picture(self, image: np.ndarray) -> Picture:
        return Picture(image, self._pre_pad, size_multiple(self._scale))

    def _through_network(
        self, image: np.ndarray, out: np.ndarray, before: DirectCanvas | None = None
    ) -> Canvas:
        """Upscale gray or RGB; gray is the luma of the network's output."""
        size = (image.shape[1] * self._scale, image.shape[0] * self._scale)

        canvas: Canvas
        if image.ndim == 3 and size == (out.shape[1], out.shape[0]):
            canvas = DirectCanvas(out, before)
        else:
            rows = RowWriter(out, size)
            canvas = StripCanvas(rows, size[0], is_gray=image.ndim == 2)

        picture = self._picture(image)
        loop = TileLoop(
            self._network, picture, canvas, self.counts, progress=self._progress
        )
        loop.run(self._planner, out.nbytes)
        return canvas

    def _paint_alpha(self, alpha: np.ndarray, out: np.ndarray) -> None:
        """Upscale an alpha channel (H, W)."""
        if alpha.min() == alpha.max():
            out[...] = alpha[0, 0]
        elif self._alpha_upsampler == "realesrgan":
            self._through_network(alpha, out)
        else:
            height, width = alpha.shape
            size = (width * self._scale, height * self._scale)
            rows = RowWriter(out, size)
            resizer = RowResizer((width, height), size, BICUBIC)
            for top in range(0, height, BAND):
                band = to_float(alpha[top : top + BAND])
                rows.add(resizer.add(band))
