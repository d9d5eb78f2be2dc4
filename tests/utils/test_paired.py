"""The interval of a mean difference: known answers, groups, few images."""

import numpy as np
import pytest

from realesrgan_paddle.utils.paired import FEWEST_GROUPS, expanded_tail, paired_interval


def test_the_interval_is_that_of_the_mean_for_many_images():
    values = np.random.default_rng(1).normal(0.3, 1, 2000)
    found = paired_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(2000)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05 * half)
    assert found.count == 2000
    assert found.low > 0


def test_the_same_images_give_the_same_interval():
    values = [0.1, -0.4, 0.9, 0.2, 0.3, 0.5]
    assert paired_interval(values) == paired_interval(values)
    assert paired_interval(values) != paired_interval(values, seed=1)


def test_a_few_clips_of_many_images_say_less_than_as_many_images():
    """20 images whose differences are those of their 5 clips."""
    clip_means = [0.5, -0.1, 0.6, 0.2, -0.05]
    values = np.repeat(clip_means, 4)
    clips = np.repeat(list("abcde"), 4)

    alone = paired_interval(values)
    grouped = paired_interval(values, clips)
    assert grouped.mean == alone.mean
    assert grouped.count == 5
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    assert alone.low > 0
    assert grouped.low < 0


def test_a_clip_of_more_images_weighs_more():
    """The mean is over images, so groups of one image are the images."""
    values = [1.0, 2.0, 3.0, 4.0, 10.0, 5.0]
    assert paired_interval(values, list("abcdef")) == paired_interval(values)
    found = paired_interval(values, list("aaaaab"))
    assert found.mean == pytest.approx(np.mean(values))
    # Five draws of two clips: only a, only b or both.
    assert (found.low, found.high) == (4.0, 5.0)


def test_a_few_images_say_nothing_and_enough_that_agree_say_something():
    for count in range(1, FEWEST_GROUPS):
        assert not paired_interval([1.0] * count).is_known, count
    found = paired_interval([1.0] * FEWEST_GROUPS)
    assert found.is_known and found.low > 0
    assert paired_interval([-1.0, -2.0, -1.5, -1.2, -3.0]).high < 0
    found = paired_interval([0.0] * 10)
    assert found.low == found.high == 0


def test_the_interval_is_wider_for_fewer_groups_and_at_a_higher_level():
    tails = [expanded_tail(count, 0.95) for count in (5, 10, 30, 10_000)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0.025, rel=0.01)

    values = np.random.default_rng(0).normal(size=12)
    narrow, wide = (
        paired_interval(values, level=0.5),
        paired_interval(values, level=0.99),
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_it_contains_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        found = paired_interval(rng.normal(size=6), draws=500)
        hits += found.low <= 0 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf], [[1.0, 2.0]]])
def test_what_is_no_list_of_numbers_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        paired_interval(values)


def test_each_image_needs_its_group():
    with pytest.raises(ValueError, match="2 differences, but 1 groups"):
        paired_interval([1.0, 2.0], ["a"])
