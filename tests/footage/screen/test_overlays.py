"""Overlays that change, or are not always there."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from scenes import scene

from realesrgan_paddle.data.footage.screen.overlays import Overlay, OverlayFinder
from realesrgan_paddle.utils.crops import Crop

WIDTH, HEIGHT = 640, 360
WHOLE = Crop(0, 0, WIDTH, HEIGHT)
WHITE = (250, 250, 250)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def write(image: np.ndarray, text: str, x: int, y: int, size: float = 0.7) -> None:
    cv2.putText(image, text, (x, y), FONT, size, WHITE, 2, cv2.LINE_AA)


def draw(kind: str, image: np.ndarray, number: int) -> tuple[np.ndarray, Crop | None]:
    """Return a frame with the overlay, and its box in this frame."""
    image = image.copy()
    if kind == "ticker":
        image[310:340] = (20, 30, 120)
        offset = number * 137 % 400
        write(image, "rain in the north * 3:1 in extra time", -offset, 331)
        write(image, "prices are lower today * no trains on", 450 - offset, 331)
        return image, Crop(0, 310, WIDTH, 30)
    if kind == "temporary":
        if not 6 <= number < 14:
            return image, None
        cv2.rectangle(image, (40, 260), (330, 310), (15, 20, 110), -1)
        write(image, "JOHN SMITH", 52, 282)
        write(image, "head coach of the city", 52, 303, 0.6)
        return image, Crop(40, 260, 291, 51)
    box = Crop(30, 20, 220, 34)
    cv2.rectangle(image, (30, 20), (249, 53), (20, 30, 110), -1)
    cv2.rectangle(image, (31, 21), (248, 52), WHITE, 2)
    write(image, f"ABC {number % 3}:1 XYZ", 60, 45)
    return image, box


def views(count: int) -> list[np.ndarray]:
    scenes = [scene(n, n % 7, width=480, height=270) for n in range(count)]
    return [cv2.resize(image, (WIDTH, HEIGHT)) for image in scenes]


def find(images: Sequence[np.ndarray]) -> list[Overlay]:
    finder = OverlayFinder()
    for number, image in enumerate(images):
        luma = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        finder.add(luma, WHOLE, float(number))
    return finder.overlays(WIDTH, HEIGHT)


def shared(one: Crop, other: Crop) -> int:
    """Return the area that two boxes share [pixels]."""
    width = min(one.right, other.right) - max(one.x, other.x)
    height = min(one.bottom, other.bottom) - max(one.y, other.y)
    return max(0, width) * max(0, height)


def is_covered(truth: Crop, box: Crop) -> bool:
    """Return whether a box has 90 % of an overlay, and an IoU of at least 0.5."""
    both, area = shared(truth, box), truth.width * truth.height
    return both >= 0.9 * area and both >= 0.5 * (area + box.width * box.height - both)


@pytest.mark.parametrize(
    ("kind", "count"), [("ticker", 8), ("temporary", 18), ("scoreboard", 4)]
)
def test_overlays_are_found_where_and_when_they_are_shown(kind: str, count: int):
    drawn = [draw(kind, image, n) for n, image in enumerate(views(count))]
    found = find([image for image, _ in drawn])
    for seconds, (_, truth) in enumerate(drawn):
        boxes = [one.box for one in found if one.start <= seconds <= one.end]
        assert truth is None or any(is_covered(truth, box) for box in boxes)

    truths = [truth for _, truth in drawn if truth]
    for overlay in found:
        assert any(shared(overlay.box, truth) for truth in truths)
    expected = "static" if kind == "scoreboard" else kind
    assert expected in {overlay.kind for overlay in found}


def test_a_banner_is_not_reported_long_after_it_is_gone():
    images = [draw("temporary", image, n)[0] for n, image in enumerate(views(24))]
    assert all(overlay.end <= 18 for overlay in find(images))


def test_different_views_without_overlays_have_no_boxes():
    for count in (3, 5, 9, 20):
        assert find(views(count)) == []


def test_a_still_camera_has_no_boxes():
    frame = draw("scoreboard", views(1)[0], 0)[0]
    images = []
    for number in range(10):
        image = frame.copy()
        cv2.circle(image, (60 * number, 200), 40, (200, 30, 30), -1)
        images.append(image)
    assert find(images) == []
