"""Unusual files of one image, as cameras and programs write them, and broken files."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

LEVELS = (200, 50, 20), (10, 220, 30)
"""Colors of the image, and of its upper left quarter."""


def colors() -> np.ndarray:
    """Return uint8 RGB (16, 24, 3): red-brown, with a green upper left quarter."""
    image = np.full((16, 24, 3), LEVELS[0], np.uint8)
    image[:8, :12] = LEVELS[1]
    return image


def encode(
    image: Image.Image, kind: str, orientation: int = 1, **options: object
) -> bytes:
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
    """Return the pixels that a camera with this Exif orientation would store.

    The inverse of Pillow's `ImageOps.exif_transpose`.
    """
    transposes = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(upright)
    if orientation in transposes:
        image = image.transpose(transposes[orientation])
    return np.asarray(image)


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return (
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
    )


def png(
    width: int,
    height: int,
    *chunks: tuple[bytes, bytes],
    bits: int = 8,
    kind: int = 2,
    adam7: int = 0,
) -> bytes:
    """Return a PNG file of the given chunks; kind 0 is gray, 2 RGB."""
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, adam7)
    rows = [chunk(*one) for one in ((b"IHDR", head), *chunks, (b"IEND", b""))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(rows)


def lines(image: np.ndarray) -> bytes:
    """Return the unfiltered lines of a PNG file, compressed."""
    return zlib.compress(b"".join(b"\0" + line.tobytes() for line in image))


def interlaced(image: np.ndarray) -> bytes:
    """Return the seven passes of an interlaced PNG file (PNG specification, 8.2)."""
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    parts = [image[top::down, left::right] for top, left, down, right in passes]
    return zlib.compress(
        b"".join(b"\0" + line.tobytes() for part in parts for line in part)
    )


def deep(image: np.ndarray) -> np.ndarray:
    """Return 8-bit samples as 16-bit ones, as PNG stores them."""
    return (image.astype(np.uint16) * 257).astype(">u2")


def several(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a file of three frames or pages, of which the first is `image`."""
    others = [
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        Image.new("RGB", image.size),
    ]
    return encode(image, kind, save_all=True, append_images=others, **options)


def animations() -> dict[str, bytes]:
    """Return files by name of three frames, the first of which shows `colors()`."""
    image = Image.fromarray(colors())
    palette = image.quantize(16)
    return {
        "moving.gif": several(palette, "GIF", duration=[40, 200, 90], loop=3),
        "cleared.gif": several(palette, "GIF", transparency=0, disposal=2),
        "moving.webp": several(image, "WEBP", lossless=True),
    }


