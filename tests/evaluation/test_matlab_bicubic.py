"""MATLAB's bicubic: against Pillow's inside an image, and against files made by MATLAB."""

import numpy as np
import pytest
from PIL import Image

from realesrgan_paddle.metrics.matlab_bicubic import contributions, resize_bicubic
from realesrgan_paddle.utils.images import read_image

DRAWN = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


def rows_by_pillow(image, scale):
    """Pillow's bicubic of the image, continued far enough that its border is none."""
    pad = 24
    padded = np.pad(image, ((pad, pad), (0, 0), (0, 0)), "edge").astype(np.float32)
    height, width = round(len(padded) * scale), padded.shape[1]
    planes = []
    for channel in range(3):
        plane = Image.fromarray(padded[..., channel])
        planes.append(np.array(plane.resize((width, height), Image.Resampling.BICUBIC)))
    inner = round(pad * scale)
    rows = np.stack(planes, axis=2)[inner : height - inner]
    return np.clip(np.floor(rows + 0.5), 0, 255)


@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 1 / 2, 2, 3, 4])
def test_it_is_keys_kernel_with_antialiasing_and_a_repeated_border(scale):
    image = DRAWN[:, :60] if scale == 1 / 3 else DRAWN
    found = resize_bicubic(image, scale)
    rows = rows_by_pillow(image, scale).transpose(1, 0, 2)
    expected = rows_by_pillow(rows, scale).transpose(1, 0, 2)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1  # Pillow's float32 near a half
    assert (found == expected).mean() > 0.99


def test_set5_is_what_matlab_made(assets):
    for number in range(1, 6):
        name = assets / f"images/set5/img_{number:03}_SRF_4"
        hr, lr = (read_image(f"{name}_{kind}.png") for kind in ("HR", "LR"))
        assert (resize_bicubic(hr, 1 / 4) == lr).all()


def test_flat_stays_flat_and_sizes_are_rounded_up():
    flat = np.full((13, 9, 3), 77, np.uint8)
    for scale in (1 / 4, 1 / 3, 2):
        found = resize_bicubic(flat, scale)
        assert found.shape == (-(-13 * scale // 1), -(-9 * scale // 1), 3)
        assert (found == 77).all()
    for length in range(3, 100, 3):
        assert len(contributions(length, 1 / 3)[0]) == length // 3


def test_halves_are_rounded_up():
    ramp = np.repeat(np.arange(16, dtype=np.uint8)[:, None, None], 8, 1).repeat(3, 2)
    assert resize_bicubic(ramp, 1 / 2)[2:-2, 0, 0].tolist() == [5, 7, 9, 11]  # 4.5, ...
