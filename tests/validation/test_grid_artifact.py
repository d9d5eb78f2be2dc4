"""The grid index: high for a grid of the network, about 1 for pictures."""

import cv2
import numpy as np
import pytest
import skimage
from PIL import Image

from realesrgan_paddle.options.schema.validation import GRID_LIMIT
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index

PICTURES = ("astronaut", "chelsea", "coffee")


def photograph(name, side=256):
    return np.ascontiguousarray(getattr(skimage.data, name)()[:side, :side, :3])


def with_grid(image, period, levels):
    """The first pixel of each cell brighter, as a last convolution might make it."""
    image = image.astype(int)
    image[::period, ::period] += levels
    return np.clip(image, 0, 255).astype(np.uint8)


def smooth(side=128):
    """A quiet sky: a gradient with noise of half a level."""
    ramp = np.linspace(120, 180, side)[:, None, None] * np.ones((1, side, 3))
    noise = np.random.default_rng(0).normal(0, 0.5, ramp.shape)
    return np.rint(ramp + noise).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("name", PICTURES)
def test_photographs_have_none(name, scale):
    assert 0.7 < grid_index(photograph(name), scale) < 1.3


@pytest.mark.parametrize("name", PICTURES)
def test_photographs_enlarged_by_interpolation_have_none(name):
    small = Image.fromarray(photograph(name)).resize((64, 64), Image.Resampling.BICUBIC)
    large = small.resize((256, 256), Image.Resampling.BICUBIC)
    assert grid_index(np.array(large), 4) < 1.3


@pytest.mark.parametrize(("scale", "period"), [(4, 4), (2, 2), (2, 4), (1, 4)])
@pytest.mark.parametrize("name", PICTURES)
def test_a_visible_grid_shows(name, scale, period):
    """RRDBNet of scale 1 and 2 has a grid of 4 pixels inside."""
    gridded = with_grid(photograph(name), period, 24)
    assert grid_index(gridded, scale) > GRID_LIMIT


def test_a_grid_that_only_follows_the_picture_shows():
    """One phase of each cell has less contrast; the mean of all phases is the same."""
    image = photograph("astronaut").astype(float)
    image[::4, ::4] = 128 + 0.5 * (image[::4, ::4] - 128)
    assert grid_index(image.astype(np.uint8), 4) > GRID_LIMIT


def test_a_quiet_sky_has_none_and_shows_a_faint_one():
    sky = smooth()
    assert grid_index(sky, 4) < 1.1
    assert grid_index(with_grid(sky, 4, 1), 4) < GRID_LIMIT
    assert grid_index(with_grid(sky, 4, 12), 4) > GRID_LIMIT


@pytest.mark.parametrize("period", [3, 5, 6, 7])
def test_a_fence_of_another_period_is_none(period):
    image = photograph("coffee")
    image[:, ::period] //= 2
    assert grid_index(image, 4) < GRID_LIMIT


def test_a_fence_of_this_period_counts_in_its_place_only():
    image = photograph("coffee")
    image[:64, :128:4] //= 2
    assert grid_index(image, 4) < GRID_LIMIT


def test_noise_and_blocks_of_jpeg_are_none():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    assert grid_index(noise, 4) == pytest.approx(1, abs=0.1)
    _, jpeg = cv2.imencode(
        ".jpg", photograph("chelsea"), [cv2.IMWRITE_JPEG_QUALITY, 60]
    )
    assert grid_index(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), 4) < 1.4


def test_small_images_have_no_index():
    image = photograph("coffee", 31)
    assert np.isnan(grid_index(image, 4))
    assert np.isnan(grid_index(photograph("coffee", 63), 8))
    assert grid_index(photograph("coffee", 32), 4) > 0
