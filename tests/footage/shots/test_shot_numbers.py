"""Shots are numbered by what is seen, not by how bright it is."""

import numpy as np
import pytest
from scenes import scene

from realesrgan_paddle.data.footage.shots.cuts import ShotCounter


def numbers(pictures: list[np.ndarray], spacing: float = 0.5) -> list[int]:
    counter = ShotCounter()
    return [
        counter.shot_of_next(picture, n * spacing) for n, picture in enumerate(pictures)
    ]


def lit(picture: np.ndarray, gain: float, offset: float) -> np.ndarray:
    return (picture * gain + offset).clip(0, 255).astype(np.uint8)


LIGHTS = {
    "flashes": [(1, 0), (1.1, 90)] * 8,
    "peaks": [(1, 0), (0, 255)] * 8,
    "lightning at night": [(0.3, 0), (1, 20)] * 8,
    "fade": [(1 - n / 17, 0) for n in range(17)],
    "fade to black and back": [(abs(1 - n / 8), 0) for n in range(17)],
}


@pytest.mark.parametrize("kind", LIGHTS)
def test_flashes_and_fades_are_one_shot(kind: str):
    pictures = [
        lit(scene(3, number * 0.5), gain, offset)
        for number, (gain, offset) in enumerate(LIGHTS[kind])
    ]
    assert set(numbers(pictures)) == {0}


def test_cuts_are_counted_also_through_black():
    black = np.zeros_like(scene(0))
    shown = [scene(1), scene(1, 1), scene(4), scene(4, 1), black, scene(6), scene(6, 1)]
    assert numbers(shown) == [0, 0, 1, 1, 1, 2, 2]


def test_a_shot_that_comes_back_much_later_is_a_new_one():
    assert numbers([scene(1), scene(4), scene(1)], spacing=5.0) == [0, 1, 2]
    assert numbers([scene(1), scene(4), scene(1)], spacing=0.1) == [0, 1, 0]
