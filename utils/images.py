"""Images as arrays: RGB order, (H, W, C), gray as (H, W)."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, read_regular
from realesrgan_paddle.utils.image_headers import (
    READABLE,
    check_file_size,
    has_too_long_a_chunk,
    read_header,
    rejection_reason,
    stand_upright,
    without_animation,
)

IMAGE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
)

SUFFIXES_16_BIT = (".png", ".tif", ".tiff", ".ppm", ".pgm")
"""Formats that hold 16-bit samples; for others OpenCV saturates them, silently."""

SUFFIXES_ALPHA = (".png", ".webp", ".bmp", ".tif", ".tiff")
"""Formats that hold an alpha channel; in others OpenCV drops it, silently."""

Size = tuple[int, int]
"""Width and height [pixels]."""

QUICK_PNG: list[int] = []
"""What PNG files are written with unless a level is asked for: each row is stored as its
difference to the row above, which newer OpenCV offers. Measured on key frames of
five frames against its default, the difference to the left: 5 to 28 % less time, files
7 to 11 % smaller, of one video 5 % larger.
"""
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    QUICK_PNG += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def list_images(
    folder: str | Path,
    *,
    recursive: bool = False,
    suffixes: Sequence[str] = IMAGE_SUFFIXES,
) -> list[Path]:
    """Return the image files of `folder`, by suffix, sorted by path.

    Hidden files and folders are left out.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    candidates = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        path
        for path in candidates
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not _is_hidden(path.relative_to(folder))
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_image(path: str | Path) -> np.ndarray:
    """Return an image in its own type, uint8 or uint16.

    (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA, upright, as viewers show it: turned
    and mirrored by its Exif orientation. Palettes are expanded, CMYK becomes RGB, gray
    with alpha becomes RGBA. Of several frames the first is read.

    Raises:
        UserError: the file is no image that OpenCV can decode, has another sample type,
            or too many pixels.
    """
    return decode_image(read_image_file(path), path)


def read_image_file(path: str | Path) -> bytes:
    """Return the content of an image file, not decoded.

    Raises:
        UserError: it cannot hold a complete image, or is too large.
    """
    check_file_size(Path(path))
    data = read_regular(path)  # cv2.imread cannot open every file name on Windows
    if reason := rejection_reason(data):
        raise UserError(f"{path}: not a readable image ({reason})")
    return data


def decode_image(data: bytes, path: str | Path) -> np.ndarray:
    """Return the image in a file's content as `read_image` does; `path` is for errors."""
    header = read_header(io.BytesIO(data), path)
    if has_too_long_a_chunk(data):
        raise UserError(
            f"{path}: not a readable image (damaged: a chunk is longer than the file)"
        )

    content = np.frombuffer(without_animation(data), np.uint8)
    try:
        image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    except cv2.error:  # such as a declared size beyond OpenCV's limit
        image = None
    if image is None:
        raise UserError(
            f"{path}: not a readable image (damaged, or of a kind that OpenCV does not "
            "know)"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path}: samples are {image.dtype}; {READABLE}")

    image = stand_upright(image, header.orientation)
    if image.ndim == 2:
        return image
    has_alpha = image.shape[2] == 4
    return cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if has_alpha else cv2.COLOR_BGR2RGB)


def read_rgb(path: str | Path) -> np.ndarray:
    """Return an image as float32 RGB (H, W, 3) in [0, 1]; see `read_samples`."""
    return to_float(read_samples(path))


def read_rgb8(path: str | Path) -> np.ndarray:
    """Return an image as uint8 RGB (H, W, 3); see `read_samples`."""
    return np.ascontiguousarray(eight_bits(read_samples(path)))


def read_samples(path: str | Path) -> np.ndarray:
    """Return an image's RGB (H, W, 3) as it is stored, uint8 or uint16.

    Gray is repeated, an alpha channel dropped. It may be a view that cannot be written
    to, so that a crop of a large image takes no more memory than the file's samples.
    """
    return rgb_of(read_image(path))


def rgb_of(image: np.ndarray) -> np.ndarray:
    """Return a decoded image as `read_samples` does."""
    if image.ndim == 2:
        return np.broadcast_to(image[..., None], (*image.shape, 3))
    return image[..., :3]


def to_float(samples: np.ndarray) -> np.ndarray:
    """Return uint8 or uint16 samples as float32 in [0, 1].

    16 bits are recognized by the type, not by the values.
    """
    white = np.float32(np.iinfo(samples.dtype).max)
    return samples.astype(np.float32) / white


def size_of(image: np.ndarray) -> Size:
    """Return the width and height of an image."""
    height, width = image.shape[:2]
    return width, height


def size_text(size: Size) -> str:
    """Return a size for a message, such as "64x48"."""
    width, height = size
    return f"{width}x{height}"


def write_image(
    path: str | Path, image: np.ndarray, *, png_compression: int | None = None
) -> None:
    """Write an image atomically, in the format of the suffix of `path`.

    Args:
        path: the file to write.
        image: uint8 or uint16; (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.
        png_compression: 0 (large, fast) to 9; None: fast, see `QUICK_PNG`.

    Raises:
        UserError: the suffix is no image format, or the format cannot hold this image.
    """
    path = Path(path)
    data = encode_image(path.suffix, image, png_compression)
    if data is None:
        raise UserError(
            f"{path}: cannot write {image.dtype} {image.shape} as "
            f"{path.suffix or 'no suffix'}"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def encode_image(
    suffix: str, image: np.ndarray, png_compression: int | None = None
) -> bytes | None:
    """Return an image file's content; None if its format cannot hold the image."""
    has_alpha = image.shape[2:] == (4,)
    if image.dtype != np.uint8 and suffix.lower() not in SUFFIXES_16_BIT:
        return None
    if has_alpha and suffix.lower() not in SUFFIXES_ALPHA:
        return None

    if image.ndim == 3:
        to_bgr = cv2.COLOR_RGBA2BGRA if has_alpha else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, to_bgr)
    options: list[int] = []
    if png_compression is not None:
        options = [cv2.IMWRITE_PNG_COMPRESSION, png_compression]
    elif suffix.lower() == ".png":
        options = QUICK_PNG
    try:
        done, data = cv2.imencode(suffix, image, options)
    except cv2.error:
        return None
    return data.tobytes() if done else None


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), `scale` times as large by bicubic interpolation."""
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    original = Image.fromarray(image)
    enlarged = original.resize(size, Image.Resampling.BICUBIC)
    return np.array(enlarged)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Return a float image in [0, 1] as uint8, clipped and rounded to nearest."""
    clipped = np.clip(image, 0, 1)
    levels = np.rint(clipped * 255)
    return levels.astype(np.uint8)


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Return an image of 16 bits rounded to 8 bits; others as they are."""
    if image.dtype != np.uint16:
        return image
    return np.rint(image / 257).astype(np.uint8)
