"""The tiled upscaler that every command uses: whole images in, whole images out."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
from PIL import Image

from realesrgan_paddle.inference.kinds import upscale_any
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.runner import Run, TileCounts
from realesrgan_paddle.inference.tiles import size_multiple
from realesrgan_paddle.inference.tiling.painter import Painter
from realesrgan_paddle.inference.tiling.plan import Plan, Tile, TilePlanner
from realesrgan_paddle.inference.tiling.result import (
    OutOfMemoryError,
    check_image,
    empty_result,
    scaled_size,
)
from realesrgan_paddle.inference.video.settings import (
    DEFAULTS,
    VideoSettings,
    require_av,
)
from realesrgan_paddle.utils.errors import UserError

if TYPE_CHECKING:
    from realesrgan_paddle.inference.video.reading.frames import RGBFrame
    from realesrgan_paddle.inference.video.segment_maker import Outcome

ALPHA_UPSAMPLERS = ("realesrgan", "bicubic")

ImageOrArray = TypeVar("ImageOrArray", np.ndarray, Image.Image)


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
        self.tile_pad = tile_pad
        self._planner = TilePlanner(run, scale, self.multiple, tile, tile_pad)
        self._painter = Painter(
            run,
            scale,
            self._planner,
            pre_pad=pre_pad,
            alpha_upsampler=alpha_upsampler,
            progress=progress,
        )

    @property
    def counts(self) -> TileCounts:
        """What became of the tiles of the last image."""
        return self._painter.counts

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
            tile_pad=self.tile_pad if padding_size is None else padding_size,
            pre_pad=self.pre_pad,
            alpha_upsampler=self.alpha_upsampler,
            progress=self.progress,
            log=self.log,
        )
        return patched(image)

    def to_size(
        self, image: np.ndarray, size: tuple[int, int], *, after: bool = False
    ) -> np.ndarray:
        """Return an image upscaled to `size`, (width, height), for the frames of a video.

        Args:
            image: an array, see `__call__`.
            size: of the result [pixels].
            after: copy tiles that are identical to one of the image before, if `size` is
                the network's. Its result must not have been written into.
        """
        return self._drawn(image, size, self.log, after=after)

    def plan(self, image: np.ndarray, size: tuple[int, int]) -> Plan:
        """Return how `image` would be cut, upscaled to `size` (width, height)."""
        return self._painter.plan(image, size)

    def fix_tiles(self, plan: Plan | None) -> None:
        """Cut images of the size of `plan` so from now on; None: as memory allows."""
        self._planner.fixed = plan

    def video(
        self,
        source: str | Path,
        target: str | Path,
        settings: VideoSettings = DEFAULTS,
        *,
        outscale: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> "Outcome":
        """Write an upscaled video, with its sound and all else; see `upscale_video`.

        A run that was ended goes on where it was. Needs PyAV.
        """
        require_av()
        from realesrgan_paddle.inference.video.upscale_video import upscale_video

        return upscale_video(
            self, Path(source), Path(target), settings, outscale=outscale, say=say
        )

    def frames(
        self,
        source: str | Path,
        settings: VideoSettings = DEFAULTS,
        *,
        outscale: float | None = None,
    ) -> "Iterator[RGBFrame]":
        """Yield the upscaled frames of a video, in order; see `upscaled_frames`.

        For programs that do with them what they like. Needs PyAV.
        """
        require_av()
        from realesrgan_paddle.inference.video.upscale_video import upscaled_frames

        return upscaled_frames(self, Path(source), settings, outscale=outscale)

    def fit_to_memory(
        self, image: np.ndarray, log: Callable[[str], None]
    ) -> np.ndarray:
        """Return what a call returns, and give `log` the lines that a call gives."""
        return self._upscaled(image, None, log)

    def _upscaled(
        self, image: np.ndarray, outscale: float | None, log: Callable[[str], None]
    ) -> np.ndarray:
        """See `__call__`; `log` gets a line on what went otherwise than planned."""
        check_image(image)
        height, width = image.shape[:2]
        size = scaled_size(width, height, self.scale if outscale is None else outscale)
        return self._drawn(image, size, log)

    def _drawn(
        self,
        image: np.ndarray,
        size: tuple[int, int],
        log: Callable[[str], None],
        *,
        after: bool = False,
    ) -> np.ndarray:
        """Return the image upscaled to `size`; see `to_size` and `_upscaled`."""
        height, width = image.shape[:2]
        out = empty_result(image, size)
        before = str(self._planner)
        try:
            self._painter.paint(image, out, after=after)
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
        counts = self.counts
        if counts.in_float32:
            log(
                f"the output of {counts.in_float32} of {counts.computed} tiles "
                "was not finite, so they were computed again in float32"
            )
        return out
