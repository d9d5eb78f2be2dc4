"""A picture in the middle, and its blurred copy or a graphic beside it."""

import cv2
import numpy as np
import pytest
from scenes import scene

from realesrgan_paddle.data.footage.screen.borders import profile
from realesrgan_paddle.data.footage.screen.source import FrameParts
from realesrgan_paddle.utils.crops import Crop

WIDTH, HEIGHT = 480, 270
INSIDE = Crop(165, 0, 150, HEIGHT)


def luma(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def filled(kind: str, number: int) -> np.ndarray:
    """Return a frame with an upright picture in the middle."""
    middle = scene(number % 3, 6 * number, width=INSIDE.width, height=HEIGHT)
    if kind == "graphic":
        tiles = np.random.default_rng(0).integers(60, 160, (9, 16, 3), dtype=np.uint8)
        sides = cv2.resize(tiles, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    else:
        shown = HEIGHT * INSIDE.width // WIDTH
        part = middle[(HEIGHT - shown) // 2 :][:shown]
        sides = cv2.resize(middle if kind == "stretched" else part, (WIDTH, HEIGHT))
        sides = cv2.GaussianBlur(sides, (0, 0), 6)
        if kind == "mirrored":
            sides = sides[:, ::-1].copy()
        if kind == "darkened":
            sides //= 2
    sides[:, INSIDE.x : INSIDE.right] = middle
    return sides


@pytest.mark.parametrize(
    "kind", ["enlarged", "stretched", "mirrored", "darkened", "graphic"]
)
@pytest.mark.parametrize("is_below", [False, True])
def test_frames_are_cropped_to_the_picture_in_the_middle(kind: str, is_below: bool):
    parts = FrameParts()
    for number in range(5):
        image = filled(kind, number)
        if is_below:
            image = np.ascontiguousarray(image.transpose(1, 0, 2))
        parts.add(luma(image), profile(luma(image)), 0)

    found = parts.of_shot(0)
    if is_below:
        found = Crop(found.y, found.x, found.height, found.width)
    assert INSIDE.x <= found.x <= INSIDE.x + 4
    assert INSIDE.right - 4 <= found.right <= INSIDE.right
    assert (found.y, found.height) == (0, HEIGHT)
    sides = parts.side_fill()
    assert sides is not None
    assert sides.is_below == is_below


def test_soft_backgrounds_are_not_cropped():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for seed in range(4):
        parts = FrameParts()
        for number in range(4):
            image = scene(seed, 4 * number, width=WIDTH, height=HEIGHT)
            soft = cv2.GaussianBlur(image, (0, 0), 6)
            distance = np.hypot((columns - WIDTH / 2) / 110, (rows - HEIGHT / 2) / 160)
            is_sharp = np.clip((1.1 - distance) * 8, 0, 1)[..., None]
            mixed = (image * is_sharp + soft * (1 - is_sharp)).astype(np.uint8)
            parts.add(luma(mixed), profile(luma(mixed)), 0)
        assert parts.of_shot(0) == Crop(0, 0, WIDTH, HEIGHT)
