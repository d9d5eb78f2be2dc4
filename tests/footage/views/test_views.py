"""Views: what shows one place is found, and dealt out whole."""

from collections import Counter

import cv2
import numpy as np
import pytest
from scenes import world

from realesrgan_paddle.data.footage.split import (
    SplitOptions,
    assign_parts,
    earlier_parts,
    remark,
)
from realesrgan_paddle.data.footage.views.candidates import compare_all
from realesrgan_paddle.data.footage.views.features import Corners, align, find_corners
from realesrgan_paddle.data.footage.views.views import (
    align_sift,
    find_sift_corners,
    find_views,
    keep_unseen,
    mirror,
)
from realesrgan_paddle.utils.crops import Crop


def camera(
    stadium: int, pan: int = 0, zoom: float = 1.0, mirrored: bool = False
) -> np.ndarray:
    """What a camera in the middle of a stadium sees, uint8 gray (224, 400)."""
    matrix = np.float32([[zoom, 0, -60 - pan], [0, zoom, -60]])
    picture = cv2.warpAffine(world(stadium, 900), matrix, (400, 224))
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(luma[:, ::-1]) if mirrored else luma


def views(images: list[np.ndarray], shots: list[int] | None = None) -> list[int]:
    comparisons = compare_all(len(images), images.__getitem__)
    return find_views(comparisons, shots or list(range(len(images))))


def test_pans_zooms_and_mirrored_frames_of_a_place_are_one_view():
    images = [
        camera(1),
        camera(2),
        camera(1, pan=120),
        camera(1, pan=240),
        camera(2, zoom=1.3),
        camera(3),
        camera(1, pan=60, mirrored=True),
    ]
    assert views(images) == [0, 1, 0, 0, 1, 5, 0]


def test_frames_of_one_shot_are_one_view_though_they_show_other_things():
    assert views([camera(1), camera(2), camera(3)], [0, 1, 0]) == [0, 1, 0]


def test_places_with_the_same_logo_are_other_views():
    images = [camera(number) for number in range(1, 6)]
    for image in images:
        cv2.putText(image, "SPORTS TV", (20, 40), 0, 0.9, 255, 2)
    assert views(images) == [0, 1, 2, 3, 4]


def test_corners_in_overlays_do_not_count():
    found = find_corners(camera(1), [Crop(0, 0, 200, 224)])
    assert len(found.points) > 50
    assert found.points[:, 0].min() >= 200


def test_pictures_without_corners_are_views_of_their_own():
    flat = np.full((224, 400), 90, np.uint8)
    assert views([flat, flat + 3, camera(1)]) == [0, 1, 2]
    assert align(find_corners(flat), find_corners(camera(1))) is None


def unseen(images: list[np.ndarray]) -> tuple[list[int], list[int]]:
    """Return the views if the last image alone would be for validation, and numbers
    of the images that were looked at closely."""
    comparisons = compare_all(len(images), images.__getitem__)
    looked_at: list[int] = []

    def parts(views: list[int]) -> list[str]:
        last = len(images) - 1
        return ["val" if view == last else "train" for view in views]

    def find(number: int) -> Corners:
        looked_at.append(number)
        return find_sift_corners(images[number])

    return keep_unseen(range(len(images)), comparisons, parts, find), looked_at


PLACES = [camera(1), camera(2), camera(3), camera(2, pan=50, mirrored=True)]


def test_a_validation_image_is_never_of_a_place_that_is_trained_on():
    views, looked_at = unseen(PLACES)
    assert views == [0, 1, 2, 1]
    assert len(looked_at) == len(set(looked_at)), "a picture costs 60 ms"
    assert unseen([*PLACES[:3], camera(4)])[0] == [0, 1, 2, 3]


def test_few_pictures_are_looked_at_closely(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("realesrgan_paddle.data.footage.views.views.MAX_PICTURES", 2)
    views, looked_at = unseen([*PLACES[:3], camera(4)])
    assert len(looked_at) == 2
    assert views == [0, 1, 2, 3]


def test_mirrored_descriptors_are_those_of_the_mirrored_picture():
    picture = camera(1)
    turned = find_sift_corners(np.ascontiguousarray(picture[:, ::-1]))
    features = find_sift_corners(picture)
    alignment = align_sift(turned, mirror(features))
    assert alignment
    assert alignment.inliers > 0.8 * len(features.points)
    assert np.allclose(alignment.matrix, np.eye(3), atol=0.5)


@pytest.mark.parametrize(
    ("sizes", "share", "val"),
    [
        ([60, 20, 10, 6, 4], 0.1, 10),
        ([90, 3, 3, 3, 1], 0.1, 10),
        ([5, 5], 0.1, 5),  # none has so few; the smallest
        ([60, 40], 0.05, 40),
        ([100], 0.1, 0),
        ([1], 0.5, 0),
        ([10] * 10, 0.3, 30),
        ([50, 30, 20], 0.9, 50),  # the largest stays for training
    ],
)
def test_groups_are_dealt_out_whole_as_near_to_the_share_as_they_add_up(
    sizes: list[int], share: float, val: int
):
    parts = assign_parts(dict(enumerate(sizes)), {}, share)
    in_val = [sizes[group] for group, part in parts.items() if part == "val"]
    assert sum(in_val) == val
    assert set(parts) == set(range(len(sizes)))
    assert parts == assign_parts(dict(enumerate(sizes)), {}, share)


def test_groups_keep_their_part_when_others_are_added():
    first = assign_parts({0: 8, 1: 2}, {}, 0.2)
    assert first == {0: "train", 1: "val"}
    later = assign_parts({0: 8, 1: 2, 2: 9, 3: 2}, first, 0.2)
    assert later == {0: "train", 1: "val", 2: "train", 3: "val"}


def test_a_view_that_was_trained_on_is_never_validated_on():
    groups = [0, 0, 1, 1, 2, 3, 3]
    parts = ["val", "train", "val", "", "", "train", "val"]
    assert earlier_parts(groups, parts) == {0: "train", 1: "val", 3: "train"}


def test_the_reason_for_another_share_is_said():
    options = SplitOptions(val_share=0.1)
    assert remark(options, Counter({0: 50}), 0) == (
        "no frame is for validation: the footage has 1 view"
    )
    assert remark(options, Counter({0: 70, 1: 30}), 30) == (
        "30% of the frames are for validation, not 10%: the footage has 2 views, the "
        "largest with 70 of 100 frames, and none is divided"
    )
    assert remark(options, Counter({0: 90, 1: 10}), 10) == ""
