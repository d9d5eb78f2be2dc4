"""Size, orientation and completeness of an image file, without decoding its pixels.

Own code around Pillow, because no library tells whether a file is complete without
decoding it, nor which size OpenCV will decode it to, orientation included. And OpenCV
decodes kinds of PNG and TIFF whose headers Pillow refuses.
"""

import io
import logging
import os
import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import failed_download, open_regular

# Pillow remarks on damage in lines of its own, of which an error here is one.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    struct.error,
)
"""What Pillow raises for a file that it cannot read."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM")
"""What Pillow may open. Of others it knows, EPS is a program, which Ghostscript runs."""

TAIL = 1 << 16
"""How much of a file's end is searched for its end marker [bytes]."""

LARGEST_FILE = 1 << 31
"""Largest image file [bytes].

The largest image that is accepted needs half of it as uncompressed 16-bit samples.
"""

LIMIT = "REALESRGAN_MAX_IMAGE_MB"
"""The environment variable with the most megabytes that an image may be decoded to.

It reaches every command and worker process. `realesrgan_paddle/__init__.py` gives its
value to OpenCV too, as a number of pixels.
"""
DEFAULT_LIMIT = "400"
"""100 megapixels of 8-bit RGBA; 16-bit RGBA of 7680x4320 pixels takes 265 MB."""

# Tags of TIFF and Exif.
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_ORIENTATION, _SAMPLES, _FORMAT = 274, 277, 339
_PALETTE = 3
"""Of TIFF's photometric interpretations, the one that is decoded to RGB."""
_FORMATS = {2: "int", 3: "float"}
"""TIFF's sample formats; uint for others."""
_NUMBER_TYPES = {1: "B", 3: "H", 4: "L", 16: "Q"}
"""TIFF's types of whole numbers, and their formats in `struct`."""

READABLE = "8-bit and 16-bit images can be read"

MOST_TAGS = 4096
"""Of a TIFF's directory; libtiff refuses more."""

_PNG_CHANNELS = {0: 1, 2: 4, 3: 4, 4: 4, 6: 4}
"""Channels by PNG's color type; RGB and a palette may have a clear color."""
_CHANNELS = {"1": 1, "L": 1, "I": 1, "I;16": 1, "RGB": 3, "YCbCr": 3, "CMYK": 3}
"""Channels by Pillow's mode; 4 for others."""
_EIGHT_BITS = ("JPEG", "MPO", "WEBP", "BMP", "GIF")
"""Formats that OpenCV decodes to 8 bits. Others may have 16, or 32 in mode F."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
"""The chunks that make a PNG an animation; its first image stands in others."""

_END_MARKERS = {b"\x89PNG": b"IEND\xaeB`\x82", b"\xff\xd8": b"\xff\xd9"}
"""The bytes that end a PNG and a JPEG, by those that begin it."""


_ADVICE = (
    "cut such an image into smaller ones, or set the environment variable "
    f"{LIMIT} to more megabytes"
)


@dataclass(frozen=True)
class Header:
    """Size and orientation of one image."""

    width: int
    """[pixels], of the upright image."""
    height: int
    channels: int
    """Of the decoded image, or more."""
    sample_type: str
    """Of the decoded image, such as "uint8", or a larger one."""
    orientation: int = 1
    """Exif's number of how OpenCV's decoded image must be turned: 1 not at all, ..."""

    @property
    def decoded_bytes(self) -> int:
        """The size of the decoded image, or more."""
        sample_bytes = np.dtype(self.sample_type).itemsize
        samples = self.width * self.height * self.channels
        return samples * sample_bytes


def read_header(file: IO[bytes], name: str | Path) -> Header:
    """Return the header of an image.

    Exif is used where it precedes the pixels. OpenCV itself turns TIFF images upright.

    Args:
        file: at its beginning.
        name: of the file, for the error.

    Raises:
        UserError: the header is damaged or of an unknown kind, or declares samples of
            more than 16 bits, or so many pixels that they could fill the memory.
    """
    limit = max_image_bytes()
    try:
        header = _read_header(file, limit)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UserError(
            f"{name}: declares more than {most:,} pixels; {_ADVICE}"
        ) from None
    except DAMAGED as error:
        raise UserError(
            f"{name}: not a readable image (its header is damaged, or of an unknown kind)"
        ) from error

    if np.dtype(header.sample_type).itemsize > 2:
        raise UserError(f"{name}: samples are {header.sample_type}; {READABLE}")
    if header.decoded_bytes > limit:
        raise UserError(
            f"{name}: declares more than {limit // 10**6} MB ({header.width}x"
            f"{header.height} pixels, {header.channels} channels of "
            f"{header.sample_type}); {_ADVICE}"
        )
    return header


def max_image_bytes() -> int:
    """Return how many bytes an image may be decoded to, see `LIMIT`."""
    megabytes = os.environ.get(LIMIT, DEFAULT_LIMIT)
    if not re.fullmatch("[1-9][0-9]{0,5}", megabytes):
        raise UserError(
            f"{LIMIT}={megabytes!r}: must be a whole number from 1 to 999999"
        )
    return int(megabytes) * 10**6


def _read_header(file: IO[bytes], limit: int) -> Header:
    """Return an image's header, or raise what Pillow raises for damaged ones."""
    # As many pixels as there may be of RGB; Pillow refuses more than twice this number.
    if Image.MAX_IMAGE_PIXELS is not None:
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, limit // 6)

    start = file.read(26)
    file.seek(0)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff_header(_tiff_tags(file))
    if start.startswith(b"\x89PNG"):
        return _png_header(start, file)

    with Image.open(file, formats=FORMATS) as image:
        sample_type = "uint8" if image.format in _EIGHT_BITS else "uint16"
        if image.mode == "F":
            sample_type = "float32"
        channels = _CHANNELS.get(image.mode, 4)
        width, height = image.size
        return _upright(width, height, channels, sample_type, _orientation(image))


