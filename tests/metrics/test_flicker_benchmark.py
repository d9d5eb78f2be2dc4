"""benchmarks/video/flicker.py measures a clip both ways, and what it measured only once."""

import json

import numpy as np
import pytest
from clips import moving_clip
from scenes import scene

from realesrgan_paddle.utils.images import enlarge

pytest.importorskip("av", reason="needs PyAV")

import flicker

pytestmark = pytest.mark.paddle

METHODS = {"bicubic": lambda frame: enlarge(frame, flicker.SCALE)}


@pytest.fixture
def video(tmp_path):
    return moving_clip(tmp_path / "a.mp4", size="256x200")


def test_h264_keeps_the_brightness_of_a_photograph():
    frames = [scene(1, step) for step in range(3)]
    compressed = flicker.compressed(frames)
    assert len(compressed) == 3
    differences = np.mean(frames, axis=(0, 1, 2)) - np.mean(compressed, axis=(0, 1, 2))
    assert np.abs(differences).max() < 0.5


def test_each_case_is_measured_once(video, tmp_path, monkeypatch):
    monkeypatch.setattr(flicker, "FRAMES", 4)
    for condition in flicker.CONDITIONS:
        flicker.measure(video, condition, METHODS, tmp_path)

    figures = json.loads((tmp_path / "a.h264.json").read_text())
    assert figures["bicubic"]["tof"] > 0
    assert figures["ground truth"]["tof"] == 0
    assert len(flicker.tables(tmp_path, "as_is")) == 4
    assert (tmp_path / "a.h264.png").exists()

    flicker.measure(video, "h264", {"fails": None}, tmp_path)
