"""What the page does with pictures: checked ones in, files out."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.inference.graph.exported_files import exported_files, is_exported
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.models.weights.catalogue import is_released, released_hint
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import (
    eight_bits,
    read_image,
    size_of,
    size_text,
    write_image,
)

TILE = 512
"""Longest side of a tile: memory does not grow with the picture (docs/inference.md)."""
LONGEST_SHOWN = 4096
"""Longest side that the page shows [pixels]; the file to download is never reduced.

16 megapixels each before and after are what a browser shows without a pause.
"""
QUICK = 1
"""PNG compression of what the page shows: the quickest."""


@dataclass(frozen=True)
class Limits:
    """What a picture, or a video, may have."""

    megabytes: int
    """Of its file."""
    megapixels: float
    """Of its pixels, as its header says; also of a video's frames."""
    video_megabytes: int = 200
    """Of a video's file."""
    video_seconds: float = 60.0
    """Of a video."""

    @property
    def bytes(self) -> int:
        """The largest file of all."""
        return max(self.megabytes, self.video_megabytes) * 10**6


@dataclass(frozen=True)
class Result:
    """The files of one upscaled picture."""

    before: Path
    """The picture, enlarged by bicubic interpolation to the size of `after`; a PNG."""
    after: Path
    """The upscaled picture as it is shown; a PNG with 8 bits."""
    full: Path
    """The upscaled picture in full, a PNG with the picture's bits and channels."""
    text: str
    """Both sizes, and how long it took."""


class Service:
    """Upscales picture files, one at a time, with the models of a list and those made here.

    The network that was used last stays in memory, no other.

    Args:
        models: what `Upscaler.load` takes, at least one.
        limits: what pictures may have.
        device: see `Upscaler.load`.
        threads: see `Upscaler.load`.
        tunes: makes networks; while it does, nothing is upscaled.

    Raises:
        UserError: a model that does not exist.
    """

    def __init__(
        self,
        models: Sequence[str],
        limits: Limits,
        *,
        device: str = "auto",
        threads: int | None = None,
        tunes: Tunes | None = None,
    ) -> None:
        for model in models:
            _check_model(model)
        self.models = tuple(models)
        self.limits = limits
        self.device = device
        self.threads = threads
        self._loaded: tuple[str, Upscaler] | None = None
        self._tunes = tunes
        self._busy = tunes.busy if tunes else threading.Lock()

    @property
    def choices(self) -> list[str]:
        """The models that can be chosen now."""
        return [*self.models, *(self._tunes.networks if self._tunes else ())]

    def check_model(self, model: str) -> None:
        """Raise UserError if a model cannot be chosen."""
        if model not in self.choices:
            raise UserError(f"{model}: not one of this page's models")

    @contextmanager
    def alone(self, is_awaited: Callable[[], bool]) -> Iterator[None]:
        """Compute while nothing else does; wait for it while `is_awaited`.

        Raises:
            UserError: a network is being made, which takes long, or nobody waits.
        """
        while not self._busy.acquire(timeout=0.2):
            if self._tunes and self._tunes.running:
                raise UserError(self._tunes.occupied)
            check_awaited(is_awaited)
        try:
            yield
        finally:
            self._busy.release()

    def check(self, path: Path) -> str:
        """Return a picture's size, as "640x360 pixels".

        Raises:
            UserError: it is no image, or exceeds a limit; nothing was decoded.
        """
        size = path.stat().st_size
        if size > self.limits.megabytes * 10**6:
            raise UserError(
                f"{path.name}: {size / 10**6:.1f} MB; up to {self.limits.megabytes} MB "
                "are allowed"
            )
        try:
            header = read_checked_header(path)
        except UserError as error:
            raise UserError(_without_folder(error, path)) from error

        pixels = header.width * header.height
        if pixels > self.limits.megapixels * 10**6:
            raise UserError(
                f"{path.name}: {header.width}x{header.height} pixels are "
                f"{pixels / 10**6:.1f} megapixels; up to {self.limits.megapixels:g} are "
                "allowed"
            )
        return f"{header.width}x{header.height} pixels"

    def upscale(
        self,
        path: Path,
        model: str,
        folder: Path,
        is_awaited: Callable[[], bool] = lambda: True,
    ) -> Result:
        """Upscale a picture file, and write the files of the result into `folder`.

        Args:
            path: the file.
            model: one of `models`.
            folder: it exists.
            is_awaited: whether somebody waits for the result; asked before each tile.

        Raises:
            UserError: a picture that `check` refuses, an unknown model, one that cannot
                be loaded or run, or nobody waits any more.
        """
        self.check(path)
        self.check_model(model)
        try:
            image = read_image(path)
        except UserError as error:
            raise UserError(_without_folder(error, path)) from error

        with self.alone(is_awaited):
            check_awaited(is_awaited)
            start = time.perf_counter()
            upscaler = self._upscaler(model)
            upscaler.before_tile = partial(check_awaited, is_awaited)
            large = upscaler(image)
            seconds = time.perf_counter() - start
        before, after = size_text(size_of(image)), size_text(size_of(large))
        text = f"{before} to {after} pixels, {seconds:.1f} s"
        return _written(image, large, folder, path.stem, text)

    def _upscaler(self, model: str) -> Upscaler:
        """Return the upscaler of a model; the one before is let go first."""
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = None
            upscaler = Upscaler.load(
                model, tile=TILE, device=self.device, threads=self.threads
            )
            self._loaded = (model, upscaler)
        return self._loaded[1]


def check_awaited(is_awaited: Callable[[], bool]) -> None:
    """Raise UserError if nobody waits."""
    if not is_awaited():
        raise UserError("nobody waits for the result any more")


def _check_model(model: str) -> None:
    """Raise UserError if there is no such model; nothing is loaded or fetched."""
    if is_exported(model):
        exported_files(Path(model))
    elif not Path(model).exists() and not is_released(model):
        raise UserError(
            f"{model}: no such file or folder, nor a released model"
            f"{released_hint(model)}"
        )


def _written(
    image: np.ndarray, large: np.ndarray, folder: Path, stem: str, text: str
) -> Result:
    """Write the files of a result, and return their names."""
    height, width = large.shape[:2]
    full = folder / f"{stem}_out.png"
    write_image(full, large)

    shown = _shown_size(width, height)
    before, after = folder / "before.png", folder / "after.png"
    for path, pixels in ((before, image), (after, large)):
        scaled = Image.fromarray(eight_bits(pixels))
        scaled = scaled.resize(shown, Image.Resampling.BICUBIC)
        write_image(path, np.array(scaled), png_compression=QUICK)

    return Result(before, after, full, text)


def _shown_size(width: int, height: int) -> tuple[int, int]:
    """Return (width, height) reduced, if it must be, so that the page can show it."""
    longest = max(width, height)
    if longest <= LONGEST_SHOWN:
        return width, height

    factor = LONGEST_SHOWN / longest
    shown_width = round(width * factor)
    shown_height = round(height * factor)
    return max(1, shown_width), max(1, shown_height)


def _without_folder(error: UserError, path: Path) -> str:
    """Return a message that names the file alone: the page has a folder of its own."""
    message = str(error)
    in_full = str(path)
    return message.replace(in_full, path.name)
