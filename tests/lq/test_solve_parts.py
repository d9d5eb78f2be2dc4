"""The parts of the search: parameters, statistics, regression, new options."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scenes import world

from realesrgan_paddle.data.degradation.codec import Video, compress, compress_together
from realesrgan_paddle.data.lq import search
from realesrgan_paddle.data.lq.compare import distances, null_distances
from realesrgan_paddle.data.lq.parameters import (
    NUMBER,
    NUMBERS,
    Point,
    Region,
    codec_setting,
    point_options,
)
from realesrgan_paddle.data.lq.regression import Regression
from realesrgan_paddle.data.lq.simulate import Task, degraded
from realesrgan_paddle.data.statistics.window_statistics import (
    content,
    window_statistics,
)
from realesrgan_paddle.options.schema.degradation import LQConfig

pytestmark = pytest.mark.paddle
NOTHING = Point(
    places={
        "blur": 0.175,
        "anisotropy": 0.5,
        "motion": 0.0,
        "noise": 0.0,
        "grain": 0.0,
        "halo": 0.0,
        "halo width": 0.5,
        "quality": 0.5,
        "first JPEG": 0.0,
    },
    choices={
        "scaler": "area",
        "noise kind": "gaussian",
        "noise color": "color",
        "codec": "none",
        "chroma": "smooth",
        "fields": "whole",
        "last filter": "none",
    },
)


def with_changes(places=(), choices=()) -> Point:
    """Return NOTHING with some places and choices changed."""
    places = {**NOTHING.places, **dict(places)}
    return Point(places, {**NOTHING.choices, **dict(choices)})


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    """Four windows of ground truth for scale 2, uint8 RGB (4, 192, 192, 3)."""
    found = []
    for seed in range(4):
        image = world(seed, 192)
        grain = np.random.default_rng(seed).normal(0, 6, image.shape)
        soft = cv2.GaussianBlur(grain, (0, 0), 1)
        found.append(np.clip(image + soft, 0, 255).astype(np.uint8))
    return np.stack(found)


def windows_of_scale(scale: int):
    """Return a function of the arguments of `degraded` with a way of resizing."""
    window = world(0, 96 * scale)[None]

    def arguments(mode):
        options = point_options(NOTHING, scale) | {"resize_modes2": [mode]}
        return window, Task(options, np.arange(1), 1), scale

    return arguments


def measured(windows: np.ndarray, point: Point) -> dict[str, float]:
    """Return the mean statistics of windows after a degradation."""
    task = Task(point_options(point, 2), np.arange(4), 1)
    found = window_statistics(degraded(windows, task, 2))
    return {name: float(values.mean()) for name, values in found.items()}


def test_each_drawn_degradation_is_an_option_file_that_loads():
    rng = np.random.default_rng(0)
    drawn = [Region().draw(rng) for _ in range(200)]
    for point in drawn:
        options = LQConfig(dataroot_gt="hr", scale=4, **point_options(point, 4))
        has_video = point.choices["codec"] not in ("none", "jpeg")
        assert options.video_prob == has_video
    assert len({point.choices["codec"] for point in drawn}) == 6


def test_places_are_shares_of_the_searched_range():
    for number in NUMBERS:
        ends = number.value(np.array([0.0, 1.0]))
        assert ends.tolist() == [number.low, number.high]
    assert NUMBER["noise"].value(0.5) == pytest.approx(5), "small ones are denser"
    assert codec_setting("jpeg", 0) == 98
    assert codec_setting("h264", 1) == 44


def test_a_part_with_no_chance_is_not_drawn():
    shares = {**Region().none_shares, "halo": 1.0}
    region = Region(none_shares=shares).with_codecs("hevc")
    rng = np.random.default_rng(0)
    for _ in range(30):
        point = region.draw(rng)
        assert point.places["halo"] == 0
        assert point.choices["codec"] == "hevc"


def test_each_part_shows_in_its_statistics(windows):
    plain = measured(windows, NOTHING)
    noisy = measured(windows, with_changes({"noise": 0.6}))
    gray = measured(windows, with_changes({"noise": 0.6}, {"noise color": "gray"}))
    assert noisy["noise 30"] > plain["noise 30"] + 0.25
    assert noisy["noise color share"] > gray["noise color share"] + 1

    blurred = measured(windows, with_changes({"blur": 0.9}))
    assert blurred["spectrum 10"] < plain["spectrum 10"] - 1

    fine = measured(windows, with_changes({"noise": 1.0, "grain": 0.0}))
    coarse = measured(windows, with_changes({"noise": 1.0, "grain": 0.8}))
    assert coarse["grain 0 1"] > fine["grain 0 1"] + 0.2

    wide = measured(windows, with_changes({"blur": 0.6, "anisotropy": 1.0}))
    high = measured(windows, with_changes({"blur": 0.6, "anisotropy": 0.0}))
    assert wide["direction 2"] < high["direction 2"] - 1
    assert wide["edge direction"] < high["edge direction"] - 0.05

    halo = measured(windows, with_changes({"halo": 0.8}))
    assert halo["edge -2"] < plain["edge -2"] - 0.03

    bob = measured(windows, with_changes((), {"fields": "bob"}))
    assert abs(bob["line parity"]) > abs(plain["line parity"]) + 0.5


def test_the_quality_of_a_jpeg_shows_in_its_coefficients(windows):
    place = (98 - 60) / (98 - 20)
    found = measured(windows, with_changes({"quality": place}, {"codec": "jpeg"}))
    scores = {name: value for name, value in found.items() if "quality " in name}
    assert max(scores, key=lambda name: scores[name]) == "quality 60"


def test_a_flat_window_has_statistics():
    flat = np.full((1, 96, 96, 3), 7, np.uint8)
    found = window_statistics(flat)
    assert all(np.isfinite(values).all() for values in found.values())


def test_windows_are_compressed_as_parts_of_one_frame(windows):
    video = Video("hevc", 40, chroma_420=True, motion=(1.0, 0.0))
    whole = np.concatenate(
        [np.concatenate(windows[:2], 1), np.concatenate(windows[2:], 1)]
    )
    still = replace(video, motion=(0.0, 0.0))
    together = compress_together(windows, still)
    expected = compress(whole, still)
    assert np.array_equal(together[1], expected[:192, 192:])
    assert np.array_equal(together[2], expected[192:, :192])

    for count in (1, 2, 3):
        found = compress_together(windows[:count], video)
        assert found.shape == windows[:count].shape
        difference = np.abs(found.astype(int) - windows[:count])
        assert difference.mean(axis=(1, 2, 3)).max() < 20


def test_a_video_takes_the_place_of_the_last_jpeg(windows):
    coarse = point_options(NOTHING, 2) | {"jpeg_prob2": 1.0, "jpeg_range2": [5, 5]}
    fine = {"codec_list": ["h264"], "codec_prob": [1.0], "h264_crf": [10, 10]}
    plain = degraded(windows, Task(point_options(NOTHING, 2), np.arange(4), 1), 2)

    def loss(options):
        found = degraded(windows, Task(options, np.arange(4), 1), 2)
        return np.abs(found.astype(int) - plain).mean(axis=(1, 2, 3))

    assert loss(coarse).min() > 3 * loss(coarse | fine | {"video_prob": 1.0}).max()
    some = loss(coarse | fine | {"video_prob": 0.5})
    assert 3 * some.min() < some.max()


def test_scalers_that_do_the_same_are_not_told_apart():
    only = Region().with_codecs("none")
    drawn = search._without_same(only, search.SAME_SCALERS[2])
    assert list(drawn.chances["scaler"]) == pytest.approx([0.67, 0, 0.33])
    shared = search._shared(
        {"scaler": {"area": 0.8, "bicubic": 0.2}}, ["area", "bilinear"]
    )
    assert shared["scaler"] == {"area": 0.4, "bilinear": 0.4, "bicubic": 0.2}
    image = windows_of_scale(2)
    for mode, same in (("bilinear", True), ("bicubic", False)):
        other = degraded(*image(mode))
        difference = degraded(*image("area")).astype(int) - other
        assert (np.abs(difference).max() <= 1) == same


def test_content_is_hardly_changed_by_a_degradation(windows):
    plain = degraded(windows, Task(point_options(NOTHING, 2), np.arange(4), 1), 2)
    numbers = {"noise": 0.6, "blur": 0.6, "quality": 0.7}
    strong = with_changes(numbers, {"codec": "h264"})
    changed = degraded(windows, Task(point_options(strong, 2), np.arange(4), 1), 2)
    shift = np.abs(content(plain) - content(changed)).max()
    darker = content(plain // 2)
    other_lighting = np.abs(content(plain) - darker).max(axis=1).min()
    assert shift < 0.2 < other_lighting


def test_a_regression_says_how_far_off_it_is():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(200, 5))
    known = samples[:, 0] + 0.1 * rng.normal(size=200)
    point = np.array([0.5, 0, 0, 0, 0])
    found = Regression(samples, point).predict(known)
    low, high = found.interval(0.9)
    assert low < 0.5 < high
    assert high - low < 0.8
    assert found.explained > 0.8

    noise = Regression(samples, point).predict(rng.normal(size=200))
    low, high = noise.interval(0.9)
    assert high - low > 2.5
    assert noise.explained < 0.1


def test_halves_of_one_set_are_nearer_than_another_set():
    rng = np.random.default_rng(0)
    names = ["noise 10", "grain 0 1", "spectrum 1", "direction 0", "color 1"]
    names += ["grid luma 8", "flat"]
    one = rng.normal(size=(60, 7))
    null = null_distances(one, np.arange(60) // 10, names, rng)
    other = distances(one, rng.normal(1.5, 1, size=(60, 7)), names)
    assert null["all"] < 0.3 < 0.45 < other["all"]
    alone = null_distances(one, np.zeros(60, int), names, rng)
    assert alone["all"] < 0.3


def test_without_jpeg_nothing_is_compressed_and_the_modes_are_those_given(windows):
    options = point_options(NOTHING, 2) | {"resize_modes2": ["area"]}
    area = degraded(windows, Task(options, np.arange(4), 1), 2)
    again = degraded(windows, Task(options, np.arange(4), 2), 2)
    assert np.array_equal(area, again)  # nothing random is left

    sampled = options | {"resize_modes2": ["bicubic"]}
    assert np.abs(degraded(windows, Task(sampled, np.arange(4), 1), 2) - area).any()
    coarse = options | {"jpeg_prob2": 1.0, "jpeg_range2": [20, 20]}
    assert np.abs(degraded(windows, Task(coarse, np.arange(4), 1), 2) - area).any()
