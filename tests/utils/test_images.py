"""Images of every kind are read upright and in their colors; others are refused."""

import numpy as np
import pytest
from odd_images import colors, encode, kinds, place, stored
from PIL import Image

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import read_image, read_rgb


@pytest.mark.parametrize("name", kinds())
def test_every_kind_is_read_in_its_colors(tmp_path, name):
    rgb = read_rgb(place(tmp_path, name, kinds()[name]))
    assert rgb.dtype == np.float32
    assert np.abs(rgb * 255 - colors()).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_images_and_header_sizes_are_upright_for_every_orientation(
    tmp_path, kind, orientation
):
    lossless = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
    }.get(kind, {})
    image = Image.fromarray(stored(colors(), orientation))
    path = place(
        tmp_path, f"a.{kind.lower()}", encode(image, kind, orientation, **lossless)
    )
    assert np.abs(read_image(path).astype(int) - colors()).max() <= 3
    header = read_checked_header(path)
    assert (header.height, header.width) == colors().shape[:2]


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


def noise(kind, **options):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return encode(Image.fromarray(pixels), kind, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, kind):
    data = noise(kind)
    path = place(tmp_path, f"a.{kind.lower()}", data[: len(data) * 2 // 3])
    for read in (read_image, read_checked_header):
        with pytest.raises(UserError, match=r"not a readable image \(cut short\)"):
            read(path)


def test_data_appended_to_the_image_is_ignored(tmp_path):
    path = place(tmp_path, "a.jpg", noise("JPEG") + bytes(200_000))
    assert read_image(path).shape == (64, 64, 3)
    assert read_checked_header(path).width == 64
