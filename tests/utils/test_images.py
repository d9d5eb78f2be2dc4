"""Images of every kind are read upright and in their colors; others are refused."""

import os
import struct
import subprocess
import sys
from itertools import product

import cv2
import numpy as np
import pytest
from odd_images import colors, encode, grays, kinds, noise, place, png, stored
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import read_image, read_rgb

LOSSLESS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
}
"""Pillow's options by its name of the format."""


def test_images_and_header_sizes_are_upright_for_every_orientation(tmp_path):
    for kind, orientation in product(LOSSLESS, range(1, 9)):
        image = Image.fromarray(stored(colors(), orientation))
        content = encode(image, kind, orientation, **LOSSLESS[kind])
        path = place(tmp_path, f"a.{kind.lower()}", content)
        difference = np.abs(read_image(path).astype(int) - colors())
        assert difference.max() <= 3, (kind, orientation)
        header = read_checked_header(path)
        size = (header.height, header.width)
        assert size == colors().shape[:2], (kind, orientation)


def test_a_rotated_16_bit_gray_image_keeps_its_type(tmp_path):
    gray = colors()[..., 0].astype(np.uint16) * 257 + 3
    path = place(tmp_path, "a.png", encode(Image.fromarray(gray), "PNG", 6))
    assert np.array_equal(read_image(path), np.rot90(gray, -1))
    assert read_rgb(path).shape == (24, 16, 3)
    assert np.allclose(read_rgb(path)[..., 1], np.rot90(gray, -1) / 65535)


def test_a_1_bit_image_has_the_levels_0_and_255(tmp_path):
    path = place(
        tmp_path, "a.png", encode(Image.fromarray(colors()[..., 1] > 100), "PNG")
    )
    assert set(np.unique(read_image(path))) == {0, 255}


def test_an_invalid_exif_orientation_is_ignored(tmp_path):
    path = place(tmp_path, "a.jpg", encode(Image.fromarray(colors()), "JPEG", 99))
    assert read_image(path).shape == colors().shape


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    for kind in ["PNG", "JPEG", "WEBP"]:
        data = noise(kind)
        path = place(tmp_path, f"a.{kind.lower()}", data[: len(data) * 2 // 3])
        for read in (read_image, read_checked_header):
            with pytest.raises(UserError, match=r"not a readable image \(cut short\)"):
                read(path)


def test_data_appended_to_the_image_is_ignored(tmp_path):
    path = place(tmp_path, "a.jpg", noise("JPEG") + bytes(200_000))
    assert read_image(path).shape == (64, 64, 3)
    assert read_checked_header(path).width == 64


def tiff(width, height, bits, *, order="<", big=False, repeated=()):
    """Return an RGB TIFF of one empty strip, with several tags of the same kind."""
    wide = "Q" if big else "L"
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(
        order + ("HHHQ" if big else "HL"), *((43, 8, 0, 16) if big else (42, 8))
    )
    tags = [(256, width), (257, height), *repeated, (258, bits), (259, 1), (262, 2)]
    tags += [(273, 8), (277, 3), (278, height), (279, 9)]
    entries = [
        struct.pack(f"{order}HH{wide}{wide}", tag, 16 if big else 4, 1, value)
        for tag, value in tags
    ]
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    return mark + head + count + b"".join(entries) + bytes(99)


BOMBS = {
    "twelve_bits.tif": tiff(20_000, 20_000, 12),
    "other_order.tif": tiff(20_000, 20_000, 12, order=">"),
    "big.tif": tiff(20_000, 20_000, 12, big=True),
    "big_other_order.tif": tiff(20_000, 20_000, 12, big=True, order=">"),
    "first_tag_counts.tif": tiff(20_000, 20_000, 12, repeated=[(256, 1), (257, 1)]),
    "gamma.png": png(20_000, 20_000, (b"gAMA", b"x"), (b"IDAT", b"x"), bits=16),
    "palette.png": png(13_370, 13_370, (b"PLTE", bytes(3)), (b"IDAT", b"x"), kind=3),
    "deep.ppm": b"P6 12000 12000 65535\n" + bytes(99),
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_image_is_refused_by_the_bytes_that_it_would_take(
    tmp_path, name, monkeypatch
):
    def decode(*_):
        raise AssertionError("it was decoded")

    monkeypatch.setattr("cv2.imdecode", decode)
    path = place(tmp_path, name, BOMBS[name])
    for read in (read_image, read_checked_header):
        with pytest.raises(
            UserError, match=r"declares more than 400 MB \(.*_MB to more"
        ):
            read(path)


def test_no_image_is_decoded_to_more_than_its_header_says(tmp_path):
    for name in [*kinds(), *grays()]:
        path = place(tmp_path, name, (kinds() | grays())[name])
        header, image = read_checked_header(path), read_image(path)
        assert (header.height, header.width) == image.shape[:2], name
        assert image.nbytes <= header.decoded_bytes <= 8 * image.nbytes, name


def test_a_header_that_nobody_can_read_is_refused(tmp_path, monkeypatch):
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 2\n" + bytes(16)
    path = place(tmp_path, "a.png", radiance)
    assert cv2.imdecode(np.frombuffer(radiance, np.uint8), -1) is not None
    for read in (read_image, read_checked_header):
        with pytest.raises(UserError, match="header is damaged, or of an unknown kind"):
            read(path)


def test_an_8k_image_with_16_bits_and_alpha_is_within_the_limit(tmp_path):
    path = place(tmp_path, "a.png", png(7680, 4320, (b"IDAT", b"x"), bits=16, kind=6))
    assert read_checked_header(path).decoded_bytes == 7680 * 4320 * 8


def test_the_variable_moves_the_limit(tmp_path, monkeypatch):
    path = place(tmp_path, "a.png", png(20_000, 20_000, (b"IDAT", b"x")))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv("REALESRGAN_MAX_IMAGE_MB", "1600")
    assert read_checked_header(path).width == 20_000
    monkeypatch.setenv("REALESRGAN_MAX_IMAGE_MB", "1599")
    with pytest.raises(UserError, match="more than 1599 MB"):
        read_checked_header(path)
    monkeypatch.setenv("REALESRGAN_MAX_IMAGE_MB", "much")
    with pytest.raises(UserError, match=r"MAX_IMAGE_MB='much': must be a whole number"):
        read_checked_header(path)


@pytest.mark.parametrize(("megabytes", "read"), [("1", False), ("2", True)])
def test_opencv_has_the_limit_too(tmp_path, megabytes, read):
    """For headers that it reads otherwise than this package does."""
    picture = place(tmp_path, "a.png", encode(Image.new("L", (1500, 1000)), "PNG"))
    code = (
        "import sys, realesrgan_paddle.utils.images, cv2, numpy as np\n"
        "data = np.fromfile(sys.argv[1], np.uint8)\n"
        "try:\n"
        "    print(cv2.imdecode(data, -1) is not None)\n"
        "except cv2.error:\n"
        "    print(False)\n"
    )
    environment = {**os.environ, "REALESRGAN_MAX_IMAGE_MB": megabytes}
    environment.pop("OPENCV_IO_MAX_IMAGE_PIXELS", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(picture)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{read}\n"