def kinds() -> dict[str, bytes]:
    """Return files by name that all show `colors()`, within a few levels."""
    picture = colors()
    image, size = Image.fromarray(picture), picture.shape[1::-1]
    best = {"quality": 100, "subsampling": 0}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = (b"IDAT", lines(picture))
    return {
        "palette.png": encode(image.quantize(16), "PNG"),
        "palette_with_a_clear_color.png": encode(
            image.quantize(16), "PNG", transparency=0
        ),
        "two_bits.png": encode(image.quantize(4), "PNG", bits=2),
        "clear_color.png": encode(image, "PNG", transparency=LEVELS[1]),
        "alpha.png": encode(image.convert("RGBA"), "PNG"),
        "sixteen_bits.png": png(*size, (b"IDAT", lines(deep(picture))), bits=16),
        "interlaced.png": png(*size, (b"IDAT", interlaced(picture)), adam7=1),
        "many_pieces.png": png(
            *size, *((b"IDAT", data[1][n : n + 1]) for n in range(len(data[1])))
        ),
        "profile.png": encode(image, "PNG", icc_profile=profile),
        "not_a_profile.png": png(*size, (b"iCCP", b"x\0\0nonsense"), data),
        "text_that_explodes.png": png(
            *size, (b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 24))), data
        ),
        "wrong_sum_of_a_remark.png": png(*size, (b"tEXt", b"a\0b"), data).replace(
            b"a\0b", b"a\0c"
        ),
        "animated.png": several(image, "PNG", default_image=False),
        "something_behind.png": encode(image, "PNG") + bytes(100_000),
        "UPPER.PNG": encode(image, "PNG"),
        "palette.tif": encode(image.quantize(16), "TIFF"),
        "pages.tif": several(image, "TIFF"),
        "lzw.tiff": encode(image, "TIFF", compression="tiff_lzw"),
        "deflated.tif": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "cmyk.tif": encode(image.convert("CMYK"), "TIFF"),
        "palette.bmp": encode(image.quantize(16), "BMP"),
        "alpha.bmp": encode(image.convert("RGBA"), "BMP"),
        "plain.ppm": encode(image, "PPM"),
        "words.ppm": b"P3 # in words\n%d %d\n255\n" % size
        + " ".join(map(str, picture.ravel())).encode()
        + b"\n",
        "sixteen_bits.ppm": b"P6 %d %d 65535\n" % size + deep(picture).tobytes(),
        "cmyk.jpg": encode(image.convert("CMYK"), "JPEG", **best),
        "progressive.jpg": encode(image, "JPEG", **best, progressive=True),
        "restarts.jpeg": encode(image, "JPEG", **best, restart_marker_blocks=1),
        "profile.jpg": encode(image, "JPEG", **best, icc_profile=profile),
        "thumbnail.jpg": encode(
            image,
            "JPEG",
            **best,
            exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0" + encode(image, "JPEG"),
        ),
        "lossless.webp": encode(image, "WEBP", lossless=True),
        "alpha.webp": encode(image.convert("RGBA"), "WEBP", lossless=True),
        "jpeg_in_disguise.png": encode(image, "JPEG", **best),
        "tiff_in_disguise.jpg": encode(image, "TIFF"),
    }


def grays() -> dict[str, bytes]:
    """Return files by name that show the green channel of `colors()`."""
    picture = np.ascontiguousarray(colors()[..., 1])
    image, size = Image.fromarray(picture), picture.shape[::-1]
    return {
        "gray.png": encode(image, "PNG"),
        "gray_and_alpha.png": encode(image.convert("LA"), "PNG"),
        "gray_16.png": png(*size, (b"IDAT", lines(deep(picture))), bits=16, kind=0),
        "gray.jpg": encode(image, "JPEG", quality=100),
        "gray.pgm": encode(image, "PPM"),
        "gray_16.pgm": b"P5 %d %d 65535\n" % size + deep(picture).tobytes(),
        "gray_16.tif": encode(Image.fromarray(picture.astype(np.uint16) * 257), "TIFF"),
        "gray.tif": encode(image, "TIFF"),
        "gray.bmp": encode(image, "BMP"),
    }


