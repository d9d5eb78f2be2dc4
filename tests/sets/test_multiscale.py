from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realesrgan_paddle.data.sets.multiscale import resize_lanczos, smaller_sizes
from realesrgan_paddle.tools.generate_multiscale import main
from realesrgan_paddle.utils.images import read_image, write_image

RNG = np.random.default_rng(0)


def generate(root: Path) -> int:
    return main(["--input", str(root / "in"), "--output", str(root / "out")])


def test_sizes_and_names_are_those_of_real_esrgan(tmp_path: Path, capsys):
    write_image(
        tmp_path / "in" / "sub" / "a.png",
        RNG.integers(0, 256, (433, 601, 3), dtype=np.uint8),
    )
    assert generate(tmp_path) == 0
    sizes = {
        path.name: read_image(path).shape[:2]
        for path in (tmp_path / "out" / "sub").iterdir()
    }
    assert sizes == {
        "aT0.png": (324, 450),
        "aT1.png": (216, 300),
        "aT2.png": (144, 200),
        "aT3.png": (400, 555),
    }
    assert "4 smaller versions; 0 images failed" in capsys.readouterr().out


def test_every_version_is_smaller_and_has_pixels():
    for size, numbers in [
        ((400, 900), [0, 1, 2]),
        ((401, 900), [0, 1, 2, 3]),
        ((2, 9), [0, 1]),
        ((1, 9), []),
    ]:
        for width, height in (size, size[::-1]):
            sizes = smaller_sizes(width, height)
            assert list(sizes) == numbers
            assert all(0 < w < width and 0 < h < height for w, h in sizes.values())


def test_resize_lanczos_matches_pillow_within_one_level(tmp_path: Path):
    image = RNG.integers(64, 192, (60, 90, 3), dtype=np.uint8)
    expected = np.asarray(
        Image.fromarray(image).resize((45, 30), Image.Resampling.LANCZOS)
    )
    ours = resize_lanczos(image, (45, 30))
    assert (
        np.abs(ours.astype(int) - expected).max() <= 1
    )  # Pillow rounds 8-bit images between its two passes


def test_resize_lanczos_does_not_alias():
    board = (np.indices((120, 120)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = resize_lanczos(board, (40, 40))
    assert small.ndim == 2
    assert np.abs(small[4:-4, 4:-4].astype(int) - 128).max() < 12


@pytest.mark.parametrize("shape", [(30, 30), (30, 30, 3), (30, 30, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_alpha_and_16_bit_images_keep_their_type(
    tmp_path: Path, shape: tuple[int, ...], dtype: type
):
    level = np.iinfo(dtype).max - 1
    write_image(tmp_path / "in" / "a.png", np.full(shape, level, dtype))
    generate(tmp_path)
    small = read_image(tmp_path / "out" / "aT1.png")
    assert small.dtype == dtype
    assert small.shape == (15, 15, *shape[2:])
    assert (small == level).all()


def test_existing_files_are_not_overwritten(tmp_path: Path):
    write_image(
        tmp_path / "in" / "a.png", RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "aT1.png").write_bytes(b"mine")
    assert generate(tmp_path) == 0
    assert (tmp_path / "out" / "aT1.png").read_bytes() == b"mine"
    assert (tmp_path / "out" / "aT2.png").exists()
