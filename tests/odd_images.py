"""Image files as they come from cameras, scanners and old programs, all of one picture."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

LEVELS = (200, 50, 20), (10, 220, 30)
"""Colours of the picture, and of its upper left quarter."""


def colours(height: int = 16, width: int = 24) -> np.ndarray:
    """The picture, uint8 RGB (H, W, 3): red-brown, the upper left quarter green."""
    image = np.full((height, width, 3), LEVELS[0], np.uint8)
    image[: height // 2, : width // 2] = LEVELS[1]
    return image


def encode(image: Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    """Return a file's bytes, with an Exif orientation if it is not 1."""
    if orientation != 1 and kind == "TIFF":
        options["tiffinfo"] = {274: orientation}
    elif orientation != 1:
        options["exif"] = Image.Exif()
        options["exif"][274] = orientation
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Return how a camera with this orientation would have stored the picture: Pillow's definition, turned round."""
    ways = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
            7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    way = ways.get(orientation)
    image = Image.fromarray(upright)
    return np.asarray(image.transpose(Image.Transpose[way]) if way else image)


def kinds() -> dict[str, bytes]:
    """Return files by name that all show `colours()`, within a few levels."""
    image = Image.fromarray(colours())
    return {
        "palette.png": encode(image.quantize(16), "PNG"),
        "palette_with_a_clear_colour.png": encode(image.quantize(16), "PNG", transparency=0),
        "two_bits.png": encode(image.quantize(4), "PNG", bits=2),
        "clear_colour.png": encode(image, "PNG", transparency=LEVELS[1]),
        "alpha.png": encode(image.convert("RGBA"), "PNG"),
        "palette.tif": encode(image.quantize(16), "TIFF"),
        "palette.bmp": encode(image.quantize(16), "BMP"),
        "cmyk.jpg": encode(image.convert("CMYK"), "JPEG", quality=100, subsampling=0),
        "cmyk.tif": encode(image.convert("CMYK"), "TIFF"),
        "progressive.jpg": encode(image, "JPEG", quality=100, subsampling=0, progressive=True),
        "lossless.webp": encode(image, "WEBP", lossless=True),
        "jpeg_in_disguise.png": encode(image, "JPEG", quality=100, subsampling=0),
    }


def place(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