def noise(kind: str, **options: object) -> bytes:
    """Return a file of 64 x 64 pixels of noise, which do not compress."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return encode(Image.fromarray(pixels), kind, **options)


WITHIN = ["no_pixels.png", "nonsense_within.png", "cut.bmp", "cut.tif", "cut.ppm"]
WITHIN += ["long_pixels.png", "long_text.png"]
"""Those of `broken` with valid headers, which only decoding finds out."""


SUMS = ["text_that_explodes.png", "wrong_sum_of_a_remark.png"]
"""Those of `kinds` that can be decoded, but that a check of all chunks refuses."""


def too_long(data: bytes, kind: bytes) -> bytes:
    """Return a PNG in which a chunk of this kind declares nearly 4 GB."""
    place = data.index(kind) - 4
    return data[:place] + b"\xf0\0\0\0" + data[place + 4 :]


DAMAGED_AVIF = (
    b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"
    b"\0\0\0\x2dmeta\0\0\0\0\0\0\0\x21hdlr" + bytes(8) + b"pict" + bytes(13)
)
"""Without its picture, of which Pillow says so by an error of its own."""


def broken() -> dict[str, tuple[bytes, str]]:
    """Return files that are no complete images, by name, with a part of their error."""
    image = Image.fromarray(colors())
    size = image.size
    data = lines(colors())
    kinds = {"png": noise("PNG"), "jpg": noise("JPEG"), "webp": noise("WEBP")}
    cut = {
        f"cut_at_{n}.{kind}": (file[: len(file) * n // 100], "cut short")
        for kind, file in kinds.items()
        for n in (40, 99)
    }
    too_long_for = "a chunk is longer than the file"
    none, bomb = "not a readable image", "declares more than"
    bmp = encode(image, "BMP")
    bomb_bmp = bmp[:18] + struct.pack("<ii", 60_000, 60_000) + bmp[26:]
    floats = np.full((8, 8), np.nan, np.float32)
    return cut | {
        "empty.png": (b"", "empty"),
        "one_byte.jpg": (b"\xff", none),
        "only_a_mark.jpg": (b"\xff\xd8\xff\xd9", none),
        "only_a_signature.png": (b"\x89PNG\r\n\x1a\n", "cut short"),
        "no_pixels.png": (png(*size), none),
        "no_width.png": (png(0, 8, (b"IDAT", data)), none),
        "sides_of_two_billion.png": (png(2**31 - 1, 2**31 - 1, (b"IDAT", data)), bomb),
        "bomb.png": (png(60_000, 60_000, (b"IDAT", data), kind=0), bomb),
        "bomb.bmp": (bomb_bmp, bomb),
        "bomb.ppm": (b"P6 60000 60000 255\n" + bytes(99), bomb),
        "bits_of_three.png": (png(*size, (b"IDAT", data), bits=3), none),
        "nonsense_within.png": (png(*size, (b"IDAT", b"nonsense")), none),
        "long_pixels.png": (
            too_long(png(*size, (b"IDAT", data)), b"IDAT"),
            too_long_for,
        ),
        "long_text.png": (too_long(png(*size, (b"tEXt", data)), b"tEXt"), too_long_for),
        "cut.bmp": (noise("BMP")[:5000], none),
        "cut.tif": (noise("TIFF")[:5000], none),
        "cut.ppm": (noise("PPM")[:5000], none),
        "zeros.webp": (bytes(5000), none),
        "noise.tif": (b"II*\0" + np.random.default_rng(0).bytes(5000), none),
        "a_directory_in_itself.tif": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", none),
        "floats.tif": (
            encode(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"),
            "samples are float32",
        ),
        "not_numbers.tif": (
            encode(Image.fromarray(floats), "TIFF"),
            "samples are float32",
        ),
        "floats.png": (b"Pf\n8 8\n-1.0\n" + floats.tobytes(), ""),
        "pointer.png": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "Git-LFS pointer",
        ),
        "page.jpg": (b"<!DOCTYPE html><html></html>", "HTML page"),
        "drawing.png": (
            b'<svg xmlns="http://www.w3.org/2000/svg">'
            b'<image href="file:///etc/passwd"/></svg>',
            none,
        ),
        "text.bmp": (b"words", none),
        "paper.jpg": (b"%PDF-1.7\n" + bytes(500), none),
        "program.jpg": (encode(image.convert("CMYK"), "EPS"), "of an unknown kind"),
        "cut_avif.png": (DAMAGED_AVIF, "of an unknown kind"),
        "archive.png": (b"PK\x03\x04" + bytes(500), none),
        "pickle.png": (b"\x80\x04cos\nsystem\n(S'touch hacked'\ntR.", none),
        "video.jpg": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(500), none),
        "json.webp": (b'{"image": true}', none),
    }


ODD_NAMES = [
    "two words.png",
    " leading.png",
    "-rf.png",
    "--output.png",
    "a'b\"c.png",
    "$(touch x) `touch y`.png",
    "100%s %d.png",
    "new\nline.png",
    "carriage\rreturn.png",
    "semi;colon|pipe&and.png",
    "one, two.png",
    "[brackets] (1,2,3).png",
    "back\\slash.png",
    "比赛 é 🎬.png",
    "e\u0301.png",
    "two..dots..png",
    "bytes \udcff.png",
    "x" * 200 + ".png",
]


def no_images(folder: Path) -> None:
    """Fill a folder with entries that are named like images and must not be listed."""
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to(folder / "nothing.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "folder.png" / "up").symlink_to(folder)
    for name in (".hidden.png", "notes.txt", "PNG", "animation.gif", ".thumbs/a.png"):
        place(folder, name, encode(Image.new("RGB", (9, 9)), "PNG"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")


def place(folder: Path, name: str, data: bytes) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


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
