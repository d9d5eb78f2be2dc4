"""What is written is what is nearest the real images, not what is most likely."""

from dataclasses import replace

import numpy as np
import pytest

from realesrgan_paddle.data.lq.compare import Comparer, Sets
from realesrgan_paddle.data.lq.parameters import CHOICES, NUMBER, NUMBERS, Point
from realesrgan_paddle.data.lq.solution import (
    NumberFound,
    Solution,
    findings,
    solution_options,
)
from realesrgan_paddle.data.lq.solve import pick
from realesrgan_paddle.data.lq.windows import GtWindows, RealWindows
from realesrgan_paddle.data.statistics.window_statistics import (
    content,
    window_statistics,
)

SCALE = 2


@pytest.fixture
def solution() -> Solution:
    """A solution that is sure of everything but the blur, the noise and the codec."""
    numbers = {}
    for number in NUMBERS:
        present = float(not number.none_share)
        numbers[number.name] = NumberFound(0.5, 0.45, 0.55, present, 0.9)
    numbers["blur"] = NumberFound(0.5, 0.25, 0.75, 1.0, 0.5)
    numbers["noise"] = NumberFound(0.5, 0.4, 0.6, 0.6, 0.5)
    choices = {choice.name: {choice.options[0]: 1.0} for choice in CHOICES}
    choices["codec"] = {"none": 0.6, "jpeg": 0.4}
    return Solution(numbers, choices, outlying=1.0, tried=1)


class FakeComparer:
    """Gives options the distance that a function says, and keeps them."""

    def __init__(self, distance):
        self._distance = distance
        self.asked = []

    def __call__(self, options):
        self.asked.append(options)
        return {"all": self._distance(options)}, np.empty(0)


def blur_at(place):
    return NUMBER["blur"].value(place) * SCALE


def blur_distance(place):
    """Return a distance that is small where all blur is that of one place."""
    return lambda options: (
        0.1 + max(abs(end - blur_at(place)) for end in options["blur_sigma"])
    )


def test_the_nearest_tried_degradation_becomes_the_center(solution):
    there = Point({**solution.best.places, "blur": 0.65}, solution.best.choices)
    far = Point({**solution.best.places, "blur": 0.3}, solution.best.choices)
    solution = replace(solution, nearest=(far, there))
    compare = FakeComparer(blur_distance(0.65))
    written = solution_options(pick(solution, compare, SCALE), SCALE)
    assert written["blur_sigma"] == pytest.approx([blur_at(0.65)] * 2, rel=0.01)


def test_one_parameter_is_moved_at_a_time_within_its_interval(solution):
    compare = FakeComparer(blur_distance(0.9))
    written = pick(solution, compare, SCALE)
    assert written.numbers["blur"].place == pytest.approx(0.65)
    for options in compare.asked:
        low, high = options["blur_sigma"]
        assert blur_at(0.24) <= low <= high <= blur_at(0.76)


def test_a_likely_choice_and_a_missing_part_are_tried(solution):
    def distance(options):
        return 1.0 - 0.4 * options["jpeg_prob2"] + sum(options["noise_range2"])

    written = solution_options(pick(solution, FakeComparer(distance), SCALE), SCALE)
    assert written["jpeg_prob2"] == 1
    assert written["noise_range2"] == [0, 0]


def test_a_part_that_may_be_missing_keeps_its_chance(solution):
    halo = NumberFound(0.5, 0.4, 0.6, present=0.4, explained=0.5)
    solution = replace(solution, numbers={**solution.numbers, "halo": halo})
    there = Point({**solution.best.places, "halo": 0.5}, solution.best.choices)
    solution = replace(solution, nearest=(there,))
    compare = FakeComparer(lambda options: 0.5 - options.get("halo_prob", 0.0))
    written = solution_options(pick(solution, compare, SCALE), SCALE)
    assert written["halo_prob"] == 0.4


def test_noise_that_may_be_missing_is_written_from_none_on(solution):
    compare = FakeComparer(lambda options: 1 / (1 + options["noise_range2"][1]))
    low, high = solution_options(pick(solution, compare, SCALE), SCALE)["noise_range2"]
    assert low == 0 < high


def test_no_distance_makes_up_for_an_unlikely_codec(solution):
    codecs = {"none": 0.7, "jpeg": 0.2, "h264": 0.1}
    solution = replace(solution, choices={**solution.choices, "codec": codecs})
    encoded = {**solution.best.choices, "codec": "h264"}
    solution = replace(solution, nearest=(Point(solution.best.places, encoded),))

    def distance(options):
        return 1.0 - 0.4 * options["jpeg_prob2"] - 0.4 * options.get("video_prob", 0.0)

    written = solution_options(pick(solution, FakeComparer(distance), SCALE), SCALE)
    assert written["jpeg_prob2"] == 0
    assert "codec_list" not in written


