"""The tiled upscaler that every command uses: whole images in, whole images out."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import numpy as np
from PIL import Image

from realesrgan_paddle.models.inference.library.kinds import upscale_any
from realesrgan_paddle.models.inference.open_runner import open_runner
from realesrgan_paddle.models.inference.tiles import size_multiple
from realesrgan_paddle.models.inference.tiling.canvas import (
    BAND,
    Canvas,
    DirectCanvas,
    RowWriter,
    StripCanvas,
)
from realesrgan_paddle.models.inference.tiling.plan import Tile, TilePlanner
from realesrgan_paddle.models.inference.tiling.resize import BICUBIC, RowResizer
from realesrgan_paddle.models.inference.tiling.runner import (
    CheckedRunner,
    Run,
    TileCounts,
)
from realesrgan_paddle.models.inference.tiling.tile_loop import TileLoop
from realesrgan_paddle.models.inference.tiling.windows import Picture, to_float
from realesrgan_paddle.utils.errors import UserError

MAX_SIDE, MAX_PIXELS = 2**20, 2**30
"""OpenCV's limits (CV_IO_MAX_IMAGE_WIDTH, CV_IO_MAX_IMAGE_PIXELS): it reads no more."""
ALPHA_UPSAMPLERS = ("realesrgan", "bicubic")

ImageOrArray = TypeVar("ImageOrArray", np.ndarray, Image.Image)


class OutOfMemoryError(UserError):
    """An image does not fit into memory in tiles of this size."""


