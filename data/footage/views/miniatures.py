"""Small gray versions of a set's frames, by which views and copies are found."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image

LONG_SIDE = 480
"""Longer side of a miniature [pixels].

At 320 half of the pairs of wide shots of one stadium are missed (measured on the
frames of benchmarks/footage/views.py), 640 costs twice the time.
"""

FOLDER = "miniatures"
"""Folder of the miniatures in the hidden folder of a set; about 20 kB a frame."""


def miniature(luma: np.ndarray) -> np.ndarray:
    """Return an image, uint8 luma (H, W), with its longer side at most `LONG_SIDE`."""
    height, width = luma.shape
    factor = min(1.0, LONG_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)


class Miniatures:
    """The miniatures of a set, in files, so that few of them are in memory.

    Args:
        output: the set.
        find: returns the path of a frame's image by its file's name.
    """

    def __init__(self, output: Path, find: Callable[[str], Path | None]) -> None:
        self._folder = output / SOURCES_FOLDER / FOLDER
        self._find = find

    def write(self, name: str, image: np.ndarray) -> None:
        """Write the miniature of a frame, uint8 RGB (H, W, 3), unless it exists."""
        path = self._path(name)
        if not path.exists():
            luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            write_image(path, miniature(luma))

    def make(self, name: str) -> bool:
        """Return whether a frame has a miniature, or now has one.

        Sets of older versions have none: they are made from the images.
        """
        if self._path(name).exists():
            return True
        image = self._find(name)
        if image is None:
            return False
        try:
            pixels = read_image(image)
        except UserError:
            return False
        is_rgb = pixels.dtype == np.uint8 and pixels.ndim == 3
        if is_rgb:
            self.write(name, np.ascontiguousarray(pixels[..., :3]))
        return is_rgb

    def read(self, name: str) -> np.ndarray:
        """Return the miniature of a frame, uint8 (H, W).

        Raises:
            UserError: it is damaged.
        """
        return read_image(self._path(name))

    def _path(self, name: str) -> Path:
        stem = Path(name).stem
        return self._folder / f"{stem}.jpg"
