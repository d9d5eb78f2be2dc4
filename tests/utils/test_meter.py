"""Speed, share of waiting and remaining time of a run, without its validations."""

import json
import math
import subprocess
import sys

import pytest

from realesrgan_paddle.utils.machine import memory
from realesrgan_paddle.utils.runlog import meter
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.meter import Meter, size

pytestmark = pytest.mark.paddle


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is moved: `clock.now += 3`."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(meter.time, "perf_counter", lambda: Clock.now)
    return Clock


def iterate(meter, clock, times):
    for _ in range(times):
        clock.now += 1
        meter.batch_ready()
        clock.now += 3
        meter.step_done()


def test_a_report_has_speed_waiting_and_remaining_time(clock):
    meter = Meter(start=10, total_iter=100, batch_size=6)
    iterate(meter, clock, 5)
    numbers, line = meter.report({"l_g_pix": 0.25}, 1e-4)
    assert (numbers["images_per_s"], numbers["data_wait"], numbers["left_s"]) == (
        6 / 4,
        0.25,
        85 * 4,
    )
    assert line.startswith(
        "iter 15/100  l_g_pix 0.25  lr 1.0e-04  1.5 img/s  data wait 25%  peak "
    )
    assert line.endswith("  left 5m 40s")


def test_a_validation_counts_only_towards_the_remaining_time(clock):
    meter = Meter(start=0, total_iter=100, batch_size=6)
    iterate(meter, clock, 20)
    meter.report({}, 1e-4)
    clock.now += 50
    meter.exclude("validation", every=20)
    clock.now += 7
    meter.exclude("checkpoint", every=50)
    iterate(meter, clock, 5)
    numbers, _ = meter.report({}, 1e-4)
    assert (numbers["images_per_s"], numbers["data_wait"]) == (6 / 4, 0.25)
    # due: validations after 40, 60, 80 and 100 iterations, checkpoints after 50 and 100
    assert numbers["left_s"] == 75 * 4 + 4 * 50 + 2 * 7


def test_a_validation_between_two_reports_is_left_out_of_the_speed(clock):
    meter = Meter(start=0, total_iter=10, batch_size=2)
    iterate(meter, clock, 2)
    clock.now += 30
    meter.exclude("validation", every=2)
    iterate(meter, clock, 2)
    numbers, _ = meter.report({}, 1e-4)
    assert (numbers["images_per_s"], numbers["data_wait"]) == (0.5, 0.25)


def test_peak_memory_includes_freed_memory():
    """In a separate process, because this one may have used more before."""
    code = (
        "from realesrgan_paddle.utils.machine.memory import host_peak_bytes as peak\n"
        "before = peak(); held = bytearray(b'x') * (200 << 20); del held; "
        "print(before, peak())"
    )
    before, after = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True
    ).stdout.split()
    assert 150 << 20 < int(after) - int(before) < 250 << 20
    assert 1 < memory.peak_memory()["memory_mb"] < 100_000


def test_peak_memory_without_proc(monkeypatch, tmp_path):
    known = memory.host_peak_bytes()
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    assert known / 2 < memory.host_peak_bytes() < known * 4  # of the same unit


def test_sizes_are_in_mb_or_gb():
    assert (size(812.4), size(3174)) == ("812 MB", "3.1 GB")


def test_values_that_are_not_finite_are_null_in_the_metrics_file_after_a_resume_too(
    tmp_path,
):
    run = Experiment(tmp_path / "run")
    run.open("a: 1", None)
    for iteration in (1, 2, 3):
        run.report(
            iteration, {"l_g_pix": math.nan, "psnr": math.inf, "lr": 0.5}, "a line"
        )
    run.open("a: 1", 2)

    def refuse(constant):
        raise AssertionError(f"{constant} is not json")

    lines = [
        json.loads(line, parse_constant=refuse)
        for line in run.metrics.read_text().splitlines()
    ]
    assert lines == [
        {"iter": iteration, "l_g_pix": None, "psnr": None, "lr": 0.5}
        for iteration in (1, 2)
    ]


def test_details_are_in_the_log_and_not_on_the_screen(tmp_path, capsys):
    experiment = Experiment(tmp_path / "run")
    lines = ["recipe auto for 2 images", "  gt_size: 64  (why)", "  name: x  (why)"]
    experiment.open("name: x\n", None, lines)

    log = (tmp_path / "run" / "train.log").read_text()
    assert all(line in log for line in lines)
    shown = capsys.readouterr().out.splitlines()
    _folder, first, last = shown
    assert first == lines[0]
    assert last.startswith("2 more lines, ")
