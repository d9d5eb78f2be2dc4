"""Upscales arrays of any size and kind: gray, RGB, alpha, 8 or 16 bits; resized or not."""

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from realesrgan_paddle.inference.runners.runner import CheckedRunner, Run, TileCounts
from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.inference.tiling.plan import (
    ImageSize,
    Tile,
    TilePlan,
    TilePlanner,
)
from realesrgan_paddle.inference.tiling.resize import BICUBIC, RowResizer
from realesrgan_paddle.inference.tiling.tile_loop import MirroredImage, TileLoop
from realesrgan_paddle.inference.tiling.tile_writers import (
    BAND,
    DirectWriter,
    RowWriter,
    StripWriter,
    TileWriter,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import to_float

ALPHA_UPSAMPLERS = ("realesrgan", "bicubic")

MAX_SIDE, MAX_PIXELS = 2**20, 2**30
"""OpenCV's limits (CV_IO_MAX_IMAGE_WIDTH, CV_IO_MAX_IMAGE_PIXELS): it reads no more."""


class OutOfMemoryError(UserError):
    """An image does not fit into memory in tiles of this size."""


class ArrayUpscaler:
    """Upscales arrays with a network, whole or in tiles.

    Args:
        run: the network: float32 RGB (1, 3, H, W) in [0, 1] to (1, 3, scale * H,
            scale * W).
        scale: the network's upscaling factor.
        tile: the longest side of a tile in input pixels; 0: the whole image at once;
            "auto": the tiles that fit into the free memory and compute least.
        tile_pad: pixels that a tile sees beyond its border; fewer are faster and leave
            seams. None: as many as make tiles exact, if the runner says how many and
            that computes no more than twice the image; else 80.
        pre_pad: pixels by which the image is mirrored at its borders first; they are
            cropped off afterwards.
        alpha_upsampler: what upscales an alpha channel: "realesrgan" (the network) or
            "bicubic".
        progress: show a progress bar of the tiles on stderr if that is a terminal.
        log: gets a line where `tile` was halved, or a tile was computed again.

    Attributes:
        counts: what became of the tiles of the last image.
        before_tile: is called before each tile; what it raises ends the image.

    """

    def __init__(
        self,
        run: Run,
        scale: int,
        *,
        tile: Tile = 0,
        tile_pad: int | None = None,
        pre_pad: int = 0,
        alpha_upsampler: Literal["realesrgan", "bicubic"] = "realesrgan",
        progress: bool = False,
        log: Callable[[str], None] = warnings.warn,
    ) -> None:
        sizes = {"tile": tile, "tile_pad": tile_pad, "pre_pad": pre_pad}
        for name, value in sizes.items():
            if isinstance(value, int) and value < 0:
                raise UserError(f"{name} {value}: must be 0 or more pixels")
        if isinstance(tile, str) and tile != "auto":
            raise UserError(f"tile {tile!r}: must be a number of pixels or 'auto'")
        if alpha_upsampler not in ALPHA_UPSAMPLERS:
            known = ", ".join(ALPHA_UPSAMPLERS)
            raise UserError(f"alpha_upsampler {alpha_upsampler!r}: known are {known}")

        self.run = run
        self.scale = scale
        self.tile_pad = tile_pad
        self.pre_pad = pre_pad
        self.alpha_upsampler = alpha_upsampler
        self.progress = progress
        self.log = log
        self.multiple = size_multiple(scale)
        self.counts = TileCounts()
        self.before_tile: Callable[[], None] = _go_on
        self._network = CheckedRunner(run, scale)
        self._planner = TilePlanner(run, scale, self.multiple, tile, tile_pad)
        self._before: DirectWriter | None = None

    @property
    def tile(self) -> Tile:
        """The longest side of a tile now, see the class."""
        return self._planner.tile

    def __call__(
        self, image: np.ndarray, *, outscale: float | None = None
    ) -> np.ndarray:
        """Return the upscaled array, with the dtype and channels of `image`.

        Where memory is short, `tile` is halved for good, and the image goes on from the
        row of tiles that was reached.

        Args:
            image: uint8 or uint16, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA, at
                least 1x1.
            outscale: the upscaling factor of the result; None: the network's. The size
                is rounded; the network's output is resized with a Lanczos filter before
                it is rounded to integers.

        Raises:
            OutOfMemoryError: there is not enough memory even for the smallest tiles.
            UserError: an array of another kind, a result that is too large, or an output
                that is not finite.
        """
        check_image(image)
        height, width = image.shape[:2]
        factor = self.scale if outscale is None else outscale
        return self.to_size(image, scaled_size(width, height, factor))

    def to_size(
        self,
        image: np.ndarray,
        size: tuple[int, int],
        *,
        after: bool = False,
        beside: Sequence[np.ndarray] = (),
    ) -> np.ndarray:
        """Return an image upscaled to `size`, (width, height), for the frames of a video.

        Args:
            image: an array, see `__call__`.
            size: of the result [pixels].
            after: copy tiles that are identical to one of the image before, if that was
                upscaled so too, and neither is resized. Its result must not have been
                written into.
            beside: images of the same kind whose colors the network gets too, as channels
                behind those of `image`.
        """
        height, width = image.shape[:2]
        out = empty_result(image, size)
        tiles_before = str(self._planner)
        try:
            self._upscale_into(image, out, after=after, beside=beside)
        except MemoryError as error:
            advice = f"use smaller tiles (now {self.tile})"
            if self.tile == "auto":
                advice = "the smallest tiles do not fit"
            raise OutOfMemoryError(
                f"out of memory on {width}x{height} pixels; {advice}"
            ) from error

        if tiles_before != str(self._planner):
            self.log(
                f"out of memory on {width}x{height} pixels, so images are upscaled in "
                f"tiles of {self._planner} from now on (before: {tiles_before})"
            )
        counts = self.counts
        if counts.in_float32:
            self.log(
                f"the output of {counts.in_float32} of {counts.computed} tiles "
                "was not finite, so they were computed again in float32"
            )
        return out

    def plan(self, image: np.ndarray, size: tuple[int, int]) -> TilePlan:
        """Return how an RGB(A) image would be cut, upscaled to `size` (width, height)."""
        height, width = image.shape[:2]
        mirrored = self._mirrored(image)
        is_resized = size != (width * self.scale, height * self.scale)
        strip = StripWriter.strip_bytes if is_resized else DirectWriter.strip_bytes
        result = size[0] * size[1] * image.itemsize * image.shape[2]
        strip_bytes = strip * self.scale**2
        needed = ImageSize(mirrored.height, mirrored.width, result, strip_bytes)
        return self._planner.plan(needed)

    def fix_tiles(self, plan: TilePlan | None) -> None:
        """Cut images of the size of `plan` so from now on; None: as memory allows."""
        self._planner.fixed = plan

    def _upscale_into(
        self,
        image: np.ndarray,
        out: np.ndarray,
        *,
        after: bool,
        beside: Sequence[np.ndarray],
    ) -> None:
        """Upscale into `out`, of any size; see `to_size`.

        Raises:
            MemoryError: even the smallest tiles do not fit.
        """
        self.counts = TileCounts()
        before = self._before if after else None
        self._before = None
        colors = image[..., :3] if image.ndim == 3 else image
        if beside:
            colors = np.dstack([colors, *(each[..., :3] for each in beside)])
        if image.shape[2:] == (4,):
            writer = self._through_network(colors, out[..., :3], before)
            self._upscale_alpha(image[..., 3], out[..., 3])
        else:
            writer = self._through_network(colors, out, before)

        if after and isinstance(writer, DirectWriter):
            writer.finish()
            self._before = writer

    def _mirrored(self, image: np.ndarray) -> MirroredImage:
        return MirroredImage(image, self.pre_pad, self.multiple)

    def _through_network(
        self, image: np.ndarray, out: np.ndarray, before: DirectWriter | None = None
    ) -> TileWriter:
        """Upscale gray or RGB; gray is the luma of the network's output."""
        size = (image.shape[1] * self.scale, image.shape[0] * self.scale)

        writer: TileWriter
        if image.ndim == 3 and size == (out.shape[1], out.shape[0]):
            writer = DirectWriter(out, before)
        else:
            rows = RowWriter(out, size)
            writer = StripWriter(rows, size[0], is_gray=image.ndim == 2)

        mirrored = self._mirrored(image)
        loop = TileLoop(
            self._network,
            mirrored,
            writer,
            self.counts,
            progress=self.progress,
            before_tile=self.before_tile,
        )
        loop.run(self._planner, out.nbytes)
        return writer

    def _upscale_alpha(self, alpha: np.ndarray, out: np.ndarray) -> None:
        """Upscale an alpha channel (H, W)."""
        if alpha.min() == alpha.max():
            out[...] = alpha[0, 0]
        elif self.alpha_upsampler == "realesrgan":
            self._through_network(alpha, out)
        else:
            height, width = alpha.shape
            size = (width * self.scale, height * self.scale)
            rows = RowWriter(out, size)
            resizer = RowResizer((width, height), size, BICUBIC)
            for top in range(0, height, BAND):
                band = to_float(alpha[top : top + BAND])
                rows.add(resizer.add(band))


def _go_on() -> None:
    """End nothing."""


def check_image(image: np.ndarray) -> None:
    """Raise UserError unless `image` is one that `utils.images.read_image` returns."""
    dtype_fits = image.dtype in (np.uint8, np.uint16)
    shape_fits = image.ndim in (2, 3) and image.shape[2:] in ((), (3,), (4,))
    if not (dtype_fits and shape_fits and image.size):
        raise UserError(
            f"an array of {image.dtype} {image.shape} cannot be upscaled; uint8 or "
            "uint16, (H, W), (H, W, 3) or (H, W, 4) can"
        )


def scaled_size(width: int, height: int, outscale: float) -> tuple[int, int]:
    """Return (width, height) times `outscale`, rounded half up, at least 1."""
    if not 0 < outscale < float("inf"):
        raise UserError(f"outscale {outscale}: must be a number above 0")

    out_width = max(1, int(width * outscale + 0.5))
    out_height = max(1, int(height * outscale + 0.5))
    too_long = max(out_width, out_height) > MAX_SIDE
    if too_long or out_width * out_height > MAX_PIXELS:
        raise UserError(
            f"the result would have {out_width}x{out_height} pixels, more than an image "
            "file here can hold; lower outscale"
        )
    return out_width, out_height


def empty_result(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an array for the result of `size` (width, height)."""
    width, height = size
    try:
        return np.empty((height, width, *image.shape[2:]), image.dtype)
    except MemoryError as error:
        raise OutOfMemoryError(
            f"out of memory: the result would have {width}x{height} pixels; lower "
            "outscale"
        ) from error