def test_all_likely_scalers_are_written(solution):
    scalers = {"area": 0.5, "bilinear": 0.3, "bicubic": 0.2}
    solution = replace(solution, choices={**solution.choices, "scaler": scalers})
    compare = FakeComparer(blur_distance(0.65))
    written = solution_options(pick(solution, compare, SCALE), SCALE)
    assert written["resize_modes2"] == ["area", "bilinear"]


def test_the_intervals_are_written_where_nothing_is_nearer(solution):
    assert pick(solution, FakeComparer(lambda options: 0.5), SCALE) is solution


def test_the_table_shows_what_is_written_beside_what_was_found(solution):
    found = {name: NumberFound(0.5, 0.0, 1.0, 0.4, 0.0) for name in ("halo", "motion")}
    solution = replace(solution, numbers={**solution.numbers, **found})
    plain = Point({**solution.best.places, "noise": 0.0}, solution.best.choices)
    searched = replace(solution, nearest=(plain,))

    def distance(options):
        return sum(options["noise_range2"]) + options.get("halo_prob", 0.0)

    written = pick(searched, FakeComparer(distance), SCALE)
    options = solution_options(written, SCALE)
    rows = {row.name: row for row in findings(written, SCALE, searched)}
    assert not options.get("halo_prob")
    assert options["noise_range2"] == [0, 0]
    for name in ("halo", "motion", "noise", "first JPEG"):
        assert rows[name].value == "none", name
    assert rows["halo"].interval == "not identifiable: none, or 0.00 to 1.60"
    assert not {"halo width", "grain", "noise kind", "noise color"} & set(rows)
    low, high = options["blur_sigma"]
    ends = {f"{low:.2f}", f"{high:.2f}"}
    assert set(rows["blur"].value.split(" to ")) == ends


def test_the_table_shows_chances_and_ranges(solution):
    halo = NumberFound(0.5, 0.4, 0.6, present=0.4, explained=0.5)
    scalers = {"area": 0.5, "bilinear": 0.3, "bicubic": 0.2}
    solution = replace(
        solution,
        numbers={**solution.numbers, "halo": halo},
        choices={**solution.choices, "scaler": scalers},
    )
    rows = {row.name: row for row in findings(solution, SCALE)}
    assert rows["halo"].value == "0.64 to 0.96, in 40%"
    assert rows["scaler"].value == "area or bilinear"
    low, high = solution_options(solution, SCALE)["noise_range2"]
    assert rows["noise"].value == f"{low:.2f} to {high:.2f}"


def test_ranges_are_as_wide_as_the_distance_allows(solution):
    def distance(options):
        low, high = options["blur_sigma"]
        middle = abs((low + high) / 2 - blur_at(0.65))
        return 0.5 + middle + abs(high - low - (blur_at(0.6) - blur_at(0.475)))

    written = pick(solution, FakeComparer(distance), SCALE).numbers["blur"]
    assert written.high - written.low == pytest.approx(0.125)
    assert (written.low + written.high) / 2 == pytest.approx(0.65)


class Unchanged:
    """Stands in for `Simulator`: shrinks the windows, and keeps what was asked."""

    def __init__(self, pixels):
        self._pixels = pixels
        self.windows = []
        self.seeds = []

    def degrade(self, tasks):
        for task in tasks:
            self.windows += list(task.windows)
            self.seeds.append(task.seed)
            yield np.ascontiguousarray(self._pixels[task.windows][:, ::2, ::2])


@pytest.mark.parametrize(("count", "are_apart"), [(20, True), (6, False)])
def test_a_comparison_apart_uses_other_windows_where_there_are_enough(count, are_apart):
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (count, 128, 128, 3), np.uint8)
    small = np.ascontiguousarray(large[:8, ::2, ::2])
    real = RealWindows(small, content(small), np.arange(len(small)))
    shown = content(np.ascontiguousarray(large[:, ::2, ::2]))
    gt = GtWindows(large, shown, np.arange(count))
    by_name = window_statistics(small)
    measured = np.stack(list(by_name.values()), axis=1)
    simulator = Unchanged(large)

    compare = Comparer(Sets(real, measured, list(by_name), gt), simulator)
    first, _ = compare({})
    used, seeds = set(simulator.windows), set(simulator.seeds)
    simulator.windows.clear()
    simulator.seeds.clear()
    compare.apart()({})
    assert used.isdisjoint(simulator.windows) == are_apart
    assert seeds.isdisjoint(simulator.seeds)
    again, _ = compare({})
    assert again == first
