"""Reads a picture to upscale: its pixels, metadata and frames, and what to say of it.

Training reads images by `utils/images.py` alone. A user's picture comes back with all
that it held, so more of its file is read here.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from realesrgan_paddle.inference.pictures.animation import (
    SUFFIXES,
    Animation,
    count_frames,
    is_cut_short,
    read_animation,
)
from realesrgan_paddle.inference.pictures.metadata import (
    NO_METADATA,
    Metadata,
    read_metadata,
)
from realesrgan_paddle.inference.pictures.pixels import decoded, from_cmyk
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import DAMAGED, Header, read_header
from realesrgan_paddle.utils.images import decode_image, read_image_file

DAMAGED_METADATA = "its ICC profile and Exif, if there are any, cannot be read"


@dataclass(frozen=True)
class Picture:
    """A picture as it was read.

    Attributes:
        pixels: as `utils.images.read_image` returns them; of an animation the first
            frame.
        metadata: what else its file holds.
        remarks: what a user should know of how it was read.
        gray_alpha: whether the file had gray with alpha, which `pixels` has as RGBA.
        animation: its frames, if all are to be upscaled.
    """

    pixels: np.ndarray
    metadata: Metadata = NO_METADATA
    remarks: tuple[str, ...] = ()
    gray_alpha: bool = False
    animation: Animation | None = None


def read_picture(path: str | Path, *, all_frames: bool = False) -> Picture:
    """Return the picture in a file, upright.

    OpenCV decodes it, as for `read_image`; Pillow decodes what OpenCV does not, or not
    in its right colors: GIF, animated WebP, CMYK, and TIFF with alpha, by which OpenCV
    multiplies the colors.

    Args:
        path: the file.
        all_frames: also return the frames of an animation, if it is one.

    Raises:
        UserError: see `read_image`; or all frames have too many pixels.
    """
    data = read_image_file(path)
    header = read_header(io.BytesIO(data), path)  # refuses what would fill the memory
    if data.startswith(b"GIF8") and is_cut_short(data):
        raise UserError(f"{path}: not a readable image (cut short)")
    try:
        image = Image.open(io.BytesIO(data))
    except DAMAGED:  # OpenCV reads kinds of PNG and TIFF that Pillow does not
        return Picture(decode_image(data, path), remarks=(DAMAGED_METADATA,))

    with image:
        metadata, remarks = _metadata(image)
        count = _count(image, data, remarks)
        animated = count > 1 and image.format in SUFFIXES
        if animated and all_frames:
            animation = read_animation(image, count, data, path)
            frame, _ = next(animation.frames())
            return Picture(frame, metadata, tuple(remarks), animation=animation)

        if animated:
            remarks.append(f"the first of {count} frames; --all_frames upscales all")
        elif count > 1:
            remarks.append(f"the first of {count} pages")

        if image.mode == "CMYK":
            pixels, remark = from_cmyk(image, path)
            metadata = Metadata(exif=metadata.exif)  # the profile was for CMYK
            remarks.append(remark)
        elif _is_for_pillow(image, header, animated=animated):
            pixels = decoded(image, path)
        else:
            pixels = decode_image(data, path)
        return Picture(pixels, metadata, tuple(remarks), image.mode == "LA")


def _is_for_pillow(image: Image.Image, header: Header, *, animated: bool) -> bool:
    """Return whether OpenCV would not decode an image, or in wrong colors."""
    if image.format == "TIFF":
        has_alpha = image.mode in ("RGBA", "LA")
        return has_alpha and header.sample_type == "uint8"
    if image.format == "WEBP":
        return animated
    return image.format == "GIF"


def _count(image: Image.Image, data: bytes, remarks: list[str]) -> int:
    """Return how many frames of an animation or pages of a TIFF there are."""
    if image.format not in (*SUFFIXES, "TIFF"):
        return 1  # a camera's JPEG may hold a preview as its second picture
    try:
        return count_frames(data)
    except DAMAGED:
        remarks.append("what follows its first image cannot be read")
        return 1


def _metadata(image: Image.Image) -> tuple[Metadata, list[str]]:
    """Return the metadata, and a remark if they are damaged."""
    try:
        return read_metadata(image), []
    except DAMAGED:
        return NO_METADATA, [DAMAGED_METADATA]
