"""How long steps will take is known from those that are done."""

import pytest

from realesrgan_paddle.utils.runlog import progress
from realesrgan_paddle.utils.runlog.progress import Progress


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_opening_does_not_count_as_a_slow_step(clock):
    work = Progress("work", 100, seconds=60)
    clock.now += 20  # it opens
    work.advance(2)
    clock.now += 5
    work.advance(10)
    assert work.seconds_so_far == 25
    assert work.seconds_for(30) == 15
    assert work.has_time_for(70)
    assert not work.has_time_for(71)


def test_without_a_limit_there_is_always_time(clock):
    work = Progress("work", 100)
    clock.now += 1e6
    work.advance()
    assert work.has_time_for(1e9)
    assert not work.is_past(0.5)


def test_before_anything_is_done_steps_cost_nothing(clock):
    work = Progress("work", 100, seconds=60)
    assert work.has_time_for(1000)
    clock.now += 61
    assert not work.has_time_for(0)
    assert work.is_past(1)
