"""Copies of a moment, told from other moments of the same view."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from scenes import scene

from realesrgan_paddle.data.footage.views.candidates import compare_all
from realesrgan_paddle.data.footage.views.copies import (
    find_copies,
    find_lesser_frames,
    is_enlarged,
    quality,
)

SIZE = (400, 224)


def place(number: int) -> np.ndarray:
    """A picture of a place, uint8 gray."""
    picture = scene(number, width=SIZE[0], height=SIZE[1])
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def moment(number: int, seed: int) -> np.ndarray:
    """A picture of a place with twelve players, who are elsewhere for each seed."""
    picture = place(number)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        x, y = int(rng.integers(20, 380)), int(rng.integers(60, 200))
        shade = int(rng.choice([20, 240]))
        cv2.rectangle(picture, (x, y), (x + 5, y + 13), shade, -1)
    return picture


def copies(images: list[np.ndarray], shots: list[int] | None = None) -> list:
    comparisons = compare_all(len(images), images.__getitem__)
    return find_copies(
        comparisons, shots or list(range(len(images))), images.__getitem__
    )


def zoomed(image: np.ndarray, share: float, x: float, y: float) -> np.ndarray:
    width, height = (round(side / (1 + share)) for side in SIZE)
    left, top = round((SIZE[0] - width) * x), round((SIZE[1] - height) * y)
    part = image[top : top + height, left : left + width]
    return cv2.resize(part, SIZE, interpolation=cv2.INTER_CUBIC)


def compressed(image: np.ndarray, level: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, level])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def with_scoreboard(image: np.ndarray) -> np.ndarray:
    marked = image.copy()
    cv2.rectangle(marked, (20, 12), (110, 30), 30, -1)
    cv2.putText(marked, "FCB 2:1 BVB", (24, 26), 0, 0.4, 255, 1)
    return marked


def recolored(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.convertScaleAbs(image, alpha=factor)


def upright(image: np.ndarray) -> np.ndarray:
    """What a telephone shows of a wide picture, larger."""
    part = image[:, 150:276]
    return cv2.resize(part, None, fx=1.2, fy=1.2, interpolation=cv2.INTER_CUBIC)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "zoomed by 5 %": lambda image: zoomed(image, 0.05, 0.5, 0.5),
    "zoomed by 8 % off the middle": lambda image: zoomed(image, 0.08, 0, 1),
    "brighter": lambda image: recolored(image, 1.2),
    "darker": lambda image: recolored(image, 0.8),
    "compressed": lambda image: compressed(image, 25),
    "with a scoreboard": with_scoreboard,
    "an upright part": upright,
    "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5),
    "all of it": lambda image: compressed(
        with_scoreboard(recolored(zoomed(image[:, ::-1], 0.04, 0.3, 0.6), 0.85)), 50
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_other_places(change: str):
    changed = CHANGES[change](moment(1, 1))
    assert copies([moment(1, 1), moment(2, 2), changed]) == [(0, 2)]


def test_other_moments_of_a_still_camera_are_no_copies():
    assert copies([moment(1, seed) for seed in range(5)]) == []


def test_an_upright_part_of_another_moment_is_no_copy():
    assert copies([moment(1, 1), moment(1, 2), upright(moment(1, 3))]) == []


def test_the_copy_of_one_moment_is_found_among_others_of_its_view():
    images = [moment(1, seed) for seed in range(6)]
    images += [compressed(moment(1, seed), 30) for seed in (1, 4)]
    assert copies(images) == [(1, 6), (4, 7)]


def test_frames_of_one_shot_are_no_copies():
    assert copies([moment(1, 1), moment(1, 1)], [0, 0]) == []


def record(**values: float) -> dict:
    return {"score": 0.5, "sharpness": 0.7, "size": [1920, 1080], **values}


def test_true_detail_wins_and_enlarged_copies_lose():
    small = record(size=[1280, 720])
    assert quality(record(score=0.48)) > quality(small)
    assert is_enlarged(record(sharpness=0.63), small)
    assert not is_enlarged(record(sharpness=0.67), small)
    assert not is_enlarged(small, record())


TIMES = [0.0, 2.0, 4.0, 6.0, 8.0]
"""Of the frames of two videos of one recording."""


def dropped(pairs: list[tuple[int, int]], lag: float = 0.5, good: int = 1) -> set[int]:
    """Return what goes of two videos of five frames; the second one is `lag` behind."""
    sources = ["a"] * 5 + ["b"] * 5
    seconds = TIMES + [time + lag for time in TIMES]
    ranks = [source != "ab"[good] for source in sources]
    return set(find_lesser_frames(sources, seconds, pairs, ranks))


def test_from_the_first_copy_to_the_last_the_lesser_video_gives_no_frame():
    pairs = [(1, 6), (3, 8), (4, 9)]
    assert dropped(pairs) == {1, 2, 3, 4}
    assert dropped(pairs, good=0) == {6, 7, 8, 9}


def test_two_copies_or_one_frame_often_say_nothing_of_those_between():
    assert not dropped([(0, 5), (4, 9)])
    assert not dropped([(0, 5), (0, 6), (0, 7), (0, 8)], lag=0.2)


def test_copies_without_one_difference_of_times_are_a_still_scene():
    assert not dropped([(0, 9), (2, 5), (4, 7)])


def test_a_copy_is_named_that_is_near():
    found = find_lesser_frames(
        ["a"] * 5 + ["b"] * 5, TIMES * 2, [(0, 5), (2, 7), (4, 9)], [1] * 5 + [0] * 5
    )
    assert found == {0: 5, 1: 5, 2: 7, 3: 7, 4: 9}


def test_stretches_of_a_compilation_are_told_apart():
    sources = ["match"] * 12 + ["best"] * 6
    seconds = [*range(0, 24, 2), 0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    first = [(1, 12), (2, 13), (3, 14)]  # two seconds earlier there
    second = [(9, 15), (10, 16), (11, 17)]  # and twelve
    ranks = [1] * 12 + [0] * 6
    assert set(find_lesser_frames(sources, seconds, [*first, *second], ranks)) == {
        *(1, 2, 3),
        *(9, 10, 11),
    }


def test_of_three_encodings_one_stays_though_each_is_lesser_than_the_next():
    sources, seconds = [*"aaabbbccc"], [0.0, 2.0, 4.0] * 3
    pairs = [(0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (5, 8), (0, 6), (1, 7), (2, 8)]
    ranks = [3, 1, 2, 2, 3, 1, 1, 2, 3]  # each has the better of two moments in three
    kept = {*range(9)} - set(find_lesser_frames(sources, seconds, pairs, ranks))
    assert len({sources[number] for number in kept}) == 1
    assert len(kept) == 3
