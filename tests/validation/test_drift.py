"""Drift, with plain functions in place of networks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sample_runs import picture

from realesrgan_paddle.judging.drift import described, find_drift, measure_drift
from realesrgan_paddle.judging.images import GENERAL_CROPS, general_images
from realesrgan_paddle.metrics.measuring import mean_of
from realesrgan_paddle.options.schema.validation import ValOptions
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import enlarge, write_image

pytestmark = pytest.mark.paddle

SCALE = 4


def as_pixels(image):
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def unchanged(image):
    return image


def tinted(image):
    return as_pixels(image + np.array([15.0, 0.0, -15.0]))


def darker(image):
    return as_pixels(0.9 * image)


def blurred(image, radius=6):
    return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))


def sharpened(image):
    detail = image.astype(float) - blurred(image, 3)
    return as_pixels(image + 3 * detail)


def gridded(image):
    """Twelve levels more in the first of each 4 x 4 pixels that a network makes."""
    image = image.astype(float)
    image[::SCALE, ::SCALE] += 12
    return as_pixels(image)


def slightly_different(image, reference):
    """Stands in for LPIPS."""
    return 0.01 * float((image != reference).any())


def measured(change, *, gt=True):
    """Metrics of general and of held-out images that are enlarged and then changed."""
    images = general_images(SCALE)[::2]
    if not gt:
        images = [replace(image, gt=None) for image in images]
    sets = {"general": images, "held_out": images[:2]}
    found = {}
    for name, images in sets.items():
        found[name] = {}
        for image in images:
            sr = change(enlarge(image.lq, SCALE))
            scores = measure_drift(sr, image, SCALE)
            if image.gt is not None:
                scores["lpips"] = slightly_different(sr, image.gt)
            found[name][image.name] = scores
    return found


def drifted(now, start=unchanged, *, gt=True):
    """What is found of a network that does `now` to enlarged images."""
    return described(
        find_drift(ValOptions(), measured(now, gt=gt), measured(start, gt=gt))
    )


def test_an_unchanged_network_has_not_drifted():
    assert drifted(unchanged) == []
    for images in measured(unchanged, gt=False).values():
        for values in images.values():
            assert (values["delta_e_lq"], values["sharpness_lq"]) == (0, 1)
            assert 0.7 < values["grid"] <= 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (tinted, "colors have shifted"),
        (darker, "colors have shifted"),
        (blurred, "images are too blurred"),
        (sharpened, "images are too sharp"),
        (gridded, "a regular grid shows"),
    ],
)
def test_what_has_drifted_is_named_and_nothing_else(change, what):
    (line,) = drifted(change)
    assert line.startswith(f"{what}: general ")
    for part in (", held_out ", "(usual: ", "; ", "try "):
        assert part in line
    # The start network was as wrong.
    assert drifted(unchanged, start=change) == []


def test_without_ground_truth_colors_are_compared_with_the_inputs():
    (line,) = drifted(tinted, gt=False)
    assert line.startswith("colors have shifted: general ")
    for line in (*drifted(sharpened, gt=False), *drifted(blurred, gt=False)):
        assert "sharp" not in line
        assert "blurred" not in line


def test_texture_does_not_count_as_a_color_shift():
    noise = np.random.default_rng(0).normal(0, 8, (256, 256, 3))

    def noisy(image):
        return as_pixels(image + noise)

    def color(change):
        return mean_of(measured(change, gt=False)["general"], "delta_e_lq")

    assert color(noisy) < 0.2 * color(darker)


def test_the_general_images_are_always_the_same():
    images = general_images(SCALE)
    assert len(images) == len(GENERAL_CROPS) == 6
    for image in images:
        assert image.gt.shape == (256, 256, 3)
        assert image.lq.shape == (64, 64, 3)
    for image, other in zip(images, general_images(2), strict=True):
        np.testing.assert_array_equal(image.gt, other.gt)


def test_general_images_may_be_those_of_a_folder_if_they_are_large_enough(tmp_path):
    write_image(tmp_path / "small.png", picture(30, 200, 0))
    with pytest.raises(
        UserError,
        match=r"val\.drift\.dataroot: .* no image of at least 36 pixels each way",
    ):
        general_images(SCALE, str(tmp_path))
    for i in range(9):
        write_image(tmp_path / f"{i}.png", picture(50 + i, 300, i))
    images = general_images(SCALE, str(tmp_path))
    assert 5 <= len(images) <= 6
    for image in images:
        assert image.gt.shape == (image.lq.shape[0] * SCALE, 256, 3)
