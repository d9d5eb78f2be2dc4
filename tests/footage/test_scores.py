"""Sharpness is that above the noise: grain never wins."""

import cv2
import numpy as np
import pytest
from scenes import scatter, world

from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.statistics.image_scores import Scores, measure

LEAST = Selection().min_sharpness


def picture(seed: int) -> np.ndarray:
    """Return luma of objects before a calm background, as a lens makes them."""
    calm = cv2.GaussianBlur(world(seed), (0, 0), 4)
    scatter(calm, np.random.default_rng(seed), 90, radii=(4, 30), colors=(0, 256))
    gray = cv2.cvtColor(calm[:320, :480], cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(gray, (0, 0), 0.45)


def grained(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def moved(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    kernel = np.zeros((2 * length + 1,) * 2, np.float32)
    half = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    ends = [np.rint(length + sign * half * length / 2).astype(int) for sign in (-1, 1)]
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def enlarged(image: np.ndarray, factor: int, sharpening: float) -> np.ndarray:
    height, width = image.shape
    size = (width // factor, height // factor)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(large, (0, 0), 1.5)
    return cv2.addWeighted(large, 1 + sharpening, soft, -sharpening, 0)


@pytest.mark.parametrize("sigma", [2, 4, 8, 12])
def test_true_hd_ranks_above_blur_and_enlargement_with_grain(sigma: int):
    for seed in range(3):
        true = measure(picture(seed))
        blurred = grained(cv2.GaussianBlur(picture(seed), (0, 0), 2.5), sigma)
        large = grained(enlarged(picture(seed), 3, 1.5), sigma)
        for fake in (blurred, jpeg(blurred, 75), large, jpeg(large, 75)):
            assert measure(fake).sharpness < true.sharpness
            assert measure(fake).total < true.total


@pytest.mark.parametrize("sigma", [0, 2, 6, 10])
def test_blur_is_found_below_grain(sigma: int):
    for seed in range(3):
        sharp = picture(seed)
        blurred = [cv2.GaussianBlur(sharp, (0, 0), 2.5)]
        blurred += [moved(sharp, 23, angle) for angle in (0, 30, 65, 90, 130)]
        found = [measure(grained(image, sigma)).sharpness for image in blurred]
        assert max(found) < LEAST, found


@pytest.mark.parametrize("sigma", [2, 5, 8])
def test_sharp_frames_with_grain_are_not_called_blurred(sigma: int):
    for seed in range(6):
        image = grained(picture(seed), sigma)
        assert measure(image).sharpness >= LEAST
        assert measure(jpeg(image, 80)).sharpness >= LEAST


def test_a_sharp_subject_before_a_soft_background_is_sharp():
    sharp = picture(2)
    soft = cv2.GaussianBlur(sharp, (0, 0), 5)
    soft[64:256, 96:320] = sharp[64:256, 96:320]
    assert measure(grained(soft, 4)).sharpness >= LEAST


@pytest.mark.parametrize("sigma", [3.0, 6.0, 10.0])
def test_the_noise_is_that_which_was_added(sigma: float):
    calm = cv2.GaussianBlur(picture(0), (0, 0), 1.5)
    assert measure(grained(calm, sigma)).noise == pytest.approx(sigma, rel=0.15)


def test_pure_noise_has_no_sharpness():
    noise = np.random.default_rng(0).normal(128, 30, (320, 480))
    assert measure(noise.clip(0, 255).astype(np.uint8)).sharpness < LEAST


@pytest.mark.parametrize("shape", [(1, 1), (40, 41), (41, 300), (300, 40)])
def test_tiny_images_have_scores(shape: tuple[int, int]):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert isinstance(measure(image), Scores)
