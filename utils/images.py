"""Images as arrays: RGB order, height first, gray as two dimensions."""

import io
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import (
    check_file_size,
    not_an_image,
    read_header,
    stand_upright,
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
# OpenCV writes others too, but saturates 16 bits to white and drops alpha without a
# word.
SUFFIXES_16_BIT = (".png", ".tif", ".tiff", ".ppm", ".pgm")
SUFFIXES_ALPHA = (".png", ".webp", ".bmp", ".tif", ".tiff")


def list_images(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """Return the image files of `folder`, by suffix, sorted by path; hidden files and folders are left out."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(
        p
        for p in found
        if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file() and not _hidden(p, folder)
    )


def _hidden(path: Path, folder: Path) -> bool:
    return any(part[0] == "." for part in path.relative_to(folder).parts)


def read_image(path: str | Path) -> np.ndarray:
    """Return an image in its own type: uint8 or uint16, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.

    It stands upright, as viewers show it: turned and mirrored as its Exif orientation
    asks. Palettes are spelled out, CMYK becomes RGB, gray with alpha becomes RGBA; of
    several frames the first is taken.

    Raises:
        UserError: the file is no image that OpenCV can decode, has another sample type,
            or too many pixels.
    """
    check_file_size(Path(path))
    data = Path(path).read_bytes()  # cv2.imread cannot open every file name on Windows
    if reason := not_an_image(data):
        raise UserError(f"{path}: not a readable image ({reason})")
    header = read_header(io.BytesIO(data), path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # such as a declared size beyond OpenCV's limit
        image = None
    if image is None:
        raise UserError(
            f"{path}: not a readable image (damaged, or of a kind that OpenCV does not know)"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"{path}: samples are {image.dtype}; 8-bit and 16-bit images can be read"
        )
    if header is not None:
        image = stand_upright(image, header.turn)
    if image.ndim == 2:
        return image
    return cv2.cvtColor(
        image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    )


def read_rgb(path: str | Path) -> np.ndarray:
    """Return an image as float32 RGB (H, W, 3) in [0, 1]; gray is repeated, an alpha channel dropped.

    16-bit samples are recognised by their type, not by their values.
    """
    image = read_image(path)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image[..., :3].astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def write_image(
    path: str | Path, image: np.ndarray, *, png_compression: int | None = None
) -> None:
    """Write a uint8 or uint16 image (gray, RGB or RGBA) atomically, in the format of the suffix of `path`.

    `png_compression` is 0 (large, fast) to 9; for None OpenCV chooses.

    Raises:
        UserError: the suffix is no image format, or the format cannot hold this image.
    """
    path = Path(path)
    suffix, alpha = path.suffix.lower(), image.shape[2:] == (4,)
    held = (image.dtype == np.uint8 or suffix in SUFFIXES_16_BIT) and (
        not alpha or suffix in SUFFIXES_ALPHA
    )
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if alpha else cv2.COLOR_RGB2BGR)
    options = (
        []
        if png_compression is None
        else [cv2.IMWRITE_PNG_COMPRESSION, png_compression]
    )
    try:
        done, data = (
            cv2.imencode(path.suffix, image, options)
            if held
            else (False, np.empty(0, np.uint8))
        )
    except cv2.error:
        done, data = False, np.empty(0, np.uint8)
    if not done:
        raise UserError(
            f"{path}: cannot write {image.dtype} {image.shape} as {path.suffix or 'no suffix'}"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(
            data.tobytes()
        )  # numpy's tofile says nothing of a full disk


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Return a float image in [0, 1] as uint8, clipped and rounded to the nearest level."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
