"""The Python API: images of any kind in, images of the same kind out; and whole videos."""

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, overload

import numpy as np
from PIL import Image
from typing_extensions import Unpack

from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.inference.runners.runner import Run
from realesrgan_paddle.inference.tiling.array_upscaler import ArrayUpscaler
from realesrgan_paddle.inference.tiling.plan import Tile
from realesrgan_paddle.inference.video.settings import (
    DEFAULTS,
    VideoSettings,
    require_av,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import DAMAGED
from realesrgan_paddle.utils.images import read_image

if TYPE_CHECKING:
    from realesrgan_paddle.inference.video.reading.frames import RGBFrame
    from realesrgan_paddle.inference.video.segment_maker import UpscaledVideo

ImageOrArray = TypeVar("ImageOrArray", np.ndarray, Image.Image)

KEPT_MODES = ("L", "RGB", "RGBA")
"""PIL's modes whose pixels are an array that can be upscaled as it is."""
MOST_16_BITS = 2**16 - 1


class VideoKeywords(TypedDict, total=False):
    """What `Upscaler.video` takes by name: the fields of `VideoSettings`, which see."""

    codec: Literal["auto", "h264", "hevc", "av1", "vp9", "ffv1"]
    crf: int | None
    preset: str | None
    pix_fmt: str | None
    width: int | None
    height: int | None
    start: float | None
    end: float | None
    deinterlace: Literal["auto", "no", "frame", "field"]
    bad_frames: Literal["stop", "repeat"]
    segment_seconds: float
    no_reuse: bool


class Upscaler(ArrayUpscaler):
    """Upscales images and videos with a network, whole or in tiles.

    Args:
        network: the name of a released model (see `list_models`), a weight file, a folder
            or `.pdmodel` file that tools/export_model.py wrote; or what runs a network,
            see `ArrayUpscaler`.
        scale: of what runs a network; all others tell it themselves.
        precision: what to compute in, see `open_runner`.
        engine: what computes, see `open_runner`.
        device: "auto", "cpu" or "gpu".
        threads: CPU threads of an exported model; None: all cores.
        tile: see `ArrayUpscaler`, as all that follow.

    Raises:
        UserError: there is no such model, it cannot be loaded, or an option has a value
            that is not known.
    """

    def __init__(
        self,
        network: str | PathLike[str] | Run,
        scale: int | None = None,
        *,
        precision: str = "auto",
        engine: str = "auto",
        device: str = "auto",
        threads: int | None = None,
        tile: Tile = 0,
        tile_pad: int | None = None,
        pre_pad: int = 0,
        alpha_upsampler: Literal["realesrgan", "bicubic"] = "realesrgan",
        progress: bool = False,
        log: Callable[[str], None] = warnings.warn,
    ) -> None:
        self._name = ""
        if isinstance(network, str | PathLike):
            self._name = f"{str(network)!r}, "
            runner = open_runner(
                Path(network) if isinstance(network, PathLike) else network,
                engine=engine,
                precision=precision,
                device=device,
                threads=threads,
            )
            network, scale = runner, runner.scale
        elif scale is None:
            raise UserError("Upscaler: give the scale of what runs the network")
        super().__init__(
            network,
            scale,
            tile=tile,
            tile_pad=tile_pad,
            pre_pad=pre_pad,
            alpha_upsampler=alpha_upsampler,
            progress=progress,
            log=log,
        )

    def __repr__(self) -> str:
        """Return the network, its scale, and where, by which engine, in what it computes."""
        device = getattr(self.run, "device", "")
        # Without the reasons, which stand in parentheses.
        where = re.sub(r" \([^()]*\)", "", device)
        on = f", on {where}" if where else ""
        return f"Upscaler({self._name}x{self.scale}{on})"

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
        """Return `Upscaler(model, ...)`.

        Args:
            model: a released name, a weight file or an export; see the class, as for the
                others.
            precision: what to compute in.
            engine: what computes.
            tile: longest side of a tile.
            tile_pad: what a tile sees beyond its border.
            pre_pad: how far the image is mirrored at its borders.
            device: where.
            threads: of an exported model on a CPU.
        """
        return cls(
            model,
            precision=precision,
            engine=engine,
            tile=tile,
            tile_pad=tile_pad,
            pre_pad=pre_pad,
            device=device,
            threads=threads,
        )

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
        if isinstance(image, list | tuple):
            return [self._one(single, outscale) for single in image]
        return self._one(image, outscale)

    def _one(self, image: object, outscale: float | None) -> Any:
        """Return one image upscaled; see `__call__`."""
        upscale = super().__call__
        if not isinstance(image, Image.Image):
            return upscale(read_any(image), outscale=outscale)

        pixels, mode = _pixels(image)
        large = Image.fromarray(upscale(pixels, outscale=outscale))
        if large.mode != mode:
            large = large.convert(mode)
        # As Image.resize: what PIL keeps beside the pixels (ICC profile, Exif, dpi) stays.
        large.info = dict(image.info)
        large.info.pop("transparency", None)  # is in the alpha channel now
        return large

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

    def video(
        self,
        source: str | Path,
        target: str | Path,
        settings: VideoSettings = DEFAULTS,
        *,
        outscale: float | None = None,
        say: Callable[[str], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        **changes: Unpack[VideoKeywords],
    ) -> "UpscaledVideo":
        """Write an upscaled video, with its sound and all else; see `upscale_video`.

        A run that was ended goes on where it was: `on_progress`, which is called with the
        frames that are done and all frames, may end it with an exception. Needs PyAV.

            sr.video("match.mp4", "match_x4.mp4", crf=18, start=90, end=100)
        """
        require_av()
        from realesrgan_paddle.inference.video.upscale_video import upscale_video

        return upscale_video(
            self,
            Path(source),
            Path(target),
            replace(settings, **changes),
            outscale=outscale,
            say=say,
            on_progress=on_progress,
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


def read_any(image: object) -> np.ndarray:
    """Return one image as an array, see `Upscaler`; an array comes back as it is."""
    if isinstance(image, np.ndarray):
        return image
    if isinstance(image, Image.Image):
        return _pixels(image)[0]
    if isinstance(image, str | PathLike):
        return read_image(Path(image))
    raise UserError(
        f"{type(image).__name__} cannot be upscaled; a NumPy array, a PIL image, the path "
        "of an image file or a list of these can"
    )


def _pixels(image: Image.Image) -> tuple[np.ndarray, str]:
    """Return a PIL image's pixels as an array that can be upscaled, and its result's mode.

    The mode is the image's own where it can hold new colors. Palettes, and RGB or gray
    with one clear color, become RGBA if something in them is clear. Black and white
    becomes gray. All other modes become RGB.
    """
    try:
        image.load()
    except DAMAGED as error:
        raise UserError(f"the PIL image cannot be decoded: {error}") from error
    if 0 in image.size:
        raise UserError("the PIL image has no pixels")

    mode = image.mode
    if mode in ("I", "F"):
        return _sixteen_bits(image), mode
    if mode.startswith("I;16"):  # in either byte order
        return np.array(image).astype(np.uint16), "I;16"
    if mode == "1":
        return np.array(image.convert("L")), "L"
    if mode == "LA":
        return np.array(image.convert("RGBA")), mode
    if mode not in KEPT_MODES or "transparency" in image.info:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        image = image.convert(mode)
    return np.array(image), mode


def _sixteen_bits(image: Image.Image) -> np.ndarray:
    """Return the pixels of mode I, as which Pillow before 11 opens 16-bit gray PNGs."""
    values = np.array(image)
    if image.mode == "F" or values.min() < 0 or values.max() > MOST_16_BITS:
        raise UserError(
            f"a PIL image of mode {image.mode} with values from {values.min()} to "
            f"{values.max()} cannot be upscaled; convert it to mode L, I;16, RGB or RGBA"
        )
    return values.astype(np.uint16)
