"""Writes a result with the metadata of its input, in the format of its suffix.

Pixels are encoded as `utils.images.write_image` does, where nothing else is to be held.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from realesrgan_paddle.inference.pictures.metadata import NO_METADATA, Metadata
from realesrgan_paddle.inference.pictures.reading import Animation
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import encode_image

JPEG_QUALITY = 95
"""OpenCV's default, with which Pillow writes the same bytes."""

OPAQUE_FROM = 128
"""GIF has no half-clear pixels: those of this alpha and more are kept as opaque."""

_AFTER_IHDR = 33
"""The length of a PNG's signature and first chunk [bytes]."""
_EXIF_START = b"Exif\0\0"
"""What Exif begins with in a JPEG, and not in a PNG."""


def write_picture(
    path: Path, image: np.ndarray, metadata: Metadata, *, gray_alpha: bool = False
) -> None:
    """Write a picture atomically, in the format of the suffix of `path`.

    Args:
        path: the file to write.
        image: uint8 or uint16; (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.
        metadata: of what the format holds, see `metadata.fitting`.
        gray_alpha: write RGBA, whose colors are gray, as gray with alpha; to PNG only.

    Raises:
        UserError: the format cannot hold this image.
    """
    data = _encoded(path.suffix.lower(), image, metadata, gray_alpha)
    if data is None:
        raise UserError(
            f"{path}: cannot write {image.dtype} {image.shape} as "
            f"{path.suffix or 'no suffix'}"
        )
    write_file(path, data)


def write_file(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _encoded(
    suffix: str, image: np.ndarray, metadata: Metadata, gray_alpha: bool
) -> bytes | None:
    """Return a file's content; None if its format cannot hold the image."""
    if suffix == ".png":
        encode = _gray_alpha_png if gray_alpha else _png
        return encode(image, metadata)
    if metadata == NO_METADATA:
        return encode_image(suffix, image)
    if suffix in (".tif", ".tiff"):
        return _tiff(image, metadata)
    if image.dtype != np.uint8 or image.shape[2:] == (4,):
        return None
    if suffix == ".webp":
        return _by_pillow(image, "WEBP", metadata, lossless=True)
    return _by_pillow(image, "JPEG", metadata, quality=JPEG_QUALITY)


def _by_pillow(
    image: np.ndarray, kind: str, metadata: Metadata, **options: int
) -> bytes:
    file = io.BytesIO()
    profile = metadata.profile or None
    Image.fromarray(image).save(
        file, kind, icc_profile=profile, exif=metadata.exif, **options
    )
    return file.getvalue()


def _png(image: np.ndarray, metadata: Metadata) -> bytes | None:
    """Return a PNG: OpenCV's, with the metadata before its pixels.

    Own code, because Pillow writes no colors of 16 bits, and OpenCV before 4.12 no
    metadata. Chunks: PNG specification, third edition, sections 5.3, 11.3.2.3, 11.3.4.6.
    """
    data = encode_image(".png", image)
    if data is None or metadata == NO_METADATA:
        return data

    added = b""
    if metadata.profile:
        added += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.profile))
    if metadata.exif:
        added += _chunk(b"eXIf", metadata.exif.removeprefix(_EXIF_START))
    return data[:_AFTER_IHDR] + added + data[_AFTER_IHDR:]


def _chunk(name: bytes, content: bytes) -> bytes:
    content = name + content
    checksum = zlib.crc32(content)
    length = len(content) - len(name)
    return struct.pack(">I", length) + content + struct.pack(">I", checksum)


def _gray_alpha_png(image: np.ndarray, metadata: Metadata) -> bytes | None:
    """Return a PNG of gray with alpha, given RGBA of equal colors.

    Neither library writes gray with alpha in 16 bits, so that stays RGBA.
    """
    if image.dtype != np.uint8:
        return _png(image, metadata)
    file = io.BytesIO()
    gray, alpha = (Image.fromarray(image[..., channel].copy()) for channel in (0, 3))
    pixels = Image.merge("LA", (gray, alpha))
    profile = metadata.profile or None
    pixels.save(file, "PNG", icc_profile=profile, exif=metadata.exif)
    return file.getvalue()


def _tiff(image: np.ndarray, metadata: Metadata) -> bytes:
    """Return a TIFF of one deflated strip, with metadata.

    Own code, because Pillow writes no colors of 16 bits, and OpenCV no metadata. Tags:
    TIFF 6.0, section 8, and for each line's differences section 14.
    """
    height, width = image.shape[:2]
    samples = image.size // (height * width)
    bits = image.itemsize * 8
    differences = np.diff(image, axis=1, prepend=np.zeros_like(image[:, :1]))
    little_endian = differences.astype(image.dtype.newbyteorder("<"))
    strip = zlib.compress(little_endian.tobytes())

    tags = ImageFileDirectory_v2(prefix=b"II")
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        for tag, value in exif.items():
            tags[tag] = exif.get_ifd(tag) if tag in (0x8769, 0x8825) else value
    if metadata.profile:
        tags.tagtype[34675] = 7  # bytes
        tags[34675] = metadata.profile

    tags[256], tags[257] = width, height
    tags[258] = (bits,) * samples
    tags[259] = 8  # deflated
    tags[262] = 1 if samples == 1 else 2  # black is zero, or RGB
    tags[273] = 0  # the strip's place; Pillow adds the length of what precedes it
    tags[277] = samples
    tags[278] = height
    tags[279] = len(strip)
    tags[317] = 2  # each sample is its difference from that to its left
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + strip


def frame_to_write(animation: Animation, frame: np.ndarray) -> Image.Image:
    """Return a frame, uint8 (H, W, ...), as its result's file is given it.

    Of a GIF in the colors of its palette, a byte a pixel, so that thousands of frames fit
    into memory; those with clear pixels get theirs from Pillow when they are written.
    """
    image = Image.fromarray(frame)
    return _for_gif(image) if animation.format == "GIF" else image


def encode_animation(
    animation: Animation,
    frames: Sequence[Image.Image],
    durations: Sequence[float],
    metadata: Metadata,
) -> bytes:
    """Return the content of a file of the same kind with other frames.

    GIF is given 256 colors a frame and no half-clear pixels, WebP is lossless.

    Args:
        animation: the input, for its kind and loops.
        frames: of one size; see `frame_to_write`.
        durations: of each frame [ms].
        metadata: what the result holds; a GIF holds none.
    """
    options: dict[str, Any] = {"duration": list(durations)}
    if animation.loop is not None:
        options["loop"] = animation.loop

    if animation.format == "GIF":
        if any(image.mode == "RGBA" for image in frames):
            options["disposal"] = 2  # clears what the next frame does not cover
    else:
        options["icc_profile"] = metadata.profile or None
        options["exif"] = metadata.exif
    if animation.format == "WEBP":
        options["lossless"] = True

    first, *others = frames
    file = io.BytesIO()
    first.save(file, animation.format, save_all=True, append_images=others, **options)
    return file.getvalue()


def _for_gif(image: Image.Image) -> Image.Image:
    """Return an RGBA frame with alpha 0 or 255, or in 256 colors if nothing is clear."""
    pixels = np.array(image)
    clear = pixels[..., 3] < OPAQUE_FROM
    if not clear.any():
        # As Pillow itself does when it writes a GIF.
        return image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE)
    pixels[..., 3] = 255
    pixels[clear] = 0
    return Image.fromarray(pixels)
