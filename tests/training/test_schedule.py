"""Learning rates equal those of BasicSR's schedulers and torch's cosine."""

import numpy as np
import pytest
import sample_schedules as sample
from places import REFERENCE
from pydantic import TypeAdapter

from realesrgan_paddle.options.schema.optimization import (
    MultiStepLROptions,
    SchedulerOptions,
)
from realesrgan_paddle.training.learning_rate import learning_rate

RECORDED = np.load(REFERENCE / "schedules.npz")


def rates(name, warmup_iter=-1):
    scheduler = TypeAdapter(SchedulerOptions).validate_python(sample.SCHEDULES[name])
    iterations = range(1, sample.ITERATIONS + 1)
    return [
        [learning_rate(scheduler, warmup_iter, i, base) for base in sample.BASES]
        for i in iterations
    ]


@pytest.mark.parametrize("name", sample.SCHEDULES)
def test_rates_are_those_of_the_reference(name):
    np.testing.assert_allclose(rates(name), RECORDED[name], rtol=1e-12)


def test_a_warm_up_is_that_of_basicsr():
    np.testing.assert_allclose(
        rates("cosine_restart", sample.WARM_UP), RECORDED["warm_up"], rtol=1e-12
    )


@pytest.mark.parametrize("name", sample.SCHEDULES)
def test_after_a_warm_up_the_schedule_is_where_it_would_be(name):
    warm, cold = np.array(rates(name, 15)), np.array(rates(name))
    assert np.array_equal(warm[14:], cold[14:])
    np.testing.assert_allclose(
        warm[:14], np.outer(np.arange(1, 15) / 15, sample.BASES), rtol=1e-12
    )


def test_a_milestone_takes_effect_in_the_next_iteration():
    scheduler = MultiStepLROptions(milestones=(1000,), gamma=0.5)
    found = [learning_rate(scheduler, -1, i, 1.0) for i in (1, 1000, 1001)]
    assert found == [1.0, 1.0, 0.5]
