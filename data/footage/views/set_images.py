"""The images of a set: its frames, their small versions, and what was made of them."""

from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.sets.made_folders import MANIFEST, TRAIN, VAL
from realesrgan_paddle.data.sets.manifest import EXTRACTED, is_kept, read_records
from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import make_folder
from realesrgan_paddle.utils.images import list_images, read_image, write_image


def find_image(output: Path, name: str) -> Path | None:
    """Return the path of a frame's image; None if there is none."""
    for folder in (output, output / TRAIN, output / VAL):
        path = folder / name
        if path.is_file():
            return path
    return None


def move_image(output: Path, name: str, place: str) -> None:
    """Move a frame's image to `place` in the set, if it is elsewhere."""
    found = find_image(output, name)
    target = output / place
    if found is None or found == target:
        return
    make_folder(target.parent)
    found.replace(target)


def remove_image(output: Path, name: str) -> None:
    """Remove a frame's image, wherever it is in the set."""
    while found := find_image(output, name):
        found.unlink()


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
        output: folder of the set.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = output / SOURCES_FOLDER / FOLDER

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
        image = find_image(self._output, name)
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


def remove_outdated(frames: Path, root: Path) -> None:
    """Remove what a training set holds of frames that are not where they were.

    So no image of a view for validation is trained on. Only files named after frames
    of the manifest are removed.

    Args:
        frames: folder of the frames, with the manifest.
        root: the training set: sub, multiscale, val/HR and val/LR are looked through.
    """
    training: set[str] = set()
    validation: set[str] = set()
    known: set[str] = set()
    for record in read_records(frames / MANIFEST, EXTRACTED):
        if "file" not in record:
            continue
        stem = Path(record["file"]).stem
        known.add(stem)
        if is_kept(record):
            is_val = record["file"].startswith(f"{VAL}/")
            (validation if is_val else training).add(stem)

    for folder in (root / "sub", root / "multiscale"):
        for path in _images(folder):
            # "match_000012.480_s003.png", or "..._s003T1.png" of a smaller version
            frame = path.name.rpartition("_s")[0]
            if frame in known - training:
                path.unlink()
    for folder in (root / VAL / "HR", root / VAL / "LR"):
        for path in _images(folder):
            if path.stem in known - validation:
                path.unlink()


def _images(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []
