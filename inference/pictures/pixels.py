"""Pixels of what Pillow decodes: GIF, WebP's animations and CMYK."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, features

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import DAMAGED

BY_PROFILE = "CMYK, converted to sRGB by its profile"
BY_FORMULA = "CMYK, converted to RGB by formula, so colors may differ"


def decoded(image: Image.Image, path: str | Path) -> np.ndarray:
    """Return an image that Pillow opened, uint8, (H, W), (H, W, 3) or (H, W, 4).

    Raises:
        UserError: it is damaged.
    """
    with damage_named(path):
        upright = ImageOps.exif_transpose(image)
        return np.array(upright.convert(mode_of(upright)))


def mode_of(image: Image.Image) -> str:
    """Return Pillow's mode of 8 bits that holds an image: L, RGB or RGBA.

    Raises:
        ValueError: it has no palette, and needs one.
    """
    if image.mode == "P" and image.palette is None:
        raise ValueError("no palette")
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def from_cmyk(image: Image.Image, path: str | Path) -> tuple[np.ndarray, str]:
    """Return a CMYK image as uint8 RGB (H, W, 3), and how it was converted.

    By its own profile if it has one that can be used, as print programs show it; else
    as Pillow does, which knows nothing of inks.

    Raises:
        UserError: it is damaged.
    """
    with damage_named(path):
        upright = ImageOps.exif_transpose(image)
        upright.load()

    profile = image.info.get("icc_profile")
    if profile and features.check("littlecms2"):
        try:
            converted = ImageCms.profileToProfile(
                upright,
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError):  # it is damaged, or not for CMYK
            return np.array(upright.convert("RGB")), BY_FORMULA
        return np.array(converted), BY_PROFILE
    return np.array(upright.convert("RGB")), BY_FORMULA


@contextmanager
def damage_named(path: str | Path) -> Iterator[None]:
    """Turn what Pillow raises for a damaged file into a UserError.

    A lack of memory, of the disk or of the machine is none.
    """
    try:
        yield
    except Image.DecompressionBombError:
        raise UserError(
            f"{path}: a frame is larger than the image it belongs to"
        ) from None
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: not a readable image (damaged)") from error
