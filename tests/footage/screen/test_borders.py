"""Bars that the frames of a shot agree on."""

import cv2
import numpy as np
import pytest
from scenes import letterboxed, scene

from realesrgan_paddle.data.footage.screen.borders import profile
from realesrgan_paddle.data.footage.screen.source import FrameParts
from realesrgan_paddle.utils.crops import Crop

WIDTH, HEIGHT = 320, 180


def picture(number: int) -> np.ndarray:
    return scene(number % 4, 5 * number, width=WIDTH, height=HEIGHT)


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def write(image: np.ndarray, text: str, row: int) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (30, row), font, 0.5, (255, 255, 255), 1, cv2.LINE_AA)


def with_bars(kind: str, number: int) -> tuple[np.ndarray, Crop]:
    """Return a frame with bars, and the place of the picture."""
    image = picture(number)
    if kind == "two lines of subtitles":
        image = letterboxed(image, 32)
        write(image, "and then he said to all of us", 163)
        write(image, "the game would never be the same", 177)
        return image, Crop(0, 32, WIDTH, HEIGHT - 64)
    if kind == "unequal":
        inner = cv2.resize(image, (WIDTH, HEIGHT - 36))
        image = cv2.copyMakeBorder(inner, 24, 12, 0, 0, cv2.BORDER_CONSTANT, value=0)
        return image, Crop(0, 24, WIDTH, HEIGHT - 36)
    if kind == "dark gray":
        return letterboxed(image, 20, level=44), Crop(0, 20, WIDTH, HEIGHT - 40)
    if kind == "window":
        inside = Crop(40, 20, WIDTH - 80, HEIGHT - 40)
        return letterboxed(image, 20, 40), inside
    inside = Crop(0, 20, WIDTH, HEIGHT - 40)
    image = letterboxed(image, 20)
    return (image // 6 if number % 3 else image), inside


def assert_inside(found: Crop, truth: Crop) -> None:
    """Assert that nothing of the bars is left, and little of the picture is lost."""
    assert truth.x <= found.x <= truth.x + 4
    assert truth.y <= found.y <= truth.y + 4
    assert truth.right - 4 <= found.right <= truth.right
    assert truth.bottom - 4 <= found.bottom <= truth.bottom


@pytest.mark.parametrize(
    "kind", ["two lines of subtitles", "unequal", "dark gray", "window", "dark scene"]
)
def test_the_frames_of_a_shot_agree_on_bars(kind: str):
    parts = FrameParts()
    for number in range(6):
        image, truth = with_bars(kind, number)
        parts.add(luma(image), profile(luma(image)), 0)
    assert_inside(parts.of_shot(0), truth)
    assert parts.borders() == parts.of_shot(0)


@pytest.mark.parametrize("kind", ["fade", "night"])
def test_dark_frames_without_bars_are_not_cropped(kind: str):
    parts = FrameParts()
    whole = Crop(0, 0, WIDTH, HEIGHT)
    for number in range(6):
        image = picture(number)
        if kind == "fade":
            image = (image * (number / 6)).astype(np.uint8)
        else:
            image = (image * 0.4).astype(np.uint8)
            # A black sky over roofs, whose outline is no straight line.
            roof = 60 + 25 * np.sin(np.arange(WIDTH) / 9 + number)
            image[np.arange(HEIGHT)[:, None] < roof] = 4
        assert parts.add(luma(image), profile(luma(image)), 0) == whole
    assert parts.borders() is None


def test_a_shot_of_one_frame_has_the_bars_of_the_other_shots():
    parts = FrameParts()
    for number in range(4):
        image, truth = with_bars("dark gray", number)
        parts.add(luma(image), profile(luma(image)), 0)
    image, truth = with_bars("dark gray", 5)
    for shot in range(1, 7):
        found = parts.add(luma(image), profile(luma(image)), shot)
    assert_inside(found, truth)


def test_a_shot_may_come_back_after_many_others():
    parts = FrameParts()
    image, _ = with_bars("dark gray", 5)
    for shot in range(6):
        parts.add(luma(image), profile(luma(image)), shot)
    told = parts.of_shot(0)
    assert parts.add(luma(image), profile(luma(image)), 0) == told


def test_a_shot_without_bars_is_not_cropped_as_the_one_before():
    parts = FrameParts()
    for number in range(8):
        image = with_bars("dark scene", 0)[0] if number < 4 else picture(number)
        found = parts.add(luma(image), profile(luma(image)), number // 4)
    assert found == Crop(0, 0, WIDTH, HEIGHT)
