"""The interval of a mean difference: known answers, units, few images."""

import numpy as np
import pytest

from realesrgan_paddle.utils.paired import FEWEST_UNITS, Interval, paired_interval


def test_the_interval_is_students():
    """Values and interval of Student 1908, section IX, table of hours of sleep."""
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    found = paired_interval(gained)
    assert (found.mean, found.count) == (pytest.approx(1.58), 10)
    assert (found.higher, found.lower) == (9, 0)
    # R: t.test(sleep$extra[11:20] - sleep$extra[1:10])
    assert found.low == pytest.approx(0.7001142, abs=1e-6)
    assert found.high == pytest.approx(2.4598858, abs=1e-6)

    widths = [paired_interval(gained, level=level).high for level in (0.5, 0.95, 0.99)]
    assert widths == sorted(widths)
    assert paired_interval([0.0] * 10) == Interval(0.0, 0.0, 0.0, 10)


def test_a_unit_of_many_images_weighs_as_one_of_few():
    """Ten crops of one moment say no more of other moments than one."""
    clip_means = [0.5, -0.1, 0.6, 0.2, -0.05]
    values = np.repeat(clip_means, 4)
    grouped = paired_interval(values, np.repeat(list("abcde"), 4))
    assert grouped == paired_interval(clip_means)
    alone = paired_interval(values)
    assert alone.low > 0 > grouped.low

    uneven = paired_interval([1.0, 2.0, 3.0, 4.0, 10.0, 5.0], list("aaaaab"))
    assert (uneven.mean, uneven.count) == (4.5, 2)


def test_a_few_units_say_nothing_and_enough_that_agree_say_something():
    assert paired_interval([1.0]).high == np.inf
    for count in range(1, FEWEST_UNITS):
        assert not paired_interval([1.0] * count).is_known, count
    assert paired_interval([1.0] * FEWEST_UNITS).is_known
    assert paired_interval([-1.0, -2.0, -1.5, -1.2]).high < 0


def test_it_contains_the_truth_of_given_clips_at_least_as_often_as_it_says():
    """Three clips that differ as much as their moments do, and vary unequally."""
    rng = np.random.default_rng(3)
    spreads = np.array([0.5, 1.0, 2.0])
    for moments in (2, 4):
        hits = 0
        for _ in range(1000):
            truths = rng.normal(size=3)
            values = truths + spreads * rng.normal(size=(moments, 3))
            found = paired_interval(values.ravel())
            hits += found.low <= truths.mean() <= found.high
        assert hits >= 950, moments


def test_what_is_no_list_of_numbers_is_refused():
    for values in ([], [1.0, np.nan], [np.inf], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="finite"):
            paired_interval(values)
    with pytest.raises(ValueError, match="2 differences, but 1 units"):
        paired_interval([1.0, 2.0], ["a"])
