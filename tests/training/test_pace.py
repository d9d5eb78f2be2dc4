"""`train.minutes`: how many iterations fit, and what becomes of them when cores are busy."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from realesrgan_paddle.options.reading.load import check_options
from realesrgan_paddle.training import pace as module
from realesrgan_paddle.training.learning_rate import learning_rate
from realesrgan_paddle.training.pace import Course, iterations_that_fit
from realesrgan_paddle.utils.machine.process_group import ALONE

pytestmark = pytest.mark.paddle
MINUTES = 10.0
VALIDATION_S = 6.0
TOTAL = 500
START_S = 40.0


@pytest.fixture
def clock(monkeypatch):
    """A list of one number: the time now [s]."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def config(minutes=MINUTES, total_iter=TOTAL):
    options = {
        "name": "test",
        "scale": 4,
        "model_type": "RealESRNetModel",
        "datasets": {"train": {"type": "RealESRGANDataset", "dataroot_gt": "x"}},
        "network_g": {"type": "SRVGGNetCompact"},
        "train": {
            "total_iter": total_iter,
            "minutes": minutes,
            "optim_g": {"lr": 1e-4},
            "pixel_opt": {},
            "scheduler": {"type": "CosineAnnealingLR", "T_max": TOTAL, "eta_min": 1e-5},
        },
        "val": {"val_freq": 100},
    }
    return check_options(options, "test")


@dataclass
class FakeMeter:
    """What a course asks of a meter."""

    step_s: float
    total: int = 0

    def seconds_of(self, task):
        return {"validation": VALIDATION_S}[task]


def run(course, clock, step_s, cfg, first=1, until=10**6):
    """Go through the iterations of a run; return its learning rates and validations."""
    rates, validated = [], []
    iteration = first - 1
    while iteration < min(course.total, until):
        iteration += 1
        place = course.scheduled(iteration)
        rates.append(learning_rate(cfg.train.scheduler, -1, place, 1e-4))
        clock[0] += step_s(iteration)
        # As `Meter`, which leaves a process's first iteration out.
        measured = step_s(iteration) if iteration > first else 0.0
        course.follow_clock(iteration, FakeMeter(measured))
        if course.is_validated(iteration):
            clock[0] += VALIDATION_S
            validated.append(iteration)
    return rates, validated


@pytest.mark.parametrize(
    ("step_s", "least", "most"),
    [
        (lambda i: 1.0, 490, 530),  # as planned
        (lambda i: 1.0 if i < 100 else 2.0, 280, 310),  # two processes come
        (lambda i: 2.0 if i < 100 else 0.5, 620, 720),  # and go
        (lambda i: 60.0, 8, 9),
    ],
)
def test_the_minutes_are_kept_and_the_rate_falls_to_its_end(clock, step_s, least, most):
    cfg, lines = config(), []
    course = Course(cfg, ALONE, clock[0], lines.append)
    clock[0] += START_S
    rates, validated = run(course, clock, step_s, cfg)

    assert least <= len(rates) <= most
    assert clock[0] <= 60 * MINUTES
    assert clock[0] >= 60 * MINUTES - 20 - step_s(len(rates))
    assert validated[-1] == len(rates)
    assert all(after <= before for before, after in pairwise(rates))
    if len(rates) > 100:
        assert rates[-1] < 1.2e-5, "the schedule follows"
    assert bool(lines) == (not 400 < len(rates) < 600)
    if lines:
        assert " iterations in the place of 500" in lines[0]


def test_a_resumed_run_has_what_is_left_and_goes_on_with_the_plan(clock):
    cfg = config()
    course = Course(cfg, ALONE, clock[0], print)
    clock[0] += START_S
    run(course, clock, lambda i: 2.0, cfg, until=120)
    kept = replace(course.pace)
    assert kept.spent == pytest.approx(START_S + 240 + VALIDATION_S)

    clock[0] = 50_000.0
    resumed = Course(cfg, ALONE, clock[0], print)
    assert not resumed.resume(replace(kept), 120)
    assert resumed.total == kept.total
    assert resumed.scheduled(121) == course.scheduled(121)
    clock[0] += START_S
    run(resumed, clock, lambda i: 2.0, cfg, first=121)
    assert 60 * MINUTES - 25 < resumed.pace.spent + VALIDATION_S <= 60 * MINUTES

    ended = replace(kept, total=120)
    assert not Course(cfg, ALONE, clock[0], print).resume(ended, 120)
    assert ended.total == 120
    longer = Course(config(2 * MINUTES), ALONE, clock[0], print)
    longer.resume(ended, 120)
    assert longer.total > 400
    over = replace(kept, spent=60 * MINUTES)
    assert Course(cfg, ALONE, clock[0], print).resume(over, 120)
    assert over.total == 120


def test_a_run_that_is_resumed_at_each_check_goes_on(clock):
    cfg = config(total_iter=90)  # fewer than 100: each iteration is a check
    course = Course(cfg, ALONE, clock[0], print)
    clock[0] += START_S
    run(course, clock, lambda i: 2.0, cfg, until=5)
    for iteration in range(5, 10):
        resumed = Course(cfg, ALONE, clock[0], print)
        assert not resumed.resume(replace(course.pace), iteration)
        run(
            resumed, clock, lambda i: 2.0, cfg, first=iteration + 1, until=iteration + 1
        )
        assert resumed.total > 100
        course = resumed

    # A state that was saved after a process's first iteration.
    unmeasured = Course(cfg, ALONE, clock[0], print)
    assert not unmeasured.resume(replace(course.pace, step_s=0.0), 10)
    assert unmeasured.total == course.total


def test_without_minutes_nothing_follows_the_clock(clock):
    cfg = config(None)
    course = Course(cfg, ALONE, clock[0], print)
    rates, validated = run(course, clock, lambda i: 60.0, cfg)
    wanted = [learning_rate(cfg.train.scheduler, -1, i + 1, 1e-4) for i in range(TOTAL)]
    assert rates == wanted
    assert validated == [100, 200, 300, 400, 500]


def test_validations_that_take_too_long_are_left_to_the_end():
    assert iterations_that_fit(100, 1, 10, None) == (90, False)
    assert iterations_that_fit(101, 1, 1, 8) == (88, True)
    assert iterations_that_fit(100, 1, 10, 10) == (90, False)
    assert iterations_that_fit(5, 1, 10, 10) == (0, True)
    assert iterations_that_fit(100, 0, 10, 10) == (0, True)
