"""A stage of the degradation is written only where the real images ask for it."""

from dataclasses import replace

import numpy as np
import pytest

from realesrgan_paddle.data.lq.compare import (
    COMPARISON,
    GROUPS,
    Sets,
    WindowStatistics,
    distances,
    weighted_distances,
)
from realesrgan_paddle.data.lq.parameters import CHOICES, NUMBERS, codec_setting
from realesrgan_paddle.data.lq.solution import (
    NumberFound,
    Solution,
    findings,
    solution_options,
)
from realesrgan_paddle.data.lq.stages import has_stage, leave_out, left_out_findings
from realesrgan_paddle.data.lq.windows import GtWindows, RealWindows
from realesrgan_paddle.utils.runlog.progress import Progress

SCALE = 4
NAMES = [start + "1" for starts in GROUPS.values() for start in starts]
WINDOWS = 64
REAL = RealWindows(np.empty(0), np.empty(0), np.arange(WINDOWS) // 4)
SETS = Sets(REAL, np.empty(0), NAMES, GtWindows(np.empty(0), np.empty(0), np.empty(0)))


@pytest.fixture
def everything() -> Solution:
    """A solution with every stage, sure of none."""
    numbers = {number.name: NumberFound(0.5, 0.4, 0.6, 0.5, 0.2) for number in NUMBERS}
    choices = {choice.name: {choice.options[0]: 1.0} for choice in CHOICES}
    choices |= {"codec": {"h264": 1.0}, "scaler": {"bicubic": 0.6, "area": 0.4}}
    choices |= {"fields": {"weave": 1.0}, "last filter": {"sinc": 0.5, "none": 0.5}}
    return Solution(numbers, choices, outlying=1.0, tried=1)


class Shifted:
    """Compares real windows with others, shifted by what is said of the options."""

    def __init__(self, shift):
        self._shift = shift
        self.asked = 0

    def measure(self, options):
        self.asked += 1
        rng = np.random.default_rng(0)
        real, made = rng.normal(size=(2, WINDOWS, len(NAMES)))
        return WindowStatistics(real, made + self._shift(options), np.empty(0))


def decided(solution, shift):
    compare = Shifted(shift)
    written, decisions = leave_out(solution, compare, SETS, SCALE)
    return written, {one.stage: one.kept for one in decisions}, compare


def test_what_changes_nothing_is_left_out_at_once(everything):
    written, kept, compare = decided(everything, lambda options: 0.0)
    options = solution_options(written, SCALE)
    assert options["blur_sigma"][1] <= 0.2 < 1
    assert options["noise_range2"] == [0, 0]
    assert options["resize_modes2"] == ["area"]
    for key in ("halo_prob", "motion_blur_prob", "interlace_prob", "final_sinc_prob"):
        assert not options.get(key), key
    assert options["jpeg_prob"] == 0
    assert options["video_prob"] == 1
    assert len(kept) == 9
    assert not any(kept.values())
    assert compare.asked < 6


def test_a_stage_that_is_needed_stays_and_the_others_go(everything):
    def shift(options):
        return 0.0 if options.get("halo_prob") else 1.0

    written, kept, _ = decided(everything, shift)
    assert {stage for stage, is_kept in kept.items() if is_kept} == {"halo"}
    assert len(kept) == 9
    assert written.numbers["halo"] == everything.numbers["halo"]
    assert not has_stage(written, "blur", SCALE)


def test_two_stages_that_undo_one_another_go_together(everything):
    def shift(options):
        has_blur = options["blur_sigma"][1] > 1
        has_halo = bool(options.get("halo_prob"))
        is_noisy = options["noise_range2"][1] > 0
        return float(has_blur != has_halo) + float(not is_noisy)

    _, kept, _ = decided(everything, shift)
    assert kept["noise"]
    assert not kept["blur"]
    assert not kept["halo"]


def test_compression_may_take_the_place_of_a_stage(everything):
    start = everything.numbers["quality"].high

    def shift(options):
        crf = options["h264_crf"][1]
        moved = crf > codec_setting("h264", start) + 1
        return float(not (options.get("jpeg_prob") or moved))

    written, kept, _ = decided(everything, shift)
    assert not kept["first JPEG"]
    assert written.numbers["quality"].high > start


def test_compression_is_fitted_again(everything):
    wanted = codec_setting("h264", everything.numbers["quality"].place - 0.2)

    def shift(options):
        return abs(sum(options["h264_crf"]) / 2 - wanted) / 30

    written, _, _ = decided(everything, shift)
    low, high = solution_options(written, SCALE)["h264_crf"]
    assert (low + high) / 2 == pytest.approx(wanted, abs=1.5)


def test_a_difference_that_few_windows_make_is_one_of_chance(everything):
    one_source = np.zeros((WINDOWS, 1))
    one_source[:4] = 3.0

    def shift(options):
        return 0.0 if options.get("halo_prob") else one_source

    _, kept, _ = decided(everything, shift)
    assert not kept["halo"]


class Steps(Progress):
    """Time that is counted in steps."""

    @property
    def seconds_so_far(self):
        return self._done

    def seconds_for(self, steps):
        return steps


def in_time(solution, shift, comparisons):
    compare = Shifted(shift)
    progress = Steps("test", 1, comparisons * COMPARISON)
    written, decisions = leave_out(solution, compare, SETS, SCALE, progress)
    return written, {one.stage: one for one in decisions}, compare


def needs_halo_and_noise(options):
    has_halo = bool(options.get("halo_prob"))
    is_noisy = options["noise_range2"][1] > 0
    return float(not has_halo) + 0.5 * (not is_noisy)


@pytest.mark.parametrize("comparisons", [4, 8, 16, 30])
def test_what_there_is_no_time_to_judge_is_not_written(everything, comparisons):
    written, decisions, compare = in_time(everything, needs_halo_and_noise, comparisons)
    assert compare.asked <= comparisons - 2  # two more are made for the table
    assert len(decisions) == 9
    kept = {stage for stage, one in decisions.items() if one.kept}
    assert kept <= {"halo", "noise"}
    for stage in decisions:
        assert has_stage(written, stage, SCALE) == (stage in kept), stage


def test_with_little_time_what_is_certain_is_added_first(everything):
    sure = replace(everything.numbers["halo"], present=0.95)
    numbers = {**everything.numbers, "halo": sure}
    solution = replace(everything, numbers=numbers)
    written, decisions, _ = in_time(solution, needs_halo_and_noise, 12)
    assert decisions["halo"].kept
    assert decisions["halo"].without > decisions["halo"].with_it
    assert written.numbers["halo"] == sure
    rows = findings(written, SCALE, solution)
    rows = left_out_findings(rows, list(decisions.values()))
    intervals = {row.name: row.interval for row in rows}
    assert intervals["last filter"] == "left out: no time to judge it"


def test_with_much_time_the_limit_changes_nothing(everything):
    unlimited, kept, _ = decided(everything, needs_halo_and_noise)
    written, decisions, _ = in_time(everything, needs_halo_and_noise, 1000)
    assert written == unlimited
    assert {stage: one.kept for stage, one in decisions.items()} == kept


def test_the_table_says_what_was_decided(everything):
    def shift(options):
        return 0.0 if options.get("halo_prob") else 1.0

    compare = Shifted(shift)
    written, decisions = leave_out(everything, compare, SETS, SCALE)
    rows = left_out_findings(findings(written, SCALE, everything), decisions)
    by_name = {row.name: row for row in rows}
    assert by_name["blur"].value == "none"
    assert by_name["blur"].interval.startswith("left out: distance 0.")
    assert by_name["scaler"].value == "area"
    assert "distance without it 0." in by_name["halo"].evidence
    assert by_name["halo"].interval.startswith("not identifiable")
    assert by_name["codec"] in findings(everything, SCALE)
    assert "grain" not in by_name  # of noise that is not written


def test_the_distance_of_resamples_is_that_of_repeated_windows():
    rng = np.random.default_rng(1)
    one = rng.integers(0, 9, (30, len(NAMES))).astype(float)  # with equal values
    other = rng.integers(2, 12, (30, len(NAMES))).astype(float)
    counts = rng.multinomial(30, np.full(30, 1 / 30), 3)
    found = weighted_distances(one, other, NAMES, counts.astype(float))
    for row, expected in zip(counts, found, strict=True):
        repeated = distances(np.repeat(one, row, 0), np.repeat(other, row, 0), NAMES)
        assert repeated["all"] == pytest.approx(expected)


def test_a_plain_degradation_is_not_compared(everything):
    bare = replace(
        everything,
        numbers={
            number.name: NumberFound(
                0.5 if number.name == "anisotropy" else 0.0, 0.0, 0.0, 0.0, 1.0
            )
            for number in NUMBERS
        },
        choices={choice.name: {choice.options[0]: 1.0} for choice in CHOICES},
    )
    written, kept, compare = decided(bare, lambda options: 0.0)
    assert written is bare
    assert not kept
    assert not compare.asked