def _png_header(start: bytes, file: IO[bytes]) -> Header:
    """Return the header of a PNG, also of those with chunks that Pillow refuses."""
    chunk, width, height, bits, color_type = struct.unpack(">4sIIBB", start[12:])
    if chunk != b"IHDR" or bits not in (1, 2, 4, 8, 16):
        raise ValueError("not the header of a PNG")
    try:
        with Image.open(file, formats=FORMATS) as image:
            orientation = _orientation(image)
    except DAMAGED:
        orientation = 1

    sample_type = "uint16" if bits == 16 else "uint8"
    channels = _PNG_CHANNELS[color_type]
    return _upright(width, height, channels, sample_type, orientation)


def _upright(
    width: int, height: int, channels: int, sample_type: str, orientation: int
) -> Header:
    """Return the header of an image that is stored with this size."""
    if width < 1 or height < 1:
        raise ValueError("no pixels")
    if orientation in (5, 6, 7, 8):  # those that swap width and height
        width, height = height, width
    return Header(width, height, channels, sample_type, orientation)


def _orientation(image: Image.Image) -> int:
    # Without this condition, getexif would decode a PNG to search behind its pixels.
    if "exif" not in image.info:
        return 1
    orientation = image.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _tiff_header(tags: dict[int, int]) -> Header:
    samples = tags.get(_SAMPLES, 1)
    channels = 4 if samples > 3 else 3
    if samples == 1 and tags.get(_PHOTOMETRIC) != _PALETTE:
        channels = 1

    kind = _FORMATS.get(tags.get(_FORMAT, 1), "uint")
    bits = tags.get(_BITS, 1)
    sample_type = "uint8" if bits <= 8 else "uint16"
    if bits > 16:
        sample_type = f"{kind}32" if bits <= 32 else f"{kind}64"

    orientation = tags.get(_ORIENTATION, 1)
    width, height = tags[_WIDTH], tags[_HEIGHT]
    header = _upright(width, height, channels, sample_type, orientation)
    return replace(header, orientation=1)


def _tiff_tags(file: IO[bytes]) -> dict[int, int]:
    """Return the first whole number of each tag of a TIFF's first directory.

    TIFF 6.0, section 2, and BigTIFF. Of a repeated tag the first counts, as in libtiff.
    """
    head = file.read(16)
    order = "<" if head.startswith(b"II") else ">"
    big = b"+" in head[2:4]
    offset, count, entry = ("Q", "Q", "HHQ8s") if big else ("L", "H", "HHL4s")

    (start,) = struct.unpack_from(order + offset, head, 8 if big else 4)
    file.seek(start)
    (entries,) = struct.unpack(order + count, file.read(8 if big else 2))

    size = struct.calcsize(order + entry)
    directory = file.read(size * min(entries, MOST_TAGS))
    tags: dict[int, int] = {}
    for place in range(0, len(directory), size):
        tag, kind, length, value = struct.unpack_from(order + entry, directory, place)
        if kind not in _NUMBER_TYPES or tag in tags:
            continue
        number = order + _NUMBER_TYPES[kind]
        if length * struct.calcsize(number) > len(value):  # then it is an offset
            file.seek(*struct.unpack(order + offset, value))
            value = file.read(8)
        tags[tag] = struct.unpack_from(number, value)[0]
    return tags


def read_checked_header(path: Path) -> Header:
    """Return the header of an image file.

    Reads only the ends of the file.

    Raises:
        UserError: it cannot hold a complete image, or one that is too large.
        OSError: it cannot be opened.
    """
    check_file_size(path)
    with open_regular(path) as file:
        start = file.read(512)
        end = file.seek(0, io.SEEK_END)
        file.seek(max(0, end - TAIL))
        tail = file.read()
        reason = rejection_reason(start + tail if end > TAIL else tail)
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


def without_animation(data: bytes) -> bytes:
    """Return a PNG file's content without its animation; another file's as it is.

    Only the first image is read, and damaged animations crash OpenCV 4.11.
    """
    if not data.startswith(_PNG_SIGNATURE) or _ANIMATION[0] not in data:
        return data
    kept = [_PNG_SIGNATURE]
    for kind, place, end in _chunks(data):
        if kind not in _ANIMATION:
            kept.append(data[place:end])
    return b"".join(kept)


def has_too_long_a_chunk(data: bytes) -> bool:
    """Return whether a PNG declares a chunk that is longer than the file.

    OpenCV allocates what is declared, up to 4 GB.
    """
    is_png = data.startswith(_PNG_SIGNATURE)
    return is_png and any(end > len(data) for _, _, end in _chunks(data))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the begin and the end of each chunk of a PNG, which may be cut."""
    kind, end = b"", len(_PNG_SIGNATURE)
    while kind != b"IEND" and end + 8 <= len(data):
        place = end
        length, kind = struct.unpack_from(">L4s", data, place)
        end = place + 12 + length  # with length, kind and checksum
        yield kind, place, end


def stand_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image (H, W, ...) mirrored and turned by its Exif orientation."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
