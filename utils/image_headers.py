"""Size, orientation and completeness of an image file, without decoding its pixels.

Own code around Pillow, because no library tells whether a file is complete without
decoding it, nor which size OpenCV will decode it to, orientation included.
"""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download
from realesrgan_paddle.utils.files.regular import open_regular

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
"""How much of a file's end is searched for its end marker [bytes]."""

LARGEST_FILE = 1 << 31
"""Largest image file [bytes].

The largest image that is accepted needs half of it as uncompressed 16-bit samples.
"""

# Tags of TIFF and Exif.
_ORIENTATION, _WIDTH, _HEIGHT = 274, 256, 257

_END_MARKERS = {b"\x89PNG": b"IEND\xaeB`\x82", b"\xff\xd8": b"\xff\xd9"}
"""The bytes that end a PNG and a JPEG, by those that begin it."""


@dataclass(frozen=True)
class Header:
    """Size and orientation of one image."""

    width: int
    """[pixels], of the upright image."""
    height: int
    orientation: int = 1
    """Exif's number of how OpenCV's decoded image must be turned: 1 not at all, ..."""


def read_header(file: IO[bytes], name: str | Path) -> Header | None:
    """Return the header of an image; None if Pillow does not know it or finds damage.

    Exif is used where it precedes the pixels. OpenCV itself turns TIFF images upright.

    Args:
        file: at its beginning.
        name: of the file, for the error.

    Raises:
        UserError: it declares so many pixels that it could fill the memory.
    """
    try:
        with Image.open(file) as image:
            if image.mode == "F":  # OpenCV decodes it, and then it is refused
                return None
            return _tiff_header(image) if image.format == "TIFF" else _header(image)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UserError(
            f"{name}: declares more than {most:,} pixels; cut such an image into "
            "smaller ones"
        ) from None
    except DAMAGED:
        return None


def _header(image: Image.Image) -> Header:
    orientation = 1
    # Without this condition, getexif would decode a PNG to search behind its pixels.
    if "exif" in image.info:
        orientation = _valid_orientation(image)
    width, height = image.size
    if orientation >= 5:  # those that swap width and height
        width, height = height, width
    return Header(width, height, orientation)


def _tiff_header(image: Image.Image) -> Header:
    # `size` is that of the upright image in some versions of Pillow only.
    exif = image.getexif()
    orientation = _valid_orientation(image)
    width, height = int(exif[_WIDTH]), int(exif[_HEIGHT])
    if orientation >= 5:
        width, height = height, width
    return Header(width, height)


def _valid_orientation(image: Image.Image) -> int:
    orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def read_checked_header(path: Path) -> Header | None:
    """Return the header of an image file; None if only decoding can tell its size.

    Reads only the ends of the file.

    Raises:
        UserError: it cannot hold a complete image.
        OSError: it cannot be opened.
    """
    check_file_size(path)
    with open_regular(path) as file:
        start = file.read(512)
        end = file.seek(0, io.SEEK_END)
        file.seek(max(0, end - TAIL))
        reason = rejection_reason(start + file.read())
        # Appended data, such as a phone's video, may push the end marker out of the
        # tail. Then the whole file is searched.
        if reason and end > TAIL:
            file.seek(0)
            reason = rejection_reason(file.read())
        if reason:
            raise UserError(f"{path}: not a readable image ({reason})")
        file.seek(0)
        return read_header(file, path)


def check_file_size(path: Path) -> None:
    """Raise UserError for a file that is too large to be read into memory."""
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(
            f"{path}: larger than {LARGEST_FILE >> 30} GiB; cut such an image into "
            "smaller ones"
        )


def rejection_reason(data: bytes) -> str | None:
    """Return why a file cannot hold a complete image, or None; nothing is decoded.

    OpenCV would fill the missing part of a JPEG with gray.
    """
    for head, end_marker in _END_MARKERS.items():
        if data.startswith(head) and end_marker not in data:
            return "cut short"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        declared_size = int.from_bytes(data[4:8], "little")
        if len(data) < declared_size:
            return "cut short"
    return failed_download(data[:512])


def stand_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image (H, W, ...) mirrored and turned by its Exif orientation."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
