"""Reads a picture to upscale: its pixels, metadata and frames, and what to say of it.

Training reads images by `utils/images.py` alone. A user's picture comes back with all
that it held, so more of its file is read here. OpenCV decodes most; Pillow decodes GIF,
animations and CMYK.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, features

from realesrgan_paddle.inference.pictures.metadata import (
    NO_METADATA,
    Metadata,
    read_metadata,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import (
    DAMAGED,
    FORMATS,
    LIMIT,
    Header,
    max_image_bytes,
    read_header,
)
from realesrgan_paddle.utils.images import decode_image, read_image_file

ANIMATED = {"GIF": (".gif",), "WEBP": (".webp",), "PNG": (".png", ".apng")}
"""Suffixes of each kind of animation, by Pillow's name of it; the first is the usual."""

BY_PROFILE = "CMYK, converted to sRGB by its profile"
BY_FORMULA = "CMYK, converted to RGB by formula, so colors may differ"
DAMAGED_METADATA = "its ICC profile and Exif, if there are any, cannot be read"

_EXTENSION, _IMAGE = 0x21, 0x2C
"""What the blocks of a GIF begin with."""


@dataclass(frozen=True)
class Animation:
    """An animation as its file holds it, and what its copy must repeat.

    Attributes:
        path: for errors.
        data: the file's content.
        format: "GIF", "WEBP" or "PNG".
        first: the number of the first frame: 1 where an APNG has an image for viewers
            that show no animation.
        count: how many frames there are from `first` on.
        mode: Pillow's mode of all frames as they are decoded.
        loop: how often it is shown, 0 for ever; None: the file does not say.
    """

    path: str | Path
    data: bytes
    format: str
    first: int
    count: int
    mode: str
    loop: int | None

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield each frame, as a whole image of uint8 (H, W, ...), and its duration [ms].

        Raises:
            UserError: it is damaged.
        """
        file = io.BytesIO(self.data)
        end = self.first + self.count
        with Image.open(file, formats=FORMATS) as image:
            for number in range(self.first, end):
                yield self._frame(image, number)

    def _frame(self, image: Image.Image, number: int) -> tuple[np.ndarray, float]:
        with _damage_named(f"{self.path}, frame {number + 1}"):
            image.seek(number)
            image.load()  # only now WebP knows the duration
            upright = ImageOps.exif_transpose(image)
            converted = upright.convert(self.mode)
            pixels = np.array(converted)

        duration = image.info.get("duration", 0)
        return pixels, duration


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
    metadata: Metadata
    remarks: tuple[str, ...]
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
    if data.startswith(b"GIF8") and _is_cut_short(data):
        raise UserError(f"{path}: not a readable image (cut short)")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except DAMAGED:  # OpenCV reads kinds of PNG and TIFF that Pillow does not
        return Picture(decode_image(data, path), NO_METADATA, (DAMAGED_METADATA,))

    with image:
        metadata, remarks = _metadata(image)
        count = _count(image, data, remarks)
        animated = count > 1 and image.format in ANIMATED
        if animated and all_frames:
            animation = _read_animation(image, count, data, path)
            frame, _ = next(animation.frames())
            return Picture(frame, metadata, tuple(remarks), animation=animation)

        if animated:
            remarks.append(f"the first of {count} frames; --all_frames upscales all")
        elif count > 1:
            remarks.append(f"the first of {count} pages")

        if image.mode == "CMYK":
            pixels, remark = _from_cmyk(image, path)
            metadata = Metadata(exif=metadata.exif)  # the profile was for CMYK
            remarks.append(remark)
        elif _is_for_pillow(image, header, animated=animated):
            pixels = _decoded(image, path)
        else:
            pixels = decode_image(data, path)
            pixels = _with_clear_gray(pixels, image)
        return Picture(pixels, metadata, tuple(remarks), image.mode == "LA")


def _is_for_pillow(image: Image.Image, header: Header, *, animated: bool) -> bool:
    """Return whether OpenCV would not decode an image, or in wrong colors."""
    if image.format == "TIFF":
        has_alpha = image.mode in ("RGBA", "LA")
        return has_alpha and header.sample_type == "uint8"
    if image.format == "WEBP":
        return animated
    if image.format == "PNG" and image.mode == "L":
        return image.has_transparency_data  # one gray of it, which OpenCV leaves opaque
    return image.format == "GIF"


def _with_clear_gray(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """Return decoded pixels, as RGBA if a PNG of 1-bit or 16-bit gray has a clear gray.

    OpenCV leaves it opaque, and Pillow would make 8 bits of 16.
    """
    clear = image.info.get("transparency")
    is_deep = image.mode.startswith("I")
    if image.format != "PNG" or clear is None or not (is_deep or image.mode == "1"):
        return pixels
    opaque = np.iinfo(pixels.dtype).max
    clear = clear if is_deep else opaque * bool(clear)
    alpha = np.where(pixels == clear, 0, opaque).astype(pixels.dtype)
    return np.dstack([pixels, pixels, pixels, alpha])


def _count(image: Image.Image, data: bytes, remarks: list[str]) -> int:
    """Return how many frames of an animation or pages of a TIFF there are."""
    if image.format not in (*ANIMATED, "TIFF"):
        return 1  # a camera's JPEG may hold a preview as its second picture
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return getattr(image, "n_frames", 1)
    except DAMAGED:
        remarks.append("what follows its first image cannot be read")
        return 1


def _metadata(image: Image.Image) -> tuple[Metadata, list[str]]:
    """Return the metadata, and a remark if they are damaged."""
    try:
        return read_metadata(image), []
    except DAMAGED:
        return NO_METADATA, [DAMAGED_METADATA]


def _is_cut_short(gif: bytes) -> bool:
    """Return whether a GIF has no end mark; Pillow would leave out frames silently.

    GIF89a specification, appendix A.
    """
    flags = gif[10]
    offset = 13 + _palette_bytes(flags)
    while offset < len(gif):
        block = gif[offset]
        if block == _EXTENSION:
            offset += 2
        elif block == _IMAGE and offset + 10 <= len(gif):
            flags = gif[offset + 9]
            offset += 11 + _palette_bytes(flags)  # and the size of its codes
        else:
            return block == _IMAGE  # else the end mark, or what nobody reads

        # Sub-blocks, each after its length; the last has none.
        while offset < len(gif) and gif[offset]:
            offset += 1 + gif[offset]
        offset += 1
    return True


def _palette_bytes(flags: int) -> int:
    """Return the length of the palette of a GIF's header or image."""
    if not flags & 0x80:
        return 0
    bits = flags % 8 + 1
    return 3 << bits


