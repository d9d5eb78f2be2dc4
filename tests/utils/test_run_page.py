"""The page of a run: what it shows while it trains, after it ended, and after a resume."""

import json
import math
import re

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium

from realesrgan_paddle.judging.comparison import START
from realesrgan_paddle.judging.page_summary import base_lines, run_curves
from realesrgan_paddle.metrics.table import BICUBIC
from realesrgan_paddle.utils.runlog import run_page
from realesrgan_paddle.utils.runlog.curve_panels import MOST_POINTS, Curves
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.run_page import PROGRESS, RunPage

FIGURES = {"held_out": {"a": {"psnr_y": 27.0}, "b": {"psnr_y": 28.0}}}


def shown(root):
    """What the page is given."""
    text = (root / PROGRESS).read_text(encoding="utf-8")
    return json.loads(re.fullmatch(r"showRun\((.*)\);\n", text)[1])


def begin(root, resumed_at=None):
    page = RunPage(root, run_curves({}), total=lambda: 40)
    experiment = Experiment(root, page=page)
    with experiment.reserved():
        experiment.open("name: mine\n", resumed_at)
        lines = base_lines({START: FIGURES, BICUBIC: FIGURES})
        page.curves.levels.update(lines)
        yield experiment


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(run_page, "EVERY_S", 0.0)
    return tmp_path / "a <b> run"


def report(experiment, iterations):
    for iteration in iterations:
        values = {"l_g_pix": 1 / iteration, "lr": 1e-4, "left_s": 40.0 - iteration}
        experiment.report(iteration, values, f"iter {iteration}")


def test_a_run_shows_how_far_it_is_and_how_it_ended(root):
    run = begin(root)
    experiment = next(run)
    assert shown(root)["state"] == "training"
    report(experiment, range(1, 11))
    experiment.report(10, {"held_out/psnr_y": 28.25}, "validation")
    experiment.show("held_out", 10, np.zeros((8, 8, 3), np.uint8))
    now = shown(root)
    assert (now["iteration"], now["total"], now["left"]) == (10, 40, 30.0)
    psnr, pixel = now["main"]
    assert psnr["title"] == "held_out: psnr_y (higher is better)"
    assert psnr["curves"][0]["points"] == [[0, 27.5], [10, 28.25]]
    levels = {each["name"]: each["value"] for each in psnr["levels"]}
    assert levels == {"start": 27.5, "bicubic": 27.5}
    assert len(pixel["curves"][0]["points"]) == 10
    assert [each["title"] for each in now["more"]] == ["learning rate"]
    (sheet,) = now["sheets"]
    assert (root / sheet["file"]).is_file()

    run.close()  # as Ctrl-C and an error end it
    assert shown(root)["state"] == "stopped"

    # Resumed after iteration 4, and trained to its end.
    run = begin(root, resumed_at=4)
    experiment = next(run)
    report(experiment, range(5, 8))
    experiment.page.end("finished", ["better", "  by 1 dB"], root / "verdict.html")
    run.close()
    ended = shown(root)
    assert (ended["state"], ended["iteration"]) == ("finished", 7)
    (pixel, *_) = ended["main"]
    assert [x for x, _ in pixel["curves"][0]["points"]] == [1, 2, 3, 4, 5, 6, 7]
    assert (ended["verdict"][0], ended["verdict_page"]) == ("better", "verdict.html")


def test_a_long_run_keeps_its_page_small_and_what_is_not_finite_has_gaps():
    curves = Curves({"loss": "loss"})
    for iteration in range(1, 20_001):
        value = math.nan if iteration == 19_999 else float(iteration)
        curves.add(iteration, {"loss": value})
        if iteration % 100 == 0:
            ((panel,), _) = curves.panels()
    points = panel["curves"][0]["points"]
    assert MOST_POINTS // 2 < len(points) <= MOST_POINTS
    assert points[-2:] == [(19_999, None), (20_000, 20_000.0)]
    assert all(y is None or y == pytest.approx(x) for x, y in points)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_page_follows_the_run_without_a_server(root):
    run = begin(root)
    experiment = next(run)
    report(experiment, range(1, 4))
    with Chromium(root / "index.html", size=(1280, 900), dark=True) as browser:
        browser.wait_for("document.querySelectorAll('#main svg').length == 1")
        state = "byId('state').textContent"
        said = re.fullmatch(
            r"Training: iteration 3 of 40, (\d+)s left\.", browser.evaluate(state)
        )
        assert 20 <= int(said[1]) <= 37, "it counts down between reports"
        report(experiment, range(4, 9))
        browser.wait_for(f"{state}.includes('iteration 8 of 40')")
        assert browser.evaluate("document.title") == "a <b> run"
        experiment.page.end("finished", ["<i>better</i>", "  by 1 dB"])
        browser.wait_for(f"{state} == 'Finished at iteration 8 of 40.'")
        verdict = browser.evaluate("document.querySelector('#verdict p').textContent")
        assert verdict == "<i>better</i>"
        assert not browser.messages
    run.close()
