"""Where the images of a set's frames are: at its root, or in one of two parts."""

from pathlib import Path

from realesrgan_paddle.data.sets.made_folders import TRAIN, VAL
from realesrgan_paddle.utils.files import make_folder


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
