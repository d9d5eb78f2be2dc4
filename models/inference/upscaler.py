"""The tiled upscaler that every command uses: whole images in, whole images out."""

import copy
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from realesrgan_paddle.models.inference.library.kinds import upscale_any
from realesrgan_paddle.models.inference.open_runner import open_runner
from realesrgan_paddle.models.inference.tiles import size_multiple, spans
from realesrgan_paddle.utils.errors import UserError

TILE_PAD = 80
"""Pixels that a tile sees beyond its border.

Measured on real images in 8 bits (docs/inference.md): with less than this a seam of
RealESRGAN_x4plus differs from the untiled image by more than one level. Real-ESRGAN's
10 leaves up to 100 levels.
"""
MAX_SIDE, MAX_PIXELS = 2**20, 2**30
"""OpenCV's limits (CV_IO_MAX_IMAGE_WIDTH, CV_IO_MAX_IMAGE_PIXELS): it reads no more."""
SMALLEST_TILE = 32
"""Tiles are not halved below this [pixels]: with padding 80 that would save little."""
ALPHA_UPSAMPLERS = ("realesrgan", "bicubic")

Run = Callable[[np.ndarray], np.ndarray]
Picture = TypeVar("Picture", np.ndarray, Image.Image)


class OutOfMemoryError(UserError):
    """An image does not fit into memory in tiles of this size."""