class Upscaler:
    """Upscales images with a network, whole or in tiles.

    `Upscaler.load` makes one from a file or a released model's name.

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
        self.pre_pad = pre_pad
        self.alpha_upsampler = alpha_upsampler
        self.progress = progress
        self.log = log
        self.multiple = size_multiple(scale)
        self.counts = TileCounts()
        self._network = CheckedRunner(run, scale)
        self._tile_pad = tile_pad
        self._planner = TilePlanner(run, scale, self.multiple, tile, tile_pad)

    @property
    def tile(self) -> Tile:
        """The longest side of a tile now, see the class."""
        return self._planner.tile

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        precision: str = "auto",
        engine: str = "auto",
        tile: Tile = 0,
        tile_pad: int | None = None,
        pre_pad: int = 0,
        device: str = "auto",
        threads: int | None = None,
    ) -> "Upscaler":
        """Return an upscaler for `model`.

        Args:
            model: a folder or `.pdmodel` file that tools/export_model.py wrote, a weight
                file, or the name of a released model (see `list_models`).
            precision: what to compute in, see `open_runner`.
            engine: what computes, see `open_runner`.
            tile: see the class.
            tile_pad: see the class.
            pre_pad: see the class.
            device: "auto", "cpu" or "gpu".
            threads: CPU threads of an exported model; None: all cores.

        Raises:
            UserError: there is no such model, it cannot be loaded, or an option has a
                value that is not known.
        """
        runner = open_runner(
            model, engine=engine, precision=precision, device=device, threads=threads
        )
        return cls(runner, runner.scale, tile=tile, tile_pad=tile_pad, pre_pad=pre_pad)

    @overload
    def __call__(
        self,
        image: ImageOrArray,
        *,
        outscale: float | None = None,
    ) -> ImageOrArray: ...

    @overload
    def __call__(
        self,
        image: str | Path,
        *,
        outscale: float | None = None,
    ) -> np.ndarray: ...

    @overload
    def __call__(
        self,
        image: list,
        *,
        outscale: float | None = None,
    ) -> list: ...

    def __call__(
        self,
        image: Any,
        *,
        outscale: float | None = None,
    ) -> Any:
        """Return the upscaled image: an array for an array, a PIL image for one of PIL.

        Where memory is short, `tile` is halved for good, and the image goes on from the
        row of tiles that was reached.

        Args:
            image: an array, uint8 or uint16, (H, W) gray, (H, W, 3) RGB or (H, W, 4)
                RGBA, at least 1x1: the result has its dtype and channels. Or a PIL image:
                the result has its mode and its `info`, but palettes become RGB or RGBA,
                black and white becomes gray, and CMYK becomes RGB. Or the path of an image
                file: the result is an array, of what `utils.images.read_image` returns.
                Or a list of these: the result is a list.
            outscale: the upscaling factor of the result; None: the network's. The size
                is rounded; the network's output is resized with a Lanczos filter before
                it is rounded to integers.

        Raises:
            OutOfMemoryError: there is not enough memory even for the smallest tiles.
            UserError: an image of another kind, a result that is too large, or an
                output that is not finite.
            OSError: a file that cannot be opened.
        """
        upscale = partial(self._upscaled, outscale=outscale, log=self.log)
        return upscale_any(image, upscale)

    def predict(
        self,
        image: ImageOrArray,
        by_patch_of_size: int | None = None,
        batch_size: int = 10,
        padding_size: int | None = None,
    ) -> ImageOrArray:
        """Return the upscaled image, for programs that call idealo ISR's `predict`.

        Args:
            image: see `__call__`; ISR's is uint8 RGB (H, W, 3).
            by_patch_of_size: the longest side of a patch in input pixels, without its
                padding; None: `tile`, as this upscaler was loaded.
            batch_size: changes nothing: patches are computed one by one.
            padding_size: pixels that a patch sees beyond its border; None: `tile_pad`.
                ISR's default of 2 leaves seams.
        """
        if batch_size < 1:
            raise UserError(f"batch_size {batch_size}: must be 1 or more")
        if by_patch_of_size is not None and by_patch_of_size < 1:
            raise UserError(f"by_patch_of_size {by_patch_of_size}: must be 1 or more")
        if padding_size is not None and padding_size < 0:
            raise UserError(f"padding_size {padding_size}: must be 0 or more")

        patched = Upscaler(
            self.run,
            self.scale,
            tile=self.tile if by_patch_of_size is None else by_patch_of_size,
            tile_pad=self._tile_pad if padding_size is None else padding_size,
            pre_pad=self.pre_pad,
            alpha_upsampler=self.alpha_upsampler,
            progress=self.progress,
            log=self.log,
        )
        return patched(image)

    def fit_to_memory(
        self, image: np.ndarray, log: Callable[[str], None]
    ) -> np.ndarray:
        """Return what a call returns, and give `log` the lines that a call gives."""
        return self._upscaled(image, None, log)

    def _upscaled(
        self, image: np.ndarray, outscale: float | None, log: Callable[[str], None]
    ) -> np.ndarray:
        """See `__call__`; `log` gets a line on what went otherwise than planned."""
        _check(image)
        height, width = image.shape[:2]
        size = _scaled(width, height, self.scale if outscale is None else outscale)
        out = _result(image, size)
        before, self.counts = str(self._planner), TileCounts()
        try:
            self._draw(image, out)
        except MemoryError as error:
            advice = f"use smaller tiles (now {self.tile})"
            if self.tile == "auto":
                advice = "the smallest tiles do not fit"
            raise OutOfMemoryError(
                f"out of memory on {width}x{height} pixels; {advice}"
            ) from error

        if before != str(self._planner):
            log(
                f"out of memory on {width}x{height} pixels, so images are upscaled in "
                f"tiles of {self._planner} from now on (before: {before})"
            )
        if self.counts.in_float32:
            log(
                f"the output of {self.counts.in_float32} of {self.counts.computed} tiles "
                "was not finite, so they were computed again in float32"
            )
        return out

    def _draw(self, image: np.ndarray, out: np.ndarray) -> None:
        """Upscale `image` into `out`, which has its dtype and channels."""
        if image.shape[2:] == (4,):
            self._through_network(image[..., :3], out[..., :3])
            self._draw_alpha(image[..., 3], out[..., 3])
        else:
            self._through_network(image, out)

    def _through_network(self, image: np.ndarray, out: np.ndarray) -> None:
        """Upscale gray or RGB; gray is the luma of the network's output."""
        picture = Picture(image, self.pre_pad, self.multiple)
        size = (image.shape[1] * self.scale, image.shape[0] * self.scale)

        canvas: Canvas
        if image.ndim == 3 and size == (out.shape[1], out.shape[0]):
            canvas = DirectCanvas(out)
        else:
            rows = RowWriter(out, size)
            canvas = StripCanvas(rows, size[0], is_gray=image.ndim == 2)

        loop = TileLoop(
            self._network, picture, canvas, self.counts, progress=self.progress
        )
        loop.run(self._planner, out.nbytes)

    def _draw_alpha(self, alpha: np.ndarray, out: np.ndarray) -> None:
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


def _check(image: np.ndarray) -> None:
    """Raise UserError unless `image` is one that `utils.images.read_image` returns."""
    dtype_fits = image.dtype in (np.uint8, np.uint16)
    shape_fits = image.ndim in (2, 3) and image.shape[2:] in ((), (3,), (4,))
    if not (dtype_fits and shape_fits and image.size):
        raise UserError(
            f"an array of {image.dtype} {image.shape} cannot be upscaled; uint8 or "
            "uint16, (H, W), (H, W, 3) or (H, W, 4) can"
        )


def _scaled(width: int, height: int, outscale: float) -> tuple[int, int]:
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


def _result(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an array for the result of `size` (width, height)."""
    width, height = size
    try:
        return np.empty((height, width, *image.shape[2:]), image.dtype)
    except MemoryError as error:
        raise OutOfMemoryError(
            f"out of memory: the result would have {width}x{height} pixels; lower "
            "outscale"
        ) from error
