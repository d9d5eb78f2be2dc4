"""PSNR and SSIM equal BasicSR's (recorded by tests/record/record_metrics.py)."""

import numpy as np
import pytest
import sample_metrics
from places import REFERENCE

from realesrgan_paddle.metrics.table import open_metric
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics.similarity import luma, psnr, ssim

RECORDED = np.load(REFERENCE / "metrics.npz")


FIRST, SECOND = sample_metrics.pictures()


@pytest.mark.parametrize("key", RECORDED.files)
def test_psnr_and_ssim_equal_basicsrs(key):
    name, border, y = key.split("/")
    measure = open_metric(f"{name}_y" if y == "1" else name, int(border))
    assert measure(FIRST, SECOND) == pytest.approx(float(RECORDED[key]), abs=1e-4)


def test_equal_images_have_infinite_psnr_and_ssim_1():
    assert psnr(FIRST, FIRST) == float("inf")
    assert ssim(FIRST, FIRST) == pytest.approx(1)


def test_luma_of_red_and_blue():
    red, blue = np.zeros((2, 1, 1, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    assert luma(red) == pytest.approx(81.481)
    assert luma(blue) == pytest.approx(40.966)


def test_the_y_channel_of_gray_images_is_gray():
    gray = [p[..., 0] for p in (FIRST, SECOND)]
    assert psnr(*gray, y_channel=True) == psnr(*gray)
    assert 0 < ssim(*gray) < 1


def test_images_of_unequal_or_too_small_size_are_refused():
    with pytest.raises(UserError, match="cannot be compared"):
        psnr(FIRST, SECOND[1:])
    with pytest.raises(UserError, match="at least 11x11"):
        open_metric("ssim", 16)(FIRST, SECOND)
    with pytest.raises(UserError, match="crop_border 20 leaves nothing"):
        open_metric("psnr", 20)(FIRST, SECOND)
