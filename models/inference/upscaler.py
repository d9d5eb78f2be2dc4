"""The tiled upscaler that every command shares: whole pictures in, whole pictures out."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from realesrgan_paddle.models.inference.tiles import size_multiple, spans
from realesrgan_paddle.utils.errors import UserError

# Measured on real pictures in 8 bits (docs/inference.md): with less than this a seam of
# RealESRGAN_x4plus differs from the untiled picture by more than one level. Upstream's
# 10 leaves up to 100 levels.
TILE_PAD = 80
MAX_SIDE, MAX_PIXELS = 2**20, 2**30  # OpenCV reads no larger pictures
ALPHA_UPSAMPLERS = ("realesrgan", "bicubic")

Run = Callable[[np.ndarray], np.ndarray]


class Upscaler:
    """Enlarge pictures with a network, whole or in tiles; `Upscaler.load` makes one from a file or a name.

    Args:
        run: the network: float32 RGB (1, 3, H, W) in [0, 1] to (1, 3, scale * H, scale
            * W).
        scale: the network's enlargement.
        tile: the longest side of a tile in pixels of the input; 0 for the whole picture
            at once.
        tile_pad: pixels that a tile sees beyond its border; fewer are faster and leave
            seams.
        pre_pad: pixels mirrored around the picture before, and cut off after.
        alpha_upsampler: what enlarges an alpha channel: "realesrgan", the network, or
            "bicubic".
        progress: show a bar of the tiles on stderr if that is a terminal.
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
        for name, value in (
            ("tile", tile),
            ("tile_pad", tile_pad),
            ("pre_pad", pre_pad),
        ):
            if value < 0:
                raise UserError(f"{name} {value}: must be 0 or more pixels")
        if alpha_upsampler not in ALPHA_UPSAMPLERS:
            raise UserError(
                f"alpha_upsampler {alpha_upsampler!r}: known are {', '.join(ALPHA_UPSAMPLERS)}"
            )
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
        tile: int = 0,
        tile_pad: int = TILE_PAD,
        pre_pad: int = 0,
        device: str = "auto",
        threads: int | None = None,
    ) -> "Upscaler":
        """Return an upscaler for `model`.

        Args:
            model: a folder or `.pdmodel` file that tools/export_model.py wrote, a file
                of weights, or the name of a released model (see `list_models`).
            tile: see the class.
            tile_pad: see the class.
            pre_pad: see the class.
            device: "auto", "cpu" or "gpu".
            threads: CPU threads of an exported model; all cores for None.
        """
        # Here, for Paddle takes seconds to load and an upscaler with another `run` does
        # without it.
        from realesrgan_paddle.models.inference.predictors import load_runner

        runner = load_runner(model, device=device, threads=threads)
        return cls(runner, runner.scale, tile=tile, tile_pad=tile_pad, pre_pad=pre_pad)

    def __call__(
        self, image: np.ndarray, *, outscale: float | None = None
    ) -> np.ndarray:
        """Return the enlarged picture, of the kind that came in.

        Args:
            image: uint8 or uint16, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA, at
                least 1x1.
            outscale: the enlargement of the result, `scale` for None. The size is
                rounded; the picture is resized by a Lanczos filter before it is rounded
                to levels.

        Raises:
            UserError: an array of another kind, a result that is too large, a network
                that gives other than finite numbers, or memory that does not suffice.
        """
        _check(image)
        height, width = image.shape[:2]
        size = _scaled(width, height, self.scale if outscale is None else outscale)
        try:
            return self._enlarged(image, size)
        except MemoryError as error:
            raise UserError(
                f"out of memory on {width}x{height} pixels; take smaller tiles (now {self.tile})"
            ) from error

    def _enlarged(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return the picture at `size` (width, height), of the kind that came in."""
        peak = np.iinfo(image.dtype).max
        levels = image.astype(np.float32) / np.float32(peak)
        if image.ndim == 2:
            out = self._gray(levels)
        elif image.shape[2] == 4:
            out = np.dstack([self._rgb(levels[..., :3]), self._alpha(levels[..., 3])])
        else:
            out = self._rgb(levels)
        if size != (out.shape[1], out.shape[0]):
            out = _resize(out, size, Image.Resampling.LANCZOS)
        np.clip(out, 0, 1, out=out)
        out *= peak
        return np.rint(out, out=out).astype(image.dtype)

    def _rgb(self, image: np.ndarray) -> np.ndarray:
        """Return float32 RGB (H, W, 3) enlarged by `scale`, clipped to [0, 1]."""
        height, width = image.shape[:2]
        pad = self.pre_pad
        fill = [-(length + 2 * pad) % self.multiple for length in (height, width)]
        padded = np.pad(
            image, ((pad, pad + fill[0]), (pad, pad + fill[1]), (0, 0)), "reflect"
        )
        out = self._tiled(np.ascontiguousarray(padded.transpose(2, 0, 1)))
        top, scale = pad * self.scale, self.scale
        kept = out[top : top + height * scale, top : top + width * scale]
        return np.clip(kept, 0, 1, out=kept)

    def _tiled(self, image: np.ndarray) -> np.ndarray:
        """Return float32 (3, H, W) as (scale * H, scale * W, 3), tile by tile, as the network gives it."""
        _, height, width = image.shape
        scale = self.scale
        out = np.empty((height * scale, width * scale, 3), np.float32)
        rows = spans(height, self.tile, self.tile_pad, self.multiple)
        columns = spans(width, self.tile, self.tile_pad, self.multiple)
        tiles = [(y, x) for y in rows for x in columns]
        for y, x in tqdm(
            tiles,
            unit="tile",
            leave=False,
            disable=None if self.progress and len(tiles) > 1 else True,
        ):
            window = image[
                :, y.window_start : y.window_stop, x.window_start : x.window_stop
            ]
            made = self._run(np.ascontiguousarray(window[None]))
            top, left = (
                (y.start - y.window_start) * scale,
                (x.start - x.window_start) * scale,
            )
            kept = made[
                :,
                top : top + (y.stop - y.start) * scale,
                left : left + (x.stop - x.start) * scale,
            ]
            out[y.start * scale : y.stop * scale, x.start * scale : x.stop * scale] = (
                kept.transpose(1, 2, 0)
            )
        return out

    def _run(self, window: np.ndarray) -> np.ndarray:
        """Return what the network makes of one tile (1, 3, h, w), as (3, scale * h, scale * w)."""
        height, width = window.shape[2:]
        made = self.run(window)
        expected = (1, 3, height * self.scale, width * self.scale)
        if made.shape != expected:
            raise UserError(
                f"the network made {made.shape} of {window.shape}, not {expected}"
            )
        if not np.isfinite(made).all():
            raise UserError(
                "the network's output holds NaN or infinite values; its weights are damaged"
            )
        return made[0]

    def _gray(self, image: np.ndarray) -> np.ndarray:
        """Return float32 (H, W) enlarged by `scale`: the luma of what the network makes of a gray picture."""
        return cv2.cvtColor(
            self._rgb(np.repeat(image[..., None], 3, axis=2)), cv2.COLOR_RGB2GRAY
        )

    def _alpha(self, alpha: np.ndarray) -> np.ndarray:
        """Return an alpha channel, float32 (H, W), enlarged by `scale`; a constant one stays as it is."""
        height, width = alpha.shape
        if alpha.min() == alpha.max():
            return np.full((height * self.scale, width * self.scale), alpha[0, 0])
        if self.alpha_upsampler == "bicubic":
            return _resize(
                alpha,
                (width * self.scale, height * self.scale),
                Image.Resampling.BICUBIC,
            )
        return self._gray(alpha)


def _check(image: np.ndarray) -> None:
    """Raise UserError unless `image` is a picture as `utils.images.read_image` gives it."""
    channels = image.shape[2:] in ((), (3,), (4,))
    if (
        image.dtype not in (np.uint8, np.uint16)
        or image.ndim not in (2, 3)
        or not channels
        or not image.size
    ):
        raise UserError(
            f"an image of {image.dtype} {image.shape} cannot be enlarged;"
            " uint8 or uint16, (H, W), (H, W, 3) or (H, W, 4) can"
        )


def _scaled(width: int, height: int, outscale: float) -> tuple[int, int]:
    """Return (width, height) times `outscale`, rounded half up, at least 1."""
    if not 0 < outscale < float("inf"):
        raise UserError(f"outscale {outscale}: must be a number above 0")
    size = max(1, int(width * outscale + 0.5)), max(1, int(height * outscale + 0.5))
    if max(size) > MAX_SIDE or size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            f"{size[0]}x{size[1]} pixels would come out; no image file here holds so many; lower outscale"
        )
    return size


def _resize(
    image: np.ndarray, size: tuple[int, int], method: Image.Resampling
) -> np.ndarray:
    """Return float32 (H, W) or (H, W, C) at `size` (width, height).

    By Pillow: its filters widen when they shrink a picture, so that nothing aliases;
    OpenCV's do not.
    """
    if image.ndim == 2:
        return np.array(Image.fromarray(image).resize(size, method))
    channels = [np.ascontiguousarray(image[..., c]) for c in range(image.shape[2])]
    return np.dstack(
        [
            np.asarray(Image.fromarray(channel).resize(size, method))
            for channel in channels
        ]
    )
