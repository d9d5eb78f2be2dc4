"""Images as Python code holds them: arrays, PIL images, paths, and lists of these."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import DAMAGED
from realesrgan_paddle.utils.images import read_image

Upscale = Callable[[np.ndarray], np.ndarray]

KEPT_MODES = ("L", "RGB", "RGBA")
"""PIL's modes whose pixels are an array that can be upscaled as it is."""
MOST_16_BITS = 2**16 - 1


def upscale_any(image: object, upscale: Upscale) -> Any:
    """Return what `upscale` makes of an image, in the kind in which the image came.

    Args:
        image: an array: an array comes out. A PIL image: a PIL image. The path of an
            image file: the array that `read_image` and `upscale` make of it. A list or a
            tuple of these: a list.
        upscale: gets and returns uint8 or uint16, (H, W), (H, W, 3) RGB or (H, W, 4)
            RGBA.

    Raises:
        UserError: an object of another kind, or a file that is no image.
        OSError: a file that cannot be opened.
    """
    if isinstance(image, list | tuple):
        return [_upscale_one(single, upscale) for single in image]
    return _upscale_one(image, upscale)


def read_any(image: object) -> np.ndarray:
    """Return one image as an array, see `upscale_any`; an array comes back as it is."""
    if isinstance(image, np.ndarray):
        return image
    if isinstance(image, Image.Image):
        return _pixels(image)[0]
    if isinstance(image, str | PathLike):
        return read_image(Path(image))
    raise UserError(
        f"{type(image).__name__} cannot be upscaled; a NumPy array, a PIL image, the path "
        "of an image file or a list of these can"
    )


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Return an image of 16 bits rounded to 8 bits; others as they are."""
    if image.dtype != np.uint16:
        return image
    return np.rint(image / 257).astype(np.uint8)


def _upscale_one(image: object, upscale: Upscale) -> Any:
    if not isinstance(image, Image.Image):
        return upscale(read_any(image))

    pixels, mode = _pixels(image)
    large = Image.fromarray(upscale(pixels))
    if large.mode != mode:
        large = large.convert(mode)
    # As Image.resize: what PIL keeps beside the pixels (ICC profile, Exif, dpi) stays.
    large.info = dict(image.info)
    large.info.pop("transparency", None)  # is in the alpha channel now
    return large


def _pixels(image: Image.Image) -> tuple[np.ndarray, str]:
    """Return a PIL image's pixels as an array that can be upscaled, and its result's mode.

    The mode is the image's own where it can hold new colors. Palettes, and RGB or gray
    with one clear color, become RGBA if something in them is clear. Black and white
    becomes gray. All other modes become RGB.
    """
    try:
        image.load()
    except DAMAGED as error:
        raise UserError(f"the PIL image cannot be decoded: {error}") from error
    if 0 in image.size:
        raise UserError("the PIL image has no pixels")

    mode = image.mode
    if mode in ("I", "F"):
        return _sixteen_bits(image), mode
    if mode.startswith("I;16"):  # in either byte order
        return np.array(image).astype(np.uint16), "I;16"
    if mode == "1":
        return np.array(image.convert("L")), "L"
    if mode == "LA":
        return np.array(image.convert("RGBA")), mode
    if mode not in KEPT_MODES or "transparency" in image.info:
        mode = "RGBA" if image.has_transparency_data else "RGB"
        image = image.convert(mode)
    return np.array(image), mode


def _sixteen_bits(image: Image.Image) -> np.ndarray:
    """Return the pixels of mode I, as which Pillow before 11 opens 16-bit gray PNGs."""
    values = np.array(image)
    if image.mode == "F" or values.min() < 0 or values.max() > MOST_16_BITS:
        raise UserError(
            f"a PIL image of mode {image.mode} with values from {values.min()} to "
            f"{values.max()} cannot be upscaled; convert it to mode L, I;16, RGB or RGBA"
        )
    return values.astype(np.uint16)
