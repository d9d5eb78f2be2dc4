"""What an image file says of itself, without its pixels: its size, which side is up, whether its end is there."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download

DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    struct.error,
)
"""What Pillow raises for a file that it cannot read."""

TAIL = 1 << 16
"""How much of a file's end is read to look for the mark that ends it [bytes]."""

LARGEST_FILE = 1 << 31
"""Of an image [bytes]; as many pixels as are taken, of 16 bits without compression, need half of it."""

_ORIENTATION, _WIDTH, _HEIGHT = 274, 256, 257  # tags of TIFF and Exif
_ENDS = {
    b"\x89PNG": b"IEND\xaeB`\x82",
    b"\xff\xd8": b"\xff\xd9",
}  # by how a file begins: PNG, JPEG


@dataclass(frozen=True)
class Header:
    """Of one image."""

    width: int
    """[pixels], of the upright picture."""
    height: int
    turn: int = 1
    """What stands it upright once OpenCV has decoded it, as Exif counts: 1 nothing, 6 a quarter turn clockwise, ..."""


def read_header(file: IO[bytes], name: str | Path) -> Header | None:
    """Return the header of an image file, None if Pillow does not know its kind or finds it damaged.

    The orientation is Exif's, where it stands before the pixels. OpenCV turns TIFF by
    itself.

    Raises:
        UserError: it declares so many pixels that it may be made to fill the memory.
            `name` is the file's.
    """
    try:
        with Image.open(file) as image:
            if image.mode == "F":  # OpenCV decodes it, and then it is refused
                return None
            # In Pillow, PNG's getexif decodes the picture if there is no Exif before
            # it.
            found = (
                image.getexif().get(_ORIENTATION)
                if image.format == "TIFF" or "exif" in image.info
                else 1
            )
            turn = found if found in range(1, 9) else 1
            width, height = image.size
            if (
                image.format == "TIFF"
            ):  # `size` is that of the upright picture in some versions of Pillow
                width, height = (int(image.getexif()[tag]) for tag in (_WIDTH, _HEIGHT))
            if turn >= 5:
                width, height = height, width
            return Header(width, height, 1 if image.format == "TIFF" else turn)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UserError(
            f"{name}: declares more than {most:,} pixels; cut such a picture into smaller ones"
        ) from None
    except DAMAGED:
        return None


def read_checked_header(path: Path) -> Header | None:
    """Return the header of an image file, None if only decoding can tell its size; only its ends are read.

    Raises:
        UserError: it cannot hold a whole image.
        OSError: it cannot be opened.
    """
    check_file_size(path)
    with path.open("rb") as file:
        start = file.read(512)
        end = file.seek(0, io.SEEK_END)
        file.seek(max(0, end - TAIL))
        reason = not_an_image(start + file.read())
        if (
            reason and end > TAIL
        ):  # what stands behind the picture, such as a phone's video, may be long
            file.seek(0)
            reason = not_an_image(file.read())
        if reason:
            raise UserError(f"{path}: not a readable image ({reason})")
        file.seek(0)
        return read_header(file, path)


def check_file_size(path: Path) -> None:
    """Raise UserError for a file that is not to be read into memory."""
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"{path}: larger than {LARGEST_FILE >> 30} GiB; cut such a picture into smaller ones"
        )


def not_an_image(data: bytes) -> str | None:
    """Return why a file cannot hold a whole image, as far as that shows without decoding it.

    OpenCV fills up what is missing of a JPEG with gray.
    """
    for head, end in _ENDS.items():
        if data.startswith(head) and end not in data:
            return "cut short"
    if (
        data[:4] == b"RIFF"
        and data[8:12] == b"WEBP"
        and len(data) < int.from_bytes(data[4:8], "little")
    ):
        return "cut short"
    return failed_download(data[:512])


def stand_upright(image: np.ndarray, turn: int) -> np.ndarray:
    """Return an image (H, W) or (H, W, C) mirrored and turned as the Exif orientation `turn` asks."""
    if turn >= 5:
        image = image.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        image = image[::-1]
    if turn in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
