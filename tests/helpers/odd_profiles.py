"""ICC profiles and Exif for pictures."""

import struct

from PIL import Image, ImageCms

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

RED_IN_LAB = bytes([round(53.2 * 2.55), 80 + 128, 67 + 128])
"""sRGB (255, 0, 0), as a profile's table of 8 bits has it."""
BLACK_IN_LAB = bytes([0, 128, 128])


def as_gray(profile: bytes) -> bytes:
    """Return a profile that says it is for gray; nobody looks further here."""
    return profile[:16] + b"GRAY" + profile[20:]


def cmyk_profile() -> bytes:
    """Return a profile by which black ink is black, and all others red.

    A table of two points an axis (ICC.1:2001, section 6.5.7, lut8Type).
    """
    identity = struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity
    table += straight * 4 + (RED_IN_LAB + BLACK_IN_LAB) * 8 + straight * 3

    head = struct.pack(">I4xI", 128 + 16 + len(table), 0x02400000) + b"prtrCMYKLab "
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    head += bytes(128 - len(head))
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    return head + tags + table


def camera_exif(orientation: int = 1) -> Image.Exif:
    """Return Exif as cameras write it: maker, time, size, place, orientation."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    details = exif.get_ifd(0x8769)
    details[0x9003] = "2026:11:22 12:00:00"
    details[0xA002], details[0xA003] = 24, 16
    exif.get_ifd(0x8825)[1] = "N"
    return exif