def _read_animation(
    image: Image.Image, count: int, data: bytes, path: str | Path
) -> Animation:
    """Return the animation of `count` frames in a file that Pillow opened as `image`.

    Raises:
        UserError: all frames together would be decoded to more than is allowed, or
            they are gray of 16 bits.
    """
    if image.mode.startswith("I"):  # Pillow would make white of most levels
        raise UserError(
            f"{path}: an animation of 16-bit gray; leave out --all_frames to upscale its "
            "first frame"
        )
    width, height = image.size
    limit = max_image_bytes()
    if count * width * height * 4 > limit:
        raise UserError(
            f"{path}: {count} frames of {width}x{height} pixels are more than "
            f"{limit // 10**6} MB; cut the animation into shorter ones, or set the "
            f"environment variable {LIMIT} to more megabytes"
        )

    first = 1 if image.info.get("default_image") else 0
    with _damage_named(path):
        mode = "RGBA" if image.format == "GIF" else _mode_of(image)
    loop = image.info.get("loop")
    return Animation(path, data, image.format or "", first, count - first, mode, loop)


def _decoded(image: Image.Image, path: str | Path) -> np.ndarray:
    """Return an image that Pillow opened, uint8, (H, W), (H, W, 3) or (H, W, 4).

    Raises:
        UserError: it is damaged.
    """
    with _damage_named(path):
        upright = ImageOps.exif_transpose(image)
        return np.array(upright.convert(_mode_of(upright)))


def _mode_of(image: Image.Image) -> str:
    """Return Pillow's mode of 8 bits that holds an image: L, RGB or RGBA.

    Raises:
        ValueError: it has no palette, and needs one.
    """
    if image.mode == "P" and image.palette is None:
        raise ValueError("no palette")
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _from_cmyk(image: Image.Image, path: str | Path) -> tuple[np.ndarray, str]:
    """Return a CMYK image as uint8 RGB (H, W, 3), and how it was converted.

    By its own profile if it has one that can be used, as print programs show it; else
    as Pillow does, which knows nothing of inks.

    Raises:
        UserError: it is damaged.
    """
    with _damage_named(path):
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
def _damage_named(path: str | Path) -> Iterator[None]:
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
