"""What a picture's file holds besides its pixels: ICC profile and Exif."""

from dataclasses import dataclass

from PIL import Image

HELD_BY = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""Suffixes of the formats that hold a profile and Exif."""

LARGEST_JPEG_EXIF = 65_533
"""Bytes: a JPEG holds Exif in one segment, whose length has 16 bits."""

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_GPS_IFD = 0x8825
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_DESCRIPTIVE = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298}
"""TIFF's description, make, model, software, time, artist and copyright."""

_SPACE_AT = slice(16, 20)
"""Where an ICC profile says for which color space it is (ICC.1, section 7.2)."""


@dataclass(frozen=True)
class Metadata:
    """An ICC profile and Exif, as a file holds them; empty where it has none.

    The Exif is that of the upright image: without orientation and thumbnail. It begins
    with "Exif" and two zeros, as Pillow writes it.
    """

    profile: bytes = b""
    exif: bytes = b""


NO_METADATA = Metadata()


def read_metadata(image: Image.Image) -> Metadata:
    """Return the metadata of an image that Pillow opened.

    Raises:
        one of `DAMAGED` of utils/image_headers.py: they are damaged.
    """
    profile = image.info.get("icc_profile") or b""
    is_tiff = image.format == "TIFF"
    if not is_tiff and "exif" not in image.info:
        return Metadata(profile)

    exif = image.getexif()
    orientation = exif.pop(_ORIENTATION, None)
    try:
        return Metadata(profile, _kept(exif, is_tiff=is_tiff))
    finally:
        # Pillow keeps this object, and turns the image upright by it later.
        if orientation is not None:
            exif[_ORIENTATION] = orientation


def _kept(exif: Image.Exif, *, is_tiff: bool) -> bytes:
    """Return the tags that results keep, as Exif; of a TIFF the others are deleted."""
    if is_tiff:  # its other tags say how this file stores its pixels
        kept = _DESCRIPTIVE | {_EXIF_IFD, _GPS_IFD}
        for tag in set(exif) - kept:
            del exif[tag]
        exif.bigtiff = False  # other formats hold a plain TIFF's directory only
    content = exif.tobytes() if len(exif) else b""
    Image.Exif().load(content)  # what cannot be read again stops no result
    return content


def fitting(
    metadata: Metadata, suffix: str, *, gray: bool, size: tuple[int, int]
) -> tuple[Metadata, list[str]]:
    """Return the part of the metadata that a result holds, and what to say of the rest.

    Args:
        metadata: of the input.
        suffix: of the result's file.
        gray: whether the result has one channel of color.
        size: of the result, (width, height); Exif repeats it.
    """
    suffix = suffix.lower()
    if metadata == NO_METADATA:
        return metadata, []
    if suffix not in HELD_BY:
        return NO_METADATA, [f"{suffix} holds no ICC profile and no Exif"]

    profile, exif, remarks = metadata.profile, metadata.exif, []
    space = profile[_SPACE_AT]
    if profile and space != (b"GRAY" if gray else b"RGB "):
        name = space.decode("ascii", "replace").strip()
        remarks.append(f"without its ICC profile, which is for {name}")
        profile = b""

    exif = _with_size(exif, size)
    if suffix in (".jpg", ".jpeg") and len(exif) > LARGEST_JPEG_EXIF:
        remarks.append("without its Exif, which is longer than a JPEG holds")
        exif = b""
    return Metadata(profile, exif), remarks


def _with_size(content: bytes, size: tuple[int, int]) -> bytes:
    """Return Exif with the size (width, height) where it has one."""
    if not content:
        return content
    exif = Image.Exif()
    exif.load(content)
    details = exif.get_ifd(_EXIF_IFD)
    for tag, length in zip((_PIXEL_WIDTH, _PIXEL_HEIGHT), size, strict=True):
        if tag in details:
            details[tag] = length
    return exif.tobytes()
