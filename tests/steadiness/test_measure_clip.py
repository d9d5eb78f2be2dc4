"""Upscaled clips are measured with LPIPS where it has weights, else it is said."""

import numpy as np
import pytest
from scenes import scene

from realesrgan_paddle.metrics import available_metrics
from realesrgan_paddle.video.steadiness import measure_clip

pytestmark = pytest.mark.paddle

GT = [scene(1, step) for step in range(3)]
SR = [255 - frame for frame in GT]


def test_lpips_of_the_whole_inner_part_is_used(monkeypatch):
    def open_metric(options):
        assert options.type == "calculate_lpips"
        assert options.crop_border == 0
        return lambda first, second: float(np.mean(first)) / 255

    monkeypatch.setattr(available_metrics, "missing_weights", lambda metric: None)
    monkeypatch.setattr(available_metrics, "open_metric", open_metric)
    measured = measure_clip({"sr": SR}, gt=GT)
    assert measured["sr"].mean.tlp > 1


def test_tlp_is_left_out_with_a_remark_without_weights(monkeypatch):
    monkeypatch.setattr(available_metrics, "missing_weights", lambda metric: "no file")
    remarks = []
    measured = measure_clip({"sr": SR}, gt=GT, remark=remarks.append)
    assert remarks == ["tLP is left out: no file"]
    assert np.isnan(measured["sr"].mean.tlp)


def test_without_ground_truth_lpips_is_not_opened(monkeypatch):
    monkeypatch.setattr(available_metrics, "missing_weights", None)
    measured = measure_clip({"sr": SR}, lq=GT)
    assert measured["sr"].mean.sharpness == pytest.approx(1)