class Upscaler:
    """Upscales images with a network, whole or in tiles.

    `Upscaler.load` makes one from a file or a released model's name.

    Args:
        run: the network: float32 RGB (1, 3, H, W) in [0, 1] to (1, 3, scale * H,
            scale * W).
        scale: the network's upscaling factor.
        tile: the longest side of a tile in input pixels; 0: the whole image at once.
        tile_pad: pixels that a tile sees beyond its border; fewer are faster and leave
            seams.
        pre_pad: pixels by which the image is mirrored at its borders first; they are
            cropped off afterwards.
        alpha_upsampler: what upscales an alpha channel: "realesrgan" (the network) or
            "bicubic".
        progress: show a progress bar of the tiles on stderr if that is a terminal.
    """

    def __init__(
        self,
        run: Run,
        scale: int,
        *,
        tile: int = 0,
        tile_pad: int = TILE_PAD,
        pre_pad: int = 0,
        alpha_upsampler: Literal["realesrgan", "bicubic"] = "realesrgan",
        progress: bool = False,
    ) -> None:
        sizes = {"tile": tile, "tile_pad": tile_pad, "pre_pad": pre_pad}
        for name, value in sizes.items():
            if value < 0:
                raise UserError(f"{name} {value}: must be 0 or more pixels")
        if alpha_upsampler not in ALPHA_UPSAMPLERS:
            known = ", ".join(ALPHA_UPSAMPLERS)
            raise UserError(f"alpha_upsampler {alpha_upsampler!r}: known are {known}")

        self.run = run
        self.scale = scale
        self.tile = tile
        self.tile_pad = tile_pad
        self.pre_pad = pre_pad
        self.alpha_upsampler = alpha_upsampler
        self.progress = progress
        self.multiple = size_multiple(scale)

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        precision: str = "auto",
        engine: str = "auto",
        tile: int = 0,
        tile_pad: int = TILE_PAD,
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
        image: Picture,
        *,
        outscale: float | None = None,
    ) -> Picture: ...

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
            OutOfMemoryError: there is not enough memory.
            UserError: an image of another kind, a result that is too large, or an
                output that is not finite.
            OSError: a file that cannot be opened.
        """
        upscale = partial(self._upscale, outscale=outscale)
        return upscale_any(image, upscale)

    def predict(
        self,
        image: Picture,
        by_patch_of_size: int | None = None,
        batch_size: int = 10,
        padding_size: int | None = None,
    ) -> Picture:
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

        patched = copy.copy(self)
        if by_patch_of_size is not None:
            patched.tile = by_patch_of_size
        if padding_size is not None:
            patched.tile_pad = padding_size
        return patched(image)

    def _upscale(self, image: np.ndarray, outscale: float | None) -> np.ndarray:
        """Return the upscaled image, with the dtype and channels of the input."""
        _check(image)
        height, width = image.shape[:2]
        size = _scaled(width, height, self.scale if outscale is None else outscale)
        try:
            return self._upscaled(image, size)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"out of memory on {width}x{height} pixels; use smaller tiles (now "
                f"{self.tile})"
            ) from error

    def fit_to_memory(
        self, image: np.ndarray, log: Callable[[str], None]
    ) -> np.ndarray:
        """Return the upscaled image; where memory is short, halve `tile` for good.

        With the default `tile_pad` the result differs by no more than one 8-bit level
        (docs/inference.md). `log` gets a line where `tile` was halved.

        Raises:
            UserError: as a call; not enough memory even for the smallest tiles.
        """
        before, size = self.tile, image.shape[:2]
        while True:
            try:
                out = self(image)
            except OutOfMemoryError:
                halved = min(self.tile or max(size), max(size)) // 2
                if halved < SMALLEST_TILE:
                    raise
                self.tile = halved
            else:
                break
        if self.tile != before:
            log(
                f"out of memory on {size[1]}x{size[0]} pixels, so images are upscaled in "
                f"tiles of {self.tile} pixels from now on (before: {before or 'whole'})"
            )
        return out

    def _upscaled(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return the image at `size` (width, height), with the dtype of the input."""
        peak = np.iinfo(image.dtype).max
        levels = image.astype(np.float32) / np.float32(peak)

        if image.ndim == 2:
            out = self._gray(levels)
        elif image.shape[2] == 4:
            rgb = self._rgb(levels[..., :3])
            out = np.dstack([rgb, self._alpha(levels[..., 3])])
        else:
            out = self._rgb(levels)

        # Resized before rounding: Real-ESRGAN resizes what is already rounded to 8 bits.
        if size != (out.shape[1], out.shape[0]):
            out = _resize(out, size, Image.Resampling.LANCZOS)
        np.clip(out, 0, 1, out=out)
        out *= peak
        return np.rint(out, out=out).astype(image.dtype)

    def _rgb(self, image: np.ndarray) -> np.ndarray:
        """Return float32 RGB (H, W, 3) upscaled by `scale`, clipped to [0, 1]."""
        height, width = image.shape[:2]
        pad, scale = self.pre_pad, self.scale

        # Mirrored pixels also fill the size up to a multiple that the network takes.
        bottom = pad + -(height + 2 * pad) % self.multiple
        right = pad + -(width + 2 * pad) % self.multiple
        margins = ((pad, bottom), (pad, right), (0, 0))
        padded = np.pad(image, margins, "reflect")

        channels_first = padded.transpose(2, 0, 1)
        out = self._tiled(np.ascontiguousarray(channels_first))

        first = pad * scale
        bottom = first + height * scale
        right = first + width * scale
        kept = out[first:bottom, first:right]
        return np.clip(kept, 0, 1, out=kept)

    def _tiled(self, image: np.ndarray) -> np.ndarray:
        """Return float32 (3, H, W) upscaled, (scale * H, scale * W, 3), tile by tile."""
        _, height, width = image.shape
        scale = self.scale
        shape = (height * scale, width * scale, 3)
        out = np.empty(shape, np.float32)

        cut = (self.tile, self.tile_pad, self.multiple)
        rows, columns = spans(height, *cut), spans(width, *cut)
        tiles = list(product(rows, columns))
        # None: shown if stderr is a terminal.
        hidden = None if self.progress and len(tiles) > 1 else True

        for y, x in tqdm(tiles, unit="tile", leave=False, disable=hidden):
            window = image[None, :, y.window(), x.window()]
            output = self._run(np.ascontiguousarray(window))

            kept = output[:, y.kept(scale), x.kept(scale)]
            target = y.target(scale), x.target(scale)
            out[target] = kept.transpose(1, 2, 0)
        return out

    def _run(self, window: np.ndarray) -> np.ndarray:
        """Return the network's output for (1, 3, h, w), as (3, scale * h, scale * w)."""
        height, width = window.shape[2:]
        output = self.run(window)

        expected = (1, 3, height * self.scale, width * self.scale)
        if output.shape != expected:
            raise UserError(
                f"the network's output for {window.shape} is {output.shape}, not "
                f"{expected}"
            )
        if not np.isfinite(output).all():
            raise UserError(
                "the network's output holds NaN or infinite values; its weights are "
                "damaged"
            )
        return output[0]

    def _gray(self, image: np.ndarray) -> np.ndarray:
        """Return float32 gray (H, W) upscaled: the luma of the network's output."""
        three_channels = np.repeat(image[..., None], 3, axis=2)
        rgb = self._rgb(three_channels)
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)

    def _alpha(self, alpha: np.ndarray) -> np.ndarray:
        """Return an alpha channel, float32 (H, W), upscaled by `scale`."""
        height, width = (length * self.scale for length in alpha.shape)
        if alpha.min() == alpha.max():
            return np.full((height, width), alpha[0, 0])
        if self.alpha_upsampler == "bicubic":
            return _resize(alpha, (width, height), Image.Resampling.BICUBIC)
        return self._gray(alpha)


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


def _resize(
    image: np.ndarray, size: tuple[int, int], method: Image.Resampling
) -> np.ndarray:
    """Return float32 (H, W) or (H, W, C) at `size` (width, height).

    With Pillow, whose filters are widened to downscale, so that nothing aliases;
    OpenCV's are not.
    """
    if image.ndim == 2:
        return np.array(Image.fromarray(image).resize(size, method))

    resized = []
    for c in range(image.shape[2]):
        channel = Image.fromarray(np.ascontiguousarray(image[..., c]))
        resized.append(np.asarray(channel.resize(size, method)))
    return np.dstack(resized)
