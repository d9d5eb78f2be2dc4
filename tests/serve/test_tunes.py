"""Networks made on the page, without Gradio: clips, one at a time, after a restart."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils import next_steps
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.curve_panels import Curves
from realesrgan_paddle.utils.runlog.experiment import Experiment
from realesrgan_paddle.utils.runlog.run_page import RunPage

WAITS = """
import json, signal, sys, time
def stop(number, frame):
    print("error: no room")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print(json.dumps(sys.argv[1:]), flush=True)
time.sleep(60)
"""
"""Stands for a tune: prints its words, and ends with an error when it is told."""


@pytest.fixture
def commands(monkeypatch):
    """The words of the commands that were started; each waits to be ended."""
    started = []

    def process_words(script, words):
        started.append([script, *words])
        return [sys.executable, "-c", WAITS, *words]

    monkeypatch.setattr(next_steps, "process_words", process_words)
    return started


@pytest.fixture
def clips(tmp_path):
    names = ("a b.mp4", "stream.MP4", "notes.txt")
    for name in names:
        (tmp_path / "sent" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "sent" / name).write_bytes(bytes(1000))
    return [tmp_path / "sent" / name for name in names]


def until(check):
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_network_is_made_stopped_and_gone_on_with_after_a_restart(
    tmp_path, clips, commands
):
    good, poor, _ = clips
    tunes = Tunes(tmp_path / "work", most_gigabytes=1)
    service = Service(["realesr-animevideov3"], Limits(1, 1), tunes=tunes)
    tunes.start("derby-1", [good, good], [poor], 7)
    kept = tmp_path / "work/clips/derby-1"
    files = [kept / "good/2_a b.mp4", kept / "good/a b.mp4"]
    lq, output = str(kept / "poor"), str(tmp_path / "work/derby-1")
    words = ["--minutes", "7", "--output", output, "--lq", lq, "--input"]
    assert commands == [["tools/tune.py", *words, *map(str, files)]]
    assert files[0].read_bytes() == good.read_bytes()

    until(lambda: tunes.state("derby-1").log)
    assert json.loads(tunes.state("derby-1").log[0])[0] == "--minutes"
    assert tunes.state("derby-1").running
    with pytest.raises(UserError, match="derby-1 is being made; wait for it"):
        tunes.start("other", [good], [], 7)
    assert tunes.names == ["derby-1"]
    write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UserError, match="derby-1 is being made"):
        service.upscale(tmp_path / "a.png", service.models[0], tmp_path)

    tunes.close()
    until(lambda: tunes.running is None)
    state = Tunes(tmp_path / "work", most_gigabytes=1).state("derby-1")
    assert not state.running
    assert state.text.startswith("Stopped. What is done is kept; Go on takes it from")
    assert state.text.endswith("from there. error: no room")

    again = Tunes(tmp_path / "work", most_gigabytes=1)
    again.go_on("derby-1")
    assert commands[1] == commands[0]
    again.close()
    until(lambda: not again.busy.locked())


@pytest.mark.parametrize(
    ("name", "files", "minutes", "message"),
    [
        ("../derby", 1, 7, "a name has up to 40 letters, digits, _ and -"),
        ("", 1, 7, "a name has up to 40 letters"),
        ("clips", 1, 7, "there is a network of this name"),
        ("derby", 0, 7, "drop sharp clips to learn from"),
        ("derby", 3, 7, "notes.txt: neither a video nor a picture"),
        ("derby", 1, 1, "minutes: 1; from 3 to 720 are allowed"),
        ("derby", 2, 7, r"would hold more than 1e-06 GB .serve --max_work_gb"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    tmp_path, clips, commands, name, files, minutes, message
):
    tunes = Tunes(tmp_path / "work", most_gigabytes=1e-6)
    with pytest.raises(UserError, match=message):
        tunes.start(name, clips[:files], [], minutes)
    assert not commands
    assert not (tmp_path / "work").exists()
    with pytest.raises(UserError, match="no network of this page"):
        tunes.state(name)


def test_what_is_shown_of_a_network_is_what_its_folder_has(tmp_path, clips, commands):
    tunes = Tunes(tmp_path / "work", most_gigabytes=1)
    tunes.start("derby", clips[:1], [], 5)
    assert tunes.state("derby").text == "Making the training set."

    root = tmp_path / "work/derby/run"
    page = RunPage(root, Curves({"l_g_pix": "pixel loss"}), total=lambda: 40)
    experiment = Experiment(root, page=page)
    with experiment.reserved():
        experiment.open("name: run", None)
        experiment.report(10, {"l_g_pix": 0.5, "left_s": 120.0}, "iter 10")
        experiment.show("held_out", 10, np.zeros((8, 8, 3), np.uint8))
        state = tunes.state("derby")
        assert state.text == "Training: iteration 10 of 40, 2 min left to train."
        assert state.sheet == root / "visualization/held_out/sheet_10.png"
        (panel,) = state.progress["main"]
        assert panel["curves"][0]["points"] == [[10, 0.5]]
        page.end("finished", ["better", " by 1 dB"])
    assert tunes.state("derby").verdict == ["better"]
    assert tunes.networks == []

    for name in ("inference.pdmodel", "inference.pdiparams"):
        (tmp_path / "work/derby" / name).write_bytes(b"")
    tunes.close()
    until(lambda: not tunes.running)
    state = tunes.state("derby")
    assert state.text == "Ready: choose it under Upscale, or download it."
    assert tunes.networks == [str(Path(tmp_path / "work/derby"))]
