"""The metrics of clips that tools/evaluate.py measures: from each frame to the next."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.recurrent import upscale_clip
from realesrgan_paddle.metrics.clips import StepMeasure, open_steps
from realesrgan_paddle.metrics.matlab_bicubic import resize_bicubic
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.tools import evaluate as tool
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.metrics.similarity import psnr
from realesrgan_paddle.utils.metrics.temporal_consistency import measure_consistency
from realesrgan_paddle.utils.weights.writer import write_pdparams

MOVES = (0, 1, 2, 2, 3)
"""Where the camera is: it stands still once."""
BICUBIC = ["--models", "bicubic", "--gt", "hr", "--input", "lr"]
METRICS = ["--metrics", "psnr", "tof", "change", "flicker"]


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """Folders hr and lr of five frames, 8.png to 12.png: not in the order of letters."""
    for number, move in enumerate(MOVES, start=8):
        hr = scene(1, move)
        write_image(tmp_path / f"hr/{number}.png", hr)
        write_image(tmp_path / f"lr/{number}.png", resize_bicubic(hr, 1 / 4))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(*words, code=0):
    """Run the command; return the figures by image, and the means."""
    assert tool.main([*words, "--json", "out.json"]) == code
    (result,) = json.loads(Path("out.json").read_text(encoding="utf-8"))["results"]
    return result["images"], result["means"]


def frames(folder):
    """Return the frames of a clip, in order."""
    return [read_image(folder / f"{number}.png") for number in range(8, 13)]


def test_figures_are_those_of_the_whole_clip(clip, capsys):
    images, means = evaluate(*BICUBIC, *METRICS)

    lq, gt = frames(clip / "lr"), frames(clip / "hr")
    sr = [resize_bicubic(frame, 4) for frame in lq]
    measured = measure_consistency({"sr": sr}, gt=gt, lq=lq)["sr"]
    for metric in ("tof", "change", "flicker"):
        assert images["8.png"][metric] is None  # nothing is before it
        for number, step in enumerate(measured.steps, start=9):
            right = getattr(step, metric)
            found = images[f"{number}.png"][metric]
            assert found == (None if math.isnan(right) else pytest.approx(right))
        assert means[metric] == pytest.approx(getattr(measured.mean, metric))
    assert images["11.png"]["flicker"] == 0  # the camera stands still
    assert images["8.png"]["psnr"] > 0

    printed = capsys.readouterr().out
    title, row, *_ = printed.splitlines()[1:]
    assert title.endswith("tOF↓ [pixels]  change↓ [levels]  flicker↓ [levels]")
    assert row.split()[-3] == f"{means['tof']:.3f}"


def test_only_what_is_asked_for_is_measured(clip, monkeypatch):
    def no_flow(*frames):
        raise AssertionError("the optical flow takes most of the time")

    monkeypatch.setattr(
        "realesrgan_paddle.utils.metrics.temporal_steps.optical_flow", no_flow
    )
    _, means = evaluate(*BICUBIC, "--metrics", "flicker")
    assert list(means) == ["flicker"]


def test_a_frame_that_is_missing_is_not_stepped_over(clip):
    (clip / "hr/10.png").write_bytes(b"no image")
    images, _ = evaluate(*BICUBIC, *METRICS, code=1)
    known = {name for name, scores in images.items() if scores["tof"] is not None}
    assert known == {"9.png", "12.png"}


def test_a_number_that_is_missing_is_not_stepped_over(clip):
    for folder in ("hr", "lr"):
        (clip / f"{folder}/10.png").unlink()
    images, _ = evaluate(*BICUBIC, *METRICS)
    unknown = [name for name, found in images.items() if found["tof"] is None]
    assert unknown == ["8.png", "11.png"]


def test_images_of_other_sizes_are_no_clip(clip, capsys):
    write_image(clip / "hr/10.png", scene(1, 2)[:100])
    write_image(clip / "lr/10.png", resize_bicubic(scene(1, 2)[:100], 1 / 4))
    images, _ = evaluate(*BICUBIC, *METRICS, code=1)
    assert list(images) == ["8.png", "9.png", "11.png", "12.png"]
    assert images["11.png"]["tof"] is None
    assert (
        "10.png: 192x100 pixels, and the image before has 192x128; tof, change, flicker "
        "are measured between frames of one clip"
    ) in capsys.readouterr().err


def test_tlp_is_that_of_lpips(clip, monkeypatch):
    def distance(one, other):
        return float(np.abs(np.int16(one) - other).mean())

    monkeypatch.setattr(
        "realesrgan_paddle.metrics.clips.open_metric", lambda name: distance
    )
    assert open_steps(["psnr"]) is None
    assert open_steps(["tlp", "psnr"]) == StepMeasure(["tlp"], distance)

    images, _ = evaluate(*BICUBIC, "--metrics", "tlp")
    lq, gt = frames(clip / "lr"), frames(clip / "hr")
    sr = [resize_bicubic(frame, 4) for frame in lq]
    steps = measure_consistency({"sr": sr}, gt=gt, distance=distance)["sr"].steps
    found = [images[f"{number}.png"]["tlp"] for number in range(9, 13)]
    assert found == pytest.approx([step.tlp for step in steps])


def test_small_frames_are_refused_in_words(clip, capsys):
    evaluate(*BICUBIC, *METRICS, "--size", "10", code=1)
    assert "frames of 40x40 pixels are too small" in capsys.readouterr().err


def test_a_single_image_is_no_clip(clip, capsys):
    one = ["--models", "bicubic", "--gt", "hr/8.png", "--input", "lr/8.png"]
    _, means = evaluate(*one, "--metrics", "tof", "flicker")
    assert means == {"tof": None, "flicker": None}
    assert (
        "8.png: tOF, flicker: two frames of a clip are needed"
        in capsys.readouterr().out
    )


@pytest.mark.paddle
def test_a_state_is_carried_through_clips(clip, capsys):
    spec = RecurrentSRVGG(num_feat=16, num_conv=2, num_state=4)
    write_pdparams(clip / "net.pdparams", {"params": sample_weights(spec)})
    words = ["--models", "net=net.pdparams", *BICUBIC[2:]]
    images, _ = evaluate(*words, "--metrics", "psnr", "change", "--crop_border", "0")
    next_step = capsys.readouterr().out.splitlines()[-1]
    assert next_step.endswith("tools/upscale.py VIDEOS --model_path net.pdparams")
    upscaler = Upscaler(clip / "net.pdparams", precision="fp32")
    expected = upscale_clip(upscaler, frames(clip / "lr"))
    for number, sr in enumerate(expected, start=8):
        right = psnr(sr, read_image(clip / f"hr/{number}.png"))
        assert images[f"{number}.png"]["psnr"] == pytest.approx(right, abs=1e-3)

    alone, _ = evaluate(*words, "--metrics", "psnr", "--crop_border", "0")
    assert abs(alone["10.png"]["psnr"] - images["10.png"]["psnr"]) > 0.01

    # A frame that cannot be read ends a clip; the next one begins another.
    (clip / "hr/9.png").write_bytes(b"no image")
    cut, _ = evaluate(
        *words, "--metrics", "psnr", "change", "--crop_border", "0", code=1
    )
    (first, *_) = upscale_clip(upscaler, frames_from(clip, 10))
    right = psnr(first, read_image(clip / "hr/10.png"))
    assert cut["10.png"]["psnr"] == pytest.approx(right, abs=1e-3)


def frames_from(clip, first):
    return [read_image(clip / f"lr/{number}.png") for number in range(first, 13)]
